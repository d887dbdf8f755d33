"""The Python subjects of the benchmark:

    python3 peers.py WORK LIBRARY N

N is how many jobs, items or starts a run has. Prints a line of JSON with the
figures, in seconds, bytes and numbers per second. All pools have two workers,
warm before anything is measured, and fork unless the library's name says
otherwise.
"""

import json
import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.pool import ThreadPool
from time import perf_counter as now

import payload

WORKERS = 2
fork = multiprocessing.get_context("fork")


def laps_set(laps):
    laps.sort()
    return {"p50": laps[len(laps) // 2], "p99": laps[min(len(laps) * 99 // 100, len(laps) - 1)]}


def per_second(n, took):
    return {"rate": n / took, "wall": took}


class Pool:
    """multiprocessing.Pool."""

    def __init__(self, workers=WORKERS, context=fork):
        self.pool = context.Pool(workers)
        self.broken = multiprocessing.TimeoutError  # it tells nobody
        self.call(payload.echo, b"")

    def call(self, function, arg):
        return self.pool.apply(function, (arg,))

    def submit(self, function, arg):
        return self.pool.apply_async(function, (arg,)).get

    def close(self):
        self.pool.terminate()
        self.pool.join()


class Executor:
    """concurrent.futures.ProcessPoolExecutor."""

    def __init__(self, workers=WORKERS):
        self.executor = ProcessPoolExecutor(workers, mp_context=fork)
        self.broken = BrokenProcessPool
        self.call(payload.echo, b"")

    def call(self, function, arg):
        return self.executor.submit(function, arg).result()

    def submit(self, function, arg):
        return self.executor.submit(function, arg).result

    def close(self):
        self.executor.shutdown()


class Loky(Executor):
    """The executor of joblib, with processes that are not forked."""

    def __init__(self, workers=WORKERS):
        from joblib.externals.loky import get_reusable_executor
        from joblib.externals.loky.process_executor import BrokenProcessPool as Broken

        self.executor = get_reusable_executor(workers, timeout=600)
        self.broken = Broken
        self.call(payload.echo, b"")


def spawned(workers=WORKERS):
    return Pool(workers, multiprocessing.get_context("spawn"))


LIBRARIES = {"pool": Pool, "spawned": spawned, "executor": Executor, "loky": Loky}


def round_trips(library, n, size):
    workers = LIBRARIES[library]()
    data = b"x" * size
    laps = []
    for _ in range(n):
        start = now()
        out = workers.call(payload.echo, data)
        laps.append(now() - start)
        assert len(out) == size
    workers.close()
    return laps_set(laps)


def call(library, n):
    return round_trips(library, n, 64)


def echo(library, n):
    return round_trips(library, n, 1 << 20)


def large(library, n):
    """n MiB, there and back."""
    return {"wall": round_trips(library, 1, n << 20)["p50"]}


def many(library, n):
    """Jobs of 64 bytes, all of them under way."""
    data = b"x" * 64
    workers = LIBRARIES["pool" if library == "imap" else library]()
    start = now()
    if library == "imap":
        count = sum(1 for _ in workers.pool.imap_unordered(payload.echo, (data for _ in range(n)), 1))
    else:
        results = [workers.submit(payload.echo, data) for _ in range(n)]
        count = sum(1 for result in results if len(result()) == 64)
    took = now() - start
    assert count == n
    workers.close()
    return per_second(n, took)


def mapped(library, n):
    """Ints through a function that does nothing."""
    if library == "joblib":
        from joblib import Parallel, delayed

        with Parallel(n_jobs=WORKERS) as parallel:
            parallel(delayed(payload.echo)(i) for i in range(WORKERS))
            start = now()
            results = parallel(delayed(payload.echo)(i) for i in range(n))
            took = now() - start
        assert len(results) == n
        return per_second(n, took)
    workers = Executor() if library == "executor" else Pool()
    start = now()
    results = {
        "imap1": lambda: workers.pool.imap_unordered(payload.echo, range(n), 1),
        "imap256": lambda: workers.pool.imap_unordered(payload.echo, range(n), 256),
        "pool": lambda: workers.pool.map(payload.echo, range(n)),
        "executor": lambda: workers.executor.map(payload.echo, range(n), chunksize=256),
    }[library]()
    count = sum(1 for _ in results)
    took = now() - start
    assert count == n
    workers.close()
    return per_second(n, took)


def lock(library, n):
    manager = multiprocessing.Manager() if library == "manager" else None
    lock = manager.Lock() if manager else fork.Lock()
    here, there = fork.Pipe(False)
    process = fork.Process(target=payload.pairs, args=(lock, n, there))
    process.start()
    laps = here.recv()
    process.join()
    if manager:
        manager.shutdown()
    return laps_set([lap / 1e9 for lap in laps])


def queue(library, n):
    """Items of 64 bytes from a process to this one."""
    q = fork.SimpleQueue() if library == "simple" else fork.Queue()
    process = fork.Process(target=payload.put, args=(q, n))
    start = now()
    process.start()
    for _ in range(n):
        assert len(q.get()) == 64
    took = now() - start
    process.join()
    return per_second(n, took)


def start(library, n):
    """A process from its start to its first word."""
    context = multiprocessing.get_context(library)
    here, there = context.Pipe(False)
    laps = []
    for i in range(n + 1):
        process = context.Process(target=payload.say, args=(there,))
        begin = now()
        process.start()
        here.recv_bytes()
        laps.append(now() - begin)
        process.join()
    return laps_set(laps[1:])  # the first one may start a server


def commands(library, n):
    def run(_):
        return subprocess.run(["/bin/true"], capture_output=True).returncode

    with ThreadPool(WORKERS) as pool:
        start = now()
        failed = sum(pool.imap_unordered(run, range(n)))
        took = now() - start
    assert failed == 0
    return per_second(n, took)


def crash(library, n):
    """From the submission of a job that is killed with its worker, the only one, to
    the result of the next. An executor is made again; a Pool makes a worker again,
    and never says that the job is lost. (Without the shutdown in between it takes as
    long.)"""
    make = LIBRARIES[library]
    workers = make(1)
    laps = []
    for _ in range(n):
        begin = now()
        lost = workers.submit(payload.die, 0)
        if library != "pool":
            try:
                lost()
            except workers.broken:
                pass
            workers.close()
            workers = make(1)
        workers.call(payload.echo, b"x" * 64)
        laps.append(now() - begin)
    workers.close()
    return laps_set(laps)


def idle(library, n):
    """n workers that wait, each after a job."""
    workers = LIBRARIES[library](n)
    pids = set()
    while len(pids) < n:
        jobs = [workers.submit(payload.pid, 0) for _ in range(n)]
        pids.update(job() for job in jobs)
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    workers.close()
    return {"pss": total * 1024 / len(pids)}


def cold(library, n):
    """One job and the end: the program is timed by who runs it."""
    workers = LIBRARIES[library]()
    workers.close()
    return {}


if __name__ == "__main__":
    works = (call, echo, large, many, mapped, lock, queue, start, commands, crash, idle, cold)
    work = {w.__name__: w for w in works}[sys.argv[1]]
    print(json.dumps(work(sys.argv[2], int(sys.argv[3]))), flush=True)
