# A static Go program: 64 goroutines on small stacks that make, stat and remove files; children; its own path.
/opt/t/gotest >/tmp/out
grep -qx 'self /opt/t/gotest' /tmp/out
grep -qx /abslink /tmp/out
grep -qx 'files ok' /tmp/out
test "$(grep -c '^child' /tmp/out)" -eq 10
