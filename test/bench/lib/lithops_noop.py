"""Maps a function that runs `true` in a chroot by Lithops' localhost backend: python lithops_noop.py ROOT TASKS WORKERS. Prints the seconds from
the map to its last result, with its workers started by a map before."""

import subprocess
import sys
import time

import lithops


def noop(root):
    return subprocess.run(["chroot", root, "true"], check=True).returncode


if __name__ == "__main__":
    root, tasks, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    config = {
        "lithops": {"backend": "localhost", "storage": "localhost", "log_level": "ERROR", "telemetry": False, "data_cleaner": False},
        "localhost": {"runtime": sys.executable, "worker_processes": workers},
    }
    executor = lithops.FunctionExecutor(config=config)
    executor.get_result(executor.map(noop, [root] * workers))
    started = time.perf_counter()
    codes = executor.get_result(executor.map(noop, [root] * tasks))
    seconds = time.perf_counter() - started
    assert codes == [0] * tasks, codes
    print(seconds)
