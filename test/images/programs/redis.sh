# Redis: a server on a socket and a port, pipelined commands, Lua, a snapshot by fork, and a restart from it.
cd /tmp
start() { redis-server --unixsocket /tmp/r.sock --port 0 --dir /tmp --daemonize no --save '' >>log & until redis-cli -s /tmp/r.sock ping 2>/dev/null | grep -q PONG; do sleep 0.1; done; }
cli() { redis-cli -s /tmp/r.sock "$@"; }
start
seq 10000 | sed 's/.*/SET k& v&/' | cli >/dev/null
test "$(cli get k777)" = v777
test "$(cli eval 'return redis.call("get", KEYS[1]) .. "!"' 1 k1)" = 'v1!'
cli bgsave >/dev/null; until cli info persistence | grep -q 'rdb_bgsave_in_progress:0'; do sleep 0.1; done
cli info persistence | grep -q rdb_last_bgsave_status:ok
cli shutdown nosave; wait
start; test "$(cli dbsize)" = 10000; cli shutdown nosave; wait
