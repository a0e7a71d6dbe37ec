# The essential programs: dpkg's database, perl, awk, find, tar, sort, bash.
test "$(dpkg-query -f '${Status}\n' -W bash dash coreutils | sort -u)" = 'install ok installed'
test "$(dpkg -S /usr/bin/perl)" = 'perl-base: /usr/bin/perl'
test -z "$(dpkg --audit)"
test "$(perl -e 'print join(",", sort { $a <=> $b } map { $_ * $_ } 1..5)')" = 1,4,9,16,25
test "$(find /usr/bin -name 'ba*' -type f | sort | head -n 1)" = /usr/bin/base32
test "$(awk -F: '$3 == 0 { print $1 }' /etc/passwd)" = root
tar -C /usr/share -czf /tmp/a.tgz perl5 && mkdir /tmp/x && tar -C /tmp/x -xzf /tmp/a.tgz && diff -r /usr/share/perl5 /tmp/x/perl5
test "$(seq 1000 | sort -R | sort -n | sha256sum)" = "$(seq 1000 | sha256sum)"
test "$(bash -c 'x=(a b c); echo "${#x[@]} ${x[-1]^^}"')" = '3 C'
test "$(readlink -f /proc/self/exe)" = "$(readlink -f "$(command -v readlink)")"
