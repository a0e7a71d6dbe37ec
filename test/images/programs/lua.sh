# Lua and LuaJIT: files, popen, and in LuaJIT a loop that is compiled, and C functions called by ffi.
cd /tmp
cat >work.lua <<'LUA'
local f = assert(io.open('/tmp/lua.txt', 'w')); f:write('hello'); f:close()
assert(io.open('/tmp/lua.txt'):read('a') == 'hello')
assert(io.popen('echo from a shell'):read('l') == 'from a shell')
local s = 0; for i = 1, 1e6 do s = s + i % 7 end
assert(s == 2999997 or s == 2999998 or s == 3000000 - 2, s)
assert(os.rename('/tmp/lua.txt', '/tmp/moved.txt') and os.remove('/tmp/moved.txt'))
LUA
lua5.4 work.lua
sed -i "s/'a'/'*a'/; s/'l'/'*l'/" work.lua
luajit work.lua
luajit -e 'local ffi = require "ffi"; ffi.cdef "char *getcwd(char *, size_t); int access(const char *, int);"
  local b = ffi.new("char[?]", 100); assert(ffi.string(ffi.C.getcwd(b, 100)) == "/tmp"); assert(ffi.C.access("/etc/passwd", 4) == 0)'
