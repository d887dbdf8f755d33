"""Looks for the minimum of a long valley by gradient descent, and prints the loss that it ends with."""
import math, sys

rate, momentum, steps = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
x, y, vx, vy = 4.0, 1.0, 0.0, 0.0
for _ in range(steps):
    vx, vy = momentum * vx - rate * 0.2 * x, momentum * vy - rate * 10 * y
    x, y = x + vx, y + vy
    if math.hypot(x, y) > 1e6:
        sys.exit(f"diverges at rate {rate}, momentum {momentum}")
print(f"{0.1 * x * x + 5 * y * y:.3e} rate={rate} momentum={momentum}")
