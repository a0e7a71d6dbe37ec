# apt and dpkg: queries, the owner of a file, verification of a package, a simulated removal, a package built, taken apart, installed and purged.
dpkg -l | grep -q '^ii  apt '
apt-cache policy apt | grep -q 'Installed: [0-9]'
apt list --installed 2>/dev/null | grep -q '^dpkg/'
apt-get --simulate --yes remove gcc | grep -q '^Remv gcc '
dpkg -S /usr/bin/make | grep -qx 'make: /usr/bin/make'
dpkg --verify make
apt-config dump | grep -q 'Dir::Etc "etc/apt"'
mkdir -p /tmp/p/DEBIAN /tmp/p/opt && echo x >/tmp/p/opt/x
printf 'Package: p\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.test>\nDescription: a\n' >/tmp/p/DEBIAN/control
dpkg-deb --root-owner-group --build /tmp/p /tmp/p.deb
dpkg-deb --fsys-tarfile /tmp/p.deb | tar -tv | grep -q 'root/root .* ./opt/x'
dpkg-deb -R /tmp/p.deb /tmp/q && test "$(cat /tmp/q/opt/x)" = x
apt-get install --yes /tmp/p.deb && test "$(cat /opt/x)" = x && dpkg -S /opt/x | grep -qx 'p: /opt/x'
dpkg --purge p && test ! -e /opt/x
