# BusyBox as all of the userland: pipes, loops, find, sed, tar, sums, background jobs and signals.
test "$(seq 1000 | sort -rn | head -n 1)" = 1000
mkdir /tmp/d /tmp/e && cp -r /etc /tmp/d/ && tar -C /tmp/d -cf - etc | tar -C /tmp/e -xf -
sums() { (cd "$1" && find . -type f | sort | xargs sha256sum); }
test "$(sums /tmp/d)" = "$(sums /tmp/e)"
test "$(find / -xdev -type f -name passwd -path '/etc/*')" = /etc/passwd
test "$(printf abc | sha256sum | cut -c 1-8)" = ba7816bf
echo one two | sed 's/\(.*\) \(.*\)/\2 \1/' | grep -qx 'two one'
test "$(sh -c 'echo $0 $#' a b c)" = 'a 2'
sleep 100 & kill $! && ! wait $!
for i in 1 2 3 4 5 6 7 8; do (cd /etc && ls >/dev/null && echo $i >/tmp/$i) & done; wait
test "$(cat /tmp/[1-8] | sort -n | tail -n 1)" = 8
