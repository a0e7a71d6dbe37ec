# Checks that programs which want root get what they want from the appearance of it, and that they see afterwards what they did.
#
#   sh fake-root.sh KIND      runs inside a copy of a root, as uid 0; KIND is debian, or another for what BusyBox can do
#
# One line for each check: "ok NAME", or "FAIL NAME: last line of output".
kind=$1
cd /tmp
umask 022

t() {
  name=$1
  shift
  if output=$("$@" 2>&1); then
    echo "ok $name"
  else
    echo "FAIL $name: $(echo "$output" | tail -n 1 | cut -c 1-200)"
  fi
}

# Whether `stat` shows a file as OWNER:GROUP MODE, in numbers.
shows() { test "$(stat -c '%u:%g %a' "$1")" = "$2" || { stat -c "%n is %u:%g %a, not $2" "$1" && false; }; }

t id sh -c 'test "$(id -u):$(id -g):$(id -un)" = 0:0:root && test "$(whoami)" = root'
t rootfs shows /etc/passwd '0:0 644'
t new-file sh -c ': >f && rm f'
t chown sh -c ': >f && chown 1000:1001 f && test "$(stat -c %u:%g f)" = 1000:1001 && chgrp 5 f && test "$(stat -c %u:%g f)" = 1000:5'
t chown-over-exec shows f '1000:5 644'
t chmod sh -c 'chmod 4755 f && test "$(stat -c %a f)" = 4755 && ls -l f | grep -q ^-rwsr-xr-x && test "$(find f -perm -4000)" = f'
t renamed sh -c 'mv f g && test "$(stat -c %u:%g:%a g)" = 1000:5:4755'
t forgotten sh -c 'rm g && : >g && test "$(stat -c %u:%g:%a g)" = 0:0:644 && rm g'
t closed sh -c 'echo inside >f && chmod 0 f && test "$(cat f)" = inside && echo more >>f && test "$(stat -c %a f)" = 0 && test -r f && rm -f f'
t closed-folder sh -c 'mkdir -p d/e && chmod 0 d && : >d/e/f && ls d/e | grep -q f && chmod 555 d d/e && rm -r d'
# The root lies in a folder called `root`: who leaves it would find it there.
t closed-way sh -c 'for way in d/../../../root/etc /tmp/d/../../../root/etc; do
    mkdir -p d && chmod 0 d && ! test -e $way && chmod 0 d && ! ls $way && chmod 0 d && ! touch $way/x || exit 1; done
  chmod 0 d && test "$(cat d/../../etc/passwd)" = "$(cat /etc/passwd)" && rmdir d'
t mknod sh -c 'mknod n c 1 3 && test "$(stat -c "%F %t:%T" n)" = "character special file 1:3" && rm n'
t tar sh -c 'mkdir a b && echo x >a/f && chown 1000:1001 a/f && chmod 4750 a/f && mknod a/n b 8 1 && chown 7 a &&
  tar -cf t.tar a && tar -C b -xpf t.tar && test "$(ls -ln a)" = "$(ls -ln b/a)" && test "$(stat -c %u b/a)" = 7 && rm -r a b t.tar'

test "$kind" = debian || exit 0

# Users.
t useradd sh -c 'useradd -m -s /bin/sh app && test "$(stat -c %U:%G /home/app /home/app/.profile | uniq)" = app:app'
t su sh -c 'test "$(su -c "id -un; id -u" app | tr "\n" " ")" = "app $(id -u app) "'
t su-login sh -c 'test "$(su - app -c pwd)" = /home/app'
t su-file sh -c 'su app -c ": >/tmp/own; mkdir /tmp/own-folder" && test "$(stat -c %U:%G own own-folder | uniq)" = app:app'
t su-refused sh -c '! su app -c "chown root /tmp/own" && ! su app -c "setpriv --reuid 0 true" && su app -c "chmod 600 /tmp/own" && rm -r own own-folder'
t runuser sh -c 'test "$(runuser -u app -- id -un)" = app'
t setpriv sh -c 'test "$(setpriv --reuid=app --regid=app --init-groups --bounding-set=-all --no-new-privs id -un)" = app'
# From its new place the link climbs above the root: it is stored anew, as a file of its own.
t moved-link sh -c 'mkdir -p d/e && ln -s ../../../x d/e/l && chown -h 7 d/e/l && touch -h -d @5 d/e/l && touch -d @6 d/e && mv d/e e &&
  test "$(stat -c %u:%Y e/l e | tr "\n" " ")" = "7:5 0:6 " && rm -r d e'
