# Checks that a program finds itself in its root and nowhere else, whatever libc, language or way of starting it uses.
#
#   sh container-suite.sh ID      runs inside the root; ID is the one of its /etc/os-release
#
# One line for each check: "ok NAME", or "FAIL NAME: last line of output". The root has what test/support/roots/build.sh puts
# there, and the request's folder /tmp/REQ1 with input/ and output/ as a bind. The host has a file /host-marker.
id=$1

t() {
  name=$1
  shift
  if output=$("$@" 2>&1); then
    echo "ok $name"
  else
    echo "FAIL $name: $(echo "$output" | tail -n 1 | cut -c 1-200)"
  fi
}

# The root, and only the root.
t sh true
t ls sh -c 'ls / | grep -q opt && ! test -e /host-marker'
t os-release grep -q "^ID=$id" /etc/os-release
t absolute-link grep -q "^ID=$id" /abslink
t link-to-folder sh -c 'test -x /optlink/s.sh && /optlink/s.sh a | grep -q shebang-ok'
t real-path sh -c 'test "$(realpath /optlink/s.sh)" = /opt/t/s.sh'
t dot-dot sh -c 'ls /../../.. | grep -q abslink'
t dot-dot-relative sh -c 'cd /opt/t && ls ../../../../.. | grep -q abslink && cd ../../../.. && test "$(pwd -P)" = /'
t dot-dot-in-tree sh -c 'cd /opt/t && test -e ../t/s.sh && test -e ./../../opt//t/./s.sh'
t getcwd sh -c 'cd /opt/t && test "$(pwd -P)" = /opt/t && test "$(readlink /proc/self/cwd)" = /opt/t'
t proc-exe sh -c 'case "$(readlink /proc/self/exe)" in /bin/*|/usr/bin/*) ;; *) readlink /proc/self/exe; false;; esac'
t proc-exe-relative sh -c 'cd /bin && exec ./sh -c "cd / && test /proc/self/exe -ef /bin/sh"'
t proc-root sh -c 'ls /proc/self/root | grep -q abslink && ! test -e /proc/self/root/host-marker'
t proc-relative sh -c 'cd / && test -e proc/self/status && ls dev | grep -q null'
t proc-cmdline sh -c 'tr "\0" " " </proc/self/cmdline | grep -q "^tr"'
t dev-null sh -c 'echo x >/dev/null && test "$(head -c 3 /dev/urandom | wc -c)" -eq 3'
t dev-fd sh -c 'echo through | cat /dev/fd/0 | grep -q through'

# Changing it.
t write-etc sh -c 'echo 1 >/etc/newf && cat /etc/newf && rm /etc/newf'
t bind sh -c 'echo hi >/tmp/REQ1/output/w && cat /tmp/REQ1/output/w'
t bind-relative sh -c 'cd /tmp && echo hi >REQ1/output/r && cat /tmp/REQ1/output/r && ls | grep -q REQ1'
t bind-dot-dot sh -c 'cd /tmp/REQ1/output && test "$(pwd -P)" = /tmp/REQ1/output && ls ../.. | grep -q REQ1 && test -e ../../../abslink'
t links sh -c 'rm -f /opt/l /opt/h /opt/h2; ln -s /etc/os-release /opt/l && test "$(readlink /opt/l)" = /etc/os-release && cat /opt/l &&
  ln /opt/t/s.sh /opt/h && test -f /opt/h && mv /opt/h /opt/h2 && rm /opt/h2 /opt/l'
t link-climbing sh -c 'ln -sf ../../../../../etc/os-release /opt/t/up && grep -q "^ID=" /opt/t/up && rm /opt/t/up'
t link-to-folder-made sh -c 'ln -s /opt /etc/optdir && test -x /etc/optdir/t/s.sh && cd /etc/optdir/t && test "$(pwd -P)" = /opt/t && rm /etc/optdir'
t tree sh -c 'd=$(mktemp -d) && mkdir -p $d/a/b && echo x >$d/a/b/c && cp -r $d/a $d/e && mv $d/e/b $d/f && test -f $d/f/c && rm -r $d'
t tar sh -c 'd=$(mktemp -d) && tar -C /opt -cf $d/t.tar t && mkdir $d/x && tar -C $d/x -xf $d/t.tar && test -x $d/x/t/s.sh && rm -r $d'
t modes sh -c 'umask 027 && f=$(mktemp -u) && : >$f && test "$(stat -c %a $f)" = 640 && chmod 755 $f && test -x $f && touch -t 200001010000 $f && rm $f'

