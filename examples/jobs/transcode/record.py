"""Writes half a second of a tone to stdout: record.py NAME HERTZ."""
import io, math, struct, sys, wave

hertz, rate = float(sys.argv[2]), 16000
file = io.BytesIO()                       # a WAV has its length in front, and stdout may be a pipe
with wave.open(file, "wb") as w:
    w.setnchannels(1)
    w.setsampwidth(2)
    w.setframerate(rate)
    w.writeframes(b"".join(struct.pack("<h", round(20000 * math.sin(2 * math.pi * hertz * i / rate)))
                           for i in range(rate // 2)))
sys.stdout.buffer.write(file.getvalue())
