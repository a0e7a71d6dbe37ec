# PHP: files, a child process, SQLite by PDO, JSON, regular expressions, its own web server and a client.
cd /tmp
cat >work.php <<'PHP'
<?php
assert_options(ASSERT_EXCEPTION, 1);
function check($ok, $what) { if (!$ok) { fwrite(STDERR, "$what\n"); exit(1); } }
check(getcwd() === '/tmp' && is_file('/etc/passwd') && in_array('etc', scandir('/')), 'files');
$file = tempnam('/tmp', 'php'); file_put_contents($file, json_encode(['a' => [1, 2]])); check(json_decode(file_get_contents($file))->a[1] === 2, 'JSON');
check(trim(shell_exec('echo from a shell')) === 'from a shell', 'shell');
$child = proc_open(['sort'], [['pipe', 'r'], ['pipe', 'w']], $pipes); fwrite($pipes[0], "b\na\n"); fclose($pipes[0]);
check(stream_get_contents($pipes[1]) === "a\nb\n" && proc_close($child) === 0, 'proc_open');
$db = new PDO('sqlite:/tmp/php.db'); $db->exec('create table t(n)'); $db->exec('insert into t values (42)');
check($db->query('select n from t')->fetchColumn() == 42, 'PDO');
check(realpath('/proc/self/exe') === realpath(PHP_BINARY), 'own path');
PHP
php work.php
mkdir www && echo '<?php echo 6 * 7;' >www/index.php
php -S 127.0.0.1:0 -t www 2>log & until port=$(sed -n 's/.*127.0.0.1:\([0-9]*\)) started.*/\1/p' log) && test -n "$port"; do sleep 0.1; done
test "$(php -r "echo file_get_contents('http://127.0.0.1:$port/');")" = 42
kill $!
