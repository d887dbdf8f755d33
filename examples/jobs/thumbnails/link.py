"""The link to the supervisor: the worker of ipc/PROTOCOL.md as a module, in Python's standard library alone."""
import os, struct, sys, traceback

TASKS = {}                                    # name -> function of one argument

def task(f):
    TASKS[f.__name__] = f
    return f

def pack(v):
    if v is None: return b"\xc0"
    if v is True: return b"\xc3"
    if v is False: return b"\xc2"
    if isinstance(v, int):
        if 0 <= v < 128: return bytes([v])
        return b"\xcf" + struct.pack(">Q", v) if v >= 0 else b"\xd3" + struct.pack(">q", v)
    if isinstance(v, float): return b"\xcb" + struct.pack(">d", v)
    if isinstance(v, str):
        v = v.encode()
        return (bytes([0xa0 | len(v)]) if len(v) < 32 else b"\xdb" + struct.pack(">I", len(v))) + v
    if isinstance(v, bytes):
        return (b"\xc4" + bytes([len(v)]) if len(v) < 256 else b"\xc6" + struct.pack(">I", len(v))) + v
    if isinstance(v, (list, tuple)):
        head = bytes([0x90 | len(v)]) if len(v) < 16 else b"\xdd" + struct.pack(">I", len(v))
        return head + b"".join(map(pack, v))
    if isinstance(v, dict):
        return b"\xdf" + struct.pack(">I", len(v)) + b"".join(pack(x) for kv in v.items() for x in kv)
    raise TypeError("cannot send " + type(v).__name__)

NUMBERS = dict(zip(range(0xca, 0xd4), ">f >d >B >H >I >Q >b >h >i >q".split()))
LENGTHS = {0xc4: (">B", bytes), 0xc5: (">H", bytes), 0xc6: (">I", bytes), 0xd9: (">B", str), 0xda: (">H", str),
           0xdb: (">I", str), 0xdc: (">H", list), 0xdd: (">I", list), 0xde: (">H", dict), 0xdf: (">I", dict)}

def unpack(b, p=0):                           # the value at p, and where it ends
    def number(form):
        return struct.unpack_from(form, b, p)[0], p + struct.calcsize(form)
    t, p = b[p], p + 1
    if t < 0x80: return t, p
    if t >= 0xe0: return t - 256, p
    if t in (0xc0, 0xc2, 0xc3): return {0xc0: None, 0xc2: False, 0xc3: True}[t], p
    if t in NUMBERS: return number(NUMBERS[t])
    if t < 0xc0: n, kind = (t & 15, dict if t < 0x90 else list) if t < 0xa0 else (t & 31, str)
    elif t in LENGTHS:
        kind = LENGTHS[t][1]
        n, p = number(LENGTHS[t][0])
    else: raise ValueError("byte 0x%02x" % t)
    if kind in (str, bytes):
        return (b[p:p + n].decode() if kind is str else b[p:p + n]), p + n
    items = []
    for _ in range(2 * n if kind is dict else n):
        v, p = unpack(b, p)
        items.append(v)
    return (items if kind is list else dict(zip(items[::2], items[1::2]))), p

def serve():
    marker = os.environ.pop("MULTIPROC_WORKER", None)
    if marker is None:
        print("this is a worker: supervisor run starts it", file=sys.stderr)
        sys.exit(2)
    extra = dict(x.split("=") for x in marker.split())
    link_in, link_out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(int(extra["out"]), 1)
    for fd in extra.values(): os.close(int(fd))

    def send(*elements):
        body = pack(elements)
        link_out.write(struct.pack(">I", len(body)) + body)

    def receive():
        head = link_in.read(4)
        if len(head) < 4: sys.exit(0)         # the supervisor is gone
        return unpack(link_in.read(struct.unpack(">I", head)[0]))[0]

    hello = receive()[2]
    if not hello["min"] <= 1 <= hello["max"]: sys.exit(3)
    send(2, 0, hello["nonce"], {"version": 1, "pid": os.getpid(), "tasks": sorted(TASKS), "program": sys.argv[0]})
    while True:
        link_out.flush()
        job = receive()
        if job[0] == 7: sys.exit(0)           # stop
        if job[0] != 3: sys.exit(3)
        payload = job[7]
        if isinstance(payload, int):          # its size: it follows in chunks
            size, payload = payload, b""
            while len(payload) < size: payload += receive()[2]
        try:
            status, out = 0, pack(TASKS[job[2]](unpack(payload)[0]))
        except Exception as e:
            status, out = 1, pack({"msg": str(e), "type": type(e).__name__, "panic": True, "stack": traceback.format_exc()})
        sys.stdout.flush()
        send(10, job[1], status, out if len(out) <= 65536 else len(out))
        if len(out) > 65536:
            for i in range(0, len(out), 65536): send(4, job[1], out[i:i + 65536])
