"""A worker in Python: its standard library, python3-msgpack, and a page of code.

A supervisor starts it and sends it jobs. What travels is in ipc/PROTOCOL.md; this
worker announces no capabilities, and so gets one job at a time.
"""
import ctypes, os, statistics, struct, sys, traceback
try:
    import msgpack
except ImportError:
    sys.exit("worker.py needs the module msgpack: apt-get install python3-msgpack")

def stats(numbers):
    print(f"looking at {len(numbers)} numbers")    # comes back as the output of this job
    return {"mean": statistics.mean(numbers), "stdev": statistics.stdev(numbers)}

def crash(address):
    return ctypes.string_at(address)              # what is not there takes the process with it

TASKS = {"stats": stats, "crash": crash}          # functions of one argument

def serve(link_in, link_out):
    def send(*frame):
        body = msgpack.packb(frame)
        link_out.write(struct.pack(">I", len(body)) + body)

    def receive():
        head = link_in.read(4)
        if len(head) < 4: sys.exit(0)             # the supervisor is gone
        return msgpack.unpackb(link_in.read(struct.unpack(">I", head)[0]), strict_map_key=False)

    nonce = receive()[2]["nonce"]                 # hello is answered by ready
    send(2, 0, nonce, {"version": 1, "pid": os.getpid(), "tasks": sorted(TASKS), "program": "worker.py"})
    while True:
        link_out.flush()
        kind, job, *rest = receive()
        if kind == 7: sys.exit(0)                 # stop
        task, payload = rest[0], rest[5]
        if isinstance(payload, int):              # its size: it follows in chunks
            size, payload = payload, b""
            while len(payload) < size: payload += receive()[2]
        try:
            status, out = 0, msgpack.packb(TASKS[task](msgpack.unpackb(payload, strict_map_key=False)))
        except Exception as e:
            status, out = 1, msgpack.packb({"msg": str(e), "type": type(e).__name__, "panic": True, "stack": traceback.format_exc()})
        sys.stdout.flush()
        send(10, job, status, out if len(out) <= 65536 else len(out))
        for i in range(0, len(out) if len(out) > 65536 else 0, 65536): send(4, job, out[i:i + 65536])

marker = os.environ.pop("MULTIPROC_WORKER", None) # its own children are no workers
if marker is None:
    print("worker.py is a worker: a supervisor starts it", file=sys.stderr)
    sys.exit(2)
given = {name: int(fd) for name, fd in (pair.split("=") for pair in marker.split())}
link = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)      # so that what reads or prints does not touch the link
os.dup2(given["out"], 1)
for fd in given.values(): os.close(fd)
serve(*link)
