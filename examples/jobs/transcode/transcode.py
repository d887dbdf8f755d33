"""Writes a WAV to stdout with fewer samples a second, of 8 bits each: transcode.py FILE RATE."""
import io, struct, sys, wave

path, rate = sys.argv[1], int(sys.argv[2])
with wave.open(path) as w:
    step = w.getframerate() // rate
    samples = [s for (s,) in struct.iter_unpack("<h", w.readframes(w.getnframes()))]
file = io.BytesIO()
with wave.open(file, "wb") as w:
    w.setnchannels(1)
    w.setsampwidth(1)
    w.setframerate(rate)
    w.writeframes(bytes((sum(samples[i:i + step]) // step >> 8) + 128
                        for i in range(0, len(samples) - step + 1, step)))
sys.stdout.buffer.write(file.getvalue())