# Starting programs.
t pipe sh -c 'echo a | cat | cat | grep -q a'
t script sh -c '/opt/t/s.sh x | grep -q "shebang-ok /opt/t/s.sh x"'
t script-nested sh -c '/opt/t/nested y | grep -q "shebang-ok /opt/t/s.sh with one argument /opt/t/nested y"'
t script-relative sh -c 'cd /opt && t/s.sh z | grep -q "shebang-ok t/s.sh z"'
t script-along-path sh -c 'PATH=/opt/t:$PATH s.sh p | grep -q "shebang-ok /opt/t/s.sh p"'
t script-without-interpreter sh -c '/opt/t/orphan; test $? -eq 127 -o $? -eq 126'
t no-shebang sh -c '/opt/t/plain | grep -q no-shebang-ok'
t not-found sh -c '/nonexistent; test $? -eq 127'
t not-executable sh -c '/etc/passwd; test $? -eq 126'
t exit-code sh -c 'sh -c "exit 42"; test $? -eq 42'
t exit-by-signal sh -c 'for s in 1 2 9 15; do sh -c "kill -$s \$\$"; test $? -eq $((128 + s)) || exit 1; done'
t trap sh -c 'trap "echo caught" USR1; kill -USR1 $$ | cat; true'
t empty-environment sh -c 'env -i /bin/sh -c "test -e /abslink && ls / >/dev/null"'
t no-preload sh -c 'LD_PRELOAD= /bin/sh -c "test -e /abslink"'
t spawn-200 sh -c 'i=0; while [ $i -lt 200 ]; do /bin/true || exit 1; i=$((i+1)); done'
t background sh -c 'for i in 1 2 3 4 5 6 7 8; do sh -c "ls / >/dev/null" & done; wait'
t xargs sh -c 'seq 1 3000 | xargs -n 1000 echo | wc -l | grep -q 3'
t many-arguments sh -c 'set -- $(seq 1 9000) && sh -c "test \$# -eq 9000" x "$@"'
t find-exec sh -c 'test "$(find /opt/t -name "*.sh" -exec sh -c "echo x" \; | wc -l)" -eq 1'
t go-static sh -c '/opt/t/gotest >/tmp/REQ1/output/go 2>&1; cat /tmp/REQ1/output/go; grep -q "^cwd /" /tmp/REQ1/output/go &&
  grep -q "^/abslink" /tmp/REQ1/output/go && grep -q "^self /opt/t/gotest" /tmp/REQ1/output/go && grep -q "files ok" /tmp/REQ1/output/go &&
  grep -q "child 9" /tmp/REQ1/output/go && ! grep -q host-marker /tmp/REQ1/output/go'

# The system calls themselves: every check of the probe is one of ours.
/opt/t/probe

command -v python3 >/dev/null || exit 0

t find-usr sh -c 'test $(find /usr | wc -l) -gt 500 && ! find /usr | grep -q "^/usr/lib/node_modules"'
t proc-comm sh -c 'grep -q grep /proc/self/comm'
t find-xdev sh -c 'find / -xdev -name os-release | grep -q /usr/lib/os-release && ! find / -xdev | grep -q "^/proc/1"'
t dpkg sh -c 'test $(dpkg -l | wc -l) -gt 50 && dpkg -L coreutils | grep -q /bin/ls'
t tar-usr sh -c 'test $(tar -C /usr -c lib/python3 share/perl5 2>/dev/null | tar -t | wc -l) -gt 5'
t ldd sh -c 'ldd /bin/ls | grep -q libc.so'
t mktemp sh -c 'd=$(mktemp -d) && rmdir $d'
t bash bash -c 'a=($(ls /)); [[ ${#a[@]} -gt 5 ]] && [[ $(< /abslink) == *ID=* ]] && cat <(echo substituted) | grep -q substituted'
t bash-trap sh -c 'bash -c "trap \"echo bye >/tmp/REQ1/output/bye\" EXIT; trap \"exit 5\" TERM; kill -TERM \$\$; sleep 5"
  test $? -eq 5 && grep -q bye /tmp/REQ1/output/bye'
t bash-coprocess bash -c 'coproc cat; echo x >&${COPROC[1]}; read -u ${COPROC[0]} y; test $y = x'
t login-names sh -c 'id -un 0 | grep -q root && getent passwd root | grep -q /root'

