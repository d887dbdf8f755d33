"""The tasks: load is for the start of a worker, resize makes one thumbnail."""
import os, struct, zlib
from link import serve, task

curve = None                                  # what load has made, for all jobs of this worker

@task
def load(options):
    global curve
    curve = bytes(round(255 * (i / 255) ** (1 / options["gamma"])) for i in range(256))

@task
def resize(photo):
    width, height, pixels = read_ppm(photo["path"])
    w = photo["width"]
    h = max(1, height * w // width)
    small = bytearray()
    for y in range(h):                        # the mean of the pixels that become one
        rows = range(y * height // h, max((y + 1) * height // h, y * height // h + 1))
        for x in range(w):
            columns = range(x * width // w, max((x + 1) * width // w, x * width // w + 1))
            for colour in range(3):
                values = [pixels[3 * (r * width + c) + colour] for r in rows for c in columns]
                small.append(curve[sum(values) // len(values)])
    image = png(w, h, small) if photo["to"].endswith(".png") else b"P6 %d %d 255\n" % (w, h) + small
    os.makedirs(os.path.dirname(photo["to"]), exist_ok=True)
    aside = photo["to"] + ".new"              # a job may be tried again: never leave half a file
    with open(aside, "wb") as f:
        f.write(image)
    os.replace(aside, photo["to"])
    return {"file": photo["to"], "height": h}

def read_ppm(path):
    with open(path) as f:
        kind, width, height, depth, *values = f.read().split()
    if kind != "P3" or depth != "255":
        raise ValueError(f"{path} is {kind} {depth}, want a PPM of kind P3 with 255 levels")
    pixels = bytes(map(int, values))
    if len(pixels) != 3 * int(width) * int(height):
        raise ValueError(f"{path} has {len(pixels)} values, its head says {width} × {height} pixels")
    return int(width), int(height), pixels

def png(width, height, pixels):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + pixels[3 * width * y:3 * width * (y + 1)] for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")

serve()
