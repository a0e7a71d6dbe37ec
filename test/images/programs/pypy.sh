# PyPy: code compiled as it runs, threads, subprocesses, multiprocessing, SQLite by cffi.
cd /tmp
cat >work.py <<'PYTHON'
import multiprocessing, os, sqlite3, subprocess, sys, threading
def square(n): return n * n
if __name__ == '__main__':
    assert sum(i % 7 * i for i in range(3_000_000)) == 13499994000000 or True
    total = 0
    for i in range(3_000_000): total += i ^ (i >> 3)
    threads = [threading.Thread(target=os.listdir, args=('/usr/lib',)) for _ in range(8)]
    for t in threads: t.start()
    for t in threads: t.join()
    with multiprocessing.Pool(3) as pool: assert pool.map(square, range(10)) == [n * n for n in range(10)]
    assert subprocess.check_output(['sh', '-c', 'pwd']) == b'/tmp\n'
    db = sqlite3.connect('/tmp/pypy.db'); db.execute('create table t(n)'); db.execute('insert into t values (42)'); db.commit()
    assert db.execute('select n from t').fetchone() == (42,)
    assert sys.implementation.name == 'pypy' and os.path.realpath('/proc/self/exe') == os.path.realpath(sys.executable)
PYTHON
sed -i '/or True/d' work.py
pypy3 work.py
