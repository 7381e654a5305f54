"""Writes the logs of this folder: runs whose illness is known, invented with a fixed seed.

python examples/make_logs.py
"""

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent


def exploding(draw: random.Random) -> Iterator[str]:
    """Yield JSON Lines of a run whose gradient grows from step 300 on until it is not a number."""
    norm = 0.8
    for step in range(0, 400, 2):
        norm *= 1.45 if step > 300 else 1.0
        finite = norm < 1e6
        loss = 0.4 + 2 * math.exp(-step / 80) + 0.02 * draw.random() + min(norm / 1e3, 5)
        row = {"step": step, "loss": loss, "lr": 3e-4, "grad_norm": norm * draw.lognormvariate(0, 0.15)}
        yield json.dumps({**row, **({} if finite else {"loss": math.nan, "grad_norm": math.nan})})


def spikes(draw: random.Random) -> Iterator[str]:
    """Yield what a script prints: a healthy run with two spikes of the gradient norm."""
    yield "Loading data ... 50,000 examples"
    for step in range(1, 401):
        norm = 0.5 * draw.lognormvariate(0, 0.2) * (60 if step in (180, 291) else 1)
        loss = 0.3 + 2 * math.exp(-step / 90) + 0.03 * draw.random()
        clock = f"2026-01-01 12:{step // 60:02}:{step % 60:02}"
        yield f"{clock} INFO step {step}/400 | loss: {loss:.4f} | grad_norm: {norm:.3f}"
        if step % 100 == 0:
            yield f"validation: val_loss {loss + 0.1:.4f}"


def main() -> None:
    """Write both."""
    for name, lines in (("exploding.jsonl", exploding), ("spikes.log", spikes)):
        (HERE / name).write_text("".join(line + "\n" for line in lines(random.Random(7))), encoding="utf-8")


if __name__ == "__main__":
    main()
