"""What the workers of the Python subjects run. It is a module of its own, so that
functions travel by their names, whatever carries them."""

import os
import signal


def echo(data):
    return data


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def pid(_):
    import time

    time.sleep(0.05)  # so that every worker gets one
    return os.getpid()


def say(conn):
    conn.send_bytes(b".")


def pairs(lock, n, conn):
    """Takes a lock that nobody else wants and releases it, n times."""
    from time import perf_counter_ns as now

    laps = []
    for _ in range(n):
        start = now()
        lock.acquire()
        lock.release()
        laps.append(now() - start)
    conn.send(laps)


def put(queue, n):
    item = b"x" * 64
    for _ in range(n):
        queue.put(item)