t groups sh -c 'groupadd -g 4242 crew && usermod -aG crew app && su app -c "id -Gn" | grep -q "^app crew$" && su app -c "touch c; chgrp crew c; stat -c %G c; rm c" | grep -q crew'
t install sh -c 'install -d -o app -g crew -m 2770 d && install -o app -g crew -m 4750 /bin/true d/f && test "$(stat -c %U:%G:%a d d/f | tr "\n" " ")" = "app:crew:2770 app:crew:4750 "'
t find sh -c 'test "$(find d -user app -group crew -perm -4000)" = d/f'
t copy sh -c 'cp -a d e && test "$(stat -c %U:%G:%a e/f)" = app:crew:4750 && chown -R --from=app root:root e && test "$(stat -c %U:%G:%a e e/f | tr "\n" " ")" = "root:root:2770 root:root:750 " && rm -r d e'
t chown-link sh -c 'ln -s /etc/passwd l && chown -h app l && test "$(stat -c %U l)" = app && test "$(stat -Lc %U l)" = root && rm l'
t passwd sh -c 'echo app:secret | chpasswd && grep -q "^app:[$]" /etc/shadow'
t userdel sh -c 'userdel -r app && ! id app && ! test -e /home/app'

# Programs that give root away.
t python python3 -c "
import os
def child():
  os.setgroups([4, 5]); os.setgid(33); os.setuid(33)
  assert os.getresuid() == (33,) * 3 and os.getresgid() == (33,) * 3 and os.getgroups() == [4, 5]
  try: os.setuid(0)
  except PermissionError: return
  assert False
pid = os.fork()
if pid == 0:
  child(); os._exit(42)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42 and os.getresuid() == (0, 0, 0)
os.chown('/tmp', -1, -1)
os.seteuid(33); assert os.geteuid() == 33; os.seteuid(0); assert os.geteuid() == 0"
t python-subprocess python3 -c "
import subprocess,sys
if sys.version_info >= (3, 9):
  assert subprocess.check_output(['id', '-u'], user=33, group=33, extra_groups=[4]) == b'33\n'
assert subprocess.check_output(['id', '-u']) == b'0\n'"
t perl perl -e '$> = 33; $> == 33 && $< == 0 or die; $> = 0; $> == 0 or die; $( = 5; $) = "5 5"; ($< = $> = 33) && $> == 33 or die; $> = 0; $> == 33 or die'

# Packages.
t dpkg-deb sh -c 'mkdir -p p/DEBIAN p/usr/bin p/var/lib/scar-hello && printf "#!/bin/sh\necho hello\n" >p/usr/bin/scar-hello && chmod 755 p/usr/bin/scar-hello &&
  printf "Package: scar-hello\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: says hello\n" >p/DEBIAN/control &&
  printf "#!/bin/sh\nset -e\nif [ \$1 = configure ]; then useradd -r hello; chown hello: /var/lib/scar-hello; chmod 4755 /usr/bin/scar-hello; fi\n" >p/DEBIAN/postinst &&
  chmod 755 p/DEBIAN/postinst && chown www-data:tty p/var/lib/scar-hello && mkdir repository &&
  dpkg-deb -b p repository/scar-hello_1.0_all.deb && dpkg-deb -c repository/scar-hello_1.0_all.deb | grep "www-data/tty .*scar-hello/"'
t dpkg-x sh -c 'dpkg -x repository/scar-hello_1.0_all.deb x && test "$(stat -c %U:%G x/var/lib/scar-hello)" = www-data:tty && rm -r x p'
installed='test "$(stat -c %U:%G /var/lib/scar-hello)" = hello:hello && test "$(stat -c %a /usr/bin/scar-hello)" = 4755 && scar-hello | grep -q hello'
t dpkg-i sh -c "dpkg -i repository/scar-hello_1.0_all.deb && dpkg -s scar-hello | grep -q '^Status: install ok installed' && $installed"
t dpkg-P sh -c 'dpkg -P scar-hello && userdel hello && ! test -e /usr/bin/scar-hello && ! test -e /var/lib/scar-hello'
sources='-o Dir::Etc::SourceList=/tmp/sources.list -o Dir::Etc::SourceParts=/dev/null'
t apt-update sh -c "cd repository && { dpkg-deb -f scar-hello_1.0_all.deb; echo 'Filename: ./scar-hello_1.0_all.deb'; stat -c 'Size: %s' scar-hello_1.0_all.deb; echo SHA256: \$(sha256sum <scar-hello_1.0_all.deb | cut -c 1-64); } >Packages &&
  gzip -k Packages && echo 'deb [trusted=yes] file:/tmp/repository ./' >/tmp/sources.list && apt-get $sources update"
t apt-download sh -c "apt-get $sources download scar-hello && test \"\$(stat -c %u scar-hello_1.0_all.deb)\" = 0 && rm scar-hello_1.0_all.deb"
t apt-install sh -c "apt-get $sources install -y scar-hello && $installed"
t apt-purge sh -c "apt-get $sources purge -y scar-hello && ! test -e /usr/bin/scar-hello && userdel hello && rm -r repository sources.list"
t nothing-left sh -c 'test -z "$(ls -A | grep -vxe REQ1 -e owners -e root -e request -e supervisor)"'
