# NumPy solves a system and maps a file; multiprocessing: Pool by fork and by spawn, a shared Lock, shared memory.
cat >/tmp/work.py <<'PYTHON'
import multiprocessing as mp
import numpy as np
from multiprocessing.shared_memory import SharedMemory

def norm(seed):
    return float(np.linalg.norm(np.random.default_rng(seed).random(10000)))

def count(lock, total):
    for _ in range(200):
        with lock:
            total.value += 1

if __name__ == '__main__':
    a = np.random.default_rng(1).random((400, 400))
    b = np.ones(400)
    assert np.allclose(a @ np.linalg.solve(a, b), b)
    np.save('/tmp/a.npy', a)
    assert np.array_equal(np.load('/tmp/a.npy', mmap_mode='r'), a)
    for method in 'fork', 'spawn':
        context = mp.get_context(method)
        with context.Pool(4) as pool:
            assert pool.map(norm, range(20)) == [norm(seed) for seed in range(20)]
        lock, total = context.Lock(), context.Value('i', 0, lock=False)
        children = [context.Process(target=count, args=(lock, total)) for _ in range(4)]
        for child in children: child.start()
        for child in children: child.join()
        assert total.value == 800 and all(child.exitcode == 0 for child in children)
    memory = SharedMemory(create=True, size=1 << 16)
    np.ndarray(8192, buffer=memory.buf)[:] = 7
    other = SharedMemory(memory.name)
    assert np.ndarray(8192, buffer=other.buf).sum() == 7 * 8192
    other.close(); memory.close(); memory.unlink()
PYTHON
python3 /tmp/work.py