t python python3 -c "import ssl,json,subprocess,sqlite3; subprocess.run(['id'],check=True)"
t python-script sh -c '/opt/t/p.py | grep -q ok'
t python-self python3 -c "
import sys,os
assert sys.executable.startswith('/usr/bin/python3'),sys.executable
assert os.getcwd()=='/',os.getcwd()
assert not os.path.exists('/host-marker')
assert sys.prefix=='/usr',sys.prefix
assert os.path.realpath('/proc/self/exe')==os.path.realpath(sys.executable)"
t python-threads python3 -c "
import concurrent.futures as c,os,subprocess
with c.ThreadPoolExecutor(8) as e: assert sum(e.map(len,[os.listdir('/usr/lib')]*20))>0
with c.ThreadPoolExecutor(8) as e: assert all(e.map(lambda i: os.path.exists('/abslink') and not os.path.exists('/host-marker'), range(4000)))
assert b'abslink' in subprocess.check_output('ls /',shell=True)"
t python-processes python3 -c "
import os
for i in range(20):
  p=os.fork()
  if p==0: os._exit(7 if os.path.exists('/abslink') else 1)
  assert os.waitstatus_to_exitcode(os.waitpid(p,0)[1])==7"
t python-spawn python3 -c "
import os
for i in range(50):
  p=os.posix_spawn('/bin/sh',['sh','-c','test -e /abslink'],os.environ)
  assert os.waitstatus_to_exitcode(os.waitpid(p,0)[1])==0"
t python-spawn-threads python3 -c "
import concurrent.futures as c,subprocess
with c.ThreadPoolExecutor(8) as e:
  assert all(r==b'x\n' for r in e.map(lambda i: subprocess.check_output(['/bin/echo','x']), range(100)))"
t python-multiprocessing python3 -c "
import multiprocessing as m,os
def child(pipe): pipe.send(sorted(os.listdir('/opt/t')))
a,b=m.Pipe();p=m.get_context('fork').Process(target=child,args=(b,));p.start()
assert 's.sh' in a.recv();p.join();assert p.exitcode==0"
t python-signal python3 -c "
import subprocess,signal
assert subprocess.run(['/bin/sh','-c','kill -SEGV \$\$']).returncode==-signal.SIGSEGV"
t python-dlopen python3 -c "
import ctypes.util,ctypes,os
ctypes.CDLL('libm.so.6');ctypes.CDLL('/lib/%s-linux-gnu/libz.so.1'%os.uname().machine)
assert ctypes.util.find_library('z')"
t python-temporary python3 -c "
import tempfile,os,shutil
d=tempfile.mkdtemp();open(d+'/a','w').write('x');os.rename(d+'/a',d+'/b');shutil.rmtree(d)"
t python-scandir python3 -c "
import os
fd=os.open('/',os.O_RDONLY)
assert 'abslink' in os.listdir(fd) and 'abslink' in os.listdir('/../')
assert os.stat('opt',dir_fd=fd).st_ino==os.stat('/opt').st_ino
assert os.stat('..',dir_fd=fd).st_ino==os.stat('/').st_ino
assert os.readlink('/proc/self/fd/%d'%fd)=='/'"
t python-socket python3 -c "
import socket,os
p='/tmp/REQ1/output/s%d'%os.getpid();s=socket.socket(socket.AF_UNIX);s.bind(p);s.listen()
c=socket.socket(socket.AF_UNIX);c.connect(p);c.send(b'x')
assert s.getsockname()==p and c.getpeername()==p;os.unlink(p)"
t python-passwd python3 -c "
import pwd
assert pwd.getpwnam('root').pw_shell;assert len(pwd.getpwall())<25"

t perl perl -MPOSIX -MFcntl -e 'system("/bin/true")==0 or die; opendir(D,"/") or die; grep {$_ eq "abslink"} readdir D or die; -e "/host-marker" and die'
t perl-fork perl -e 'for(1..20){my $p=fork; if(!$p){exec "/bin/sh","-c","exit 3"} waitpid $p,0; $?>>8==3 or die} print `echo x` eq "x\n" ? 1 : die'

command -v convert >/dev/null || exit 0

t convert-generate convert -size 800x600 plasma:fractal /tmp/REQ1/input/a.png
t convert-resize convert /tmp/REQ1/input/a.png -resize 200x200 /tmp/REQ1/output/b.jpg
t convert-formats sh -c 'convert -list format | grep -q JPEG'
t identify sh -c 'identify /tmp/REQ1/output/b.jpg | grep -q 200x150'
