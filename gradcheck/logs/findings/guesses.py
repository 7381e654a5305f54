"""What guessing costs: the numbers of classes whose logarithm a loss may be.

Only usual ones: every loss above 3 is near the logarithm of some whole number.
"""

import math

#: Numbers of classes: small ones, and those of well-known sets of images and vocabularies.
GUESSES = (
    *range(2, 21), 25, 26, 27, 30, 37, 40, 47, 50, 62, 64, 65, 100, 101, 102, 120, 128, 196, 200, 256, 257, 365, 397,
    400, 512, 600, 700, 1000, 1024, 4096, 5000, 8000, 8192, 10000, 16000, 16384, 20000, 21841, 21843, 24000, 28996,
    30000, 30522, 32000, 32768, 40000, 49152, 50000, 50257, 50265, 50304, 50432, 51200, 60000, 64000, 65536, 100000,
    100277, 119547, 128000, 128256, 151936, 152064, 200019, 250002, 256000, 262144,
)  # fmt: skip


def guessed_classes(level: float, tolerance: float) -> int:
    """Return how many classes a loss is the guess among; 0 if it is at no such level."""
    nearest = min(GUESSES, key=lambda classes: abs(level - math.log(classes)))
    return nearest if abs(level - math.log(nearest)) <= tolerance else 0


def guess_numbers(level: float, tolerance: float) -> dict[str, float]:
    """Return the number of classes of a guess, and where several large ones fit, the least and the most."""
    fitting = [classes for classes in GUESSES if abs(level - math.log(classes)) <= tolerance]
    nearest = float(guessed_classes(level, tolerance))
    ends = {"fewest_classes": float(min(fitting)), "most_classes": float(max(fitting))} if len(fitting) > 1 else {}
    return {"classes": nearest} | ends
