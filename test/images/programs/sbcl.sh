# SBCL, whose heap and traps (SIGTRAP) are its own: compiled code, garbage collection, errors, a child, a saved core.
cd /tmp
cat >work.lisp <<'LISP'
(require :sb-posix)
(defun fib (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(assert (= (fib 25) 75025))
(dotimes (i 50) (make-array 100000))
(sb-ext:gc :full t)
(assert (eq :caught (handler-case (car (opaque-identity 1)) (error () :caught))))
(assert (eq :caught (handler-case (/ 1 (- (fib 2) 1)) (division-by-zero () :caught))))
(assert (string= (sb-posix:getcwd) "/tmp"))
(assert (probe-file "/etc/passwd"))
(assert (= 7 (sb-ext:process-exit-code (sb-ext:run-program "/bin/sh" '("-c" "exit 7")))))
(with-open-file (s "/tmp/lisp.txt" :direction :output :if-exists :supersede) (print '(1 2) s))
(assert (equal '(1 2) (with-open-file (s "/tmp/lisp.txt") (read s))))
(sb-ext:save-lisp-and-die "/tmp/core" :executable t :toplevel (lambda () (print (fib 20)) (terpri) (sb-ext:exit)))
LISP
sed -i 's/opaque-identity/identity/' work.lisp
sbcl --noinform --non-interactive --no-userinit --load work.lisp >log
./core | grep -q 6765
