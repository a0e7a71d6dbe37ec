# Guile: native code by its compiler, threads, ports to children, files.
cd /tmp
cat >work.scm <<'SCHEME'
(use-modules (ice-9 popen) (ice-9 rdelim) (ice-9 threads) (ice-9 ftw))
(define (check ok what) (unless ok (display what) (exit 1)))
(check (equal? (par-map (lambda (n) (* n n)) '(1 2 3 4)) '(1 4 9 16)) "threads")
(check (equal? (read-line (open-input-pipe "echo from a shell")) "from a shell") "pipe")
(check (member "etc" (scandir "/")) "files")
(check (string=? (getcwd) "/tmp") "getcwd")
(call-with-output-file "/tmp/guile.txt" (lambda (port) (write '(1 2) port)))
(check (equal? (call-with-input-file "/tmp/guile.txt" read) '(1 2)) "read")
(check (= (primitive-fork) 0) "child")
SCHEME
sed -i '$d' work.scm
guile -s work.scm 2>log || { cat log; exit 1; }
