"""What ``probe`` costs of small models, whose passes take a millisecond to a twentieth of a second.

    python benchmarks/small_models.py
    python benchmarks/small_models.py --trials   # with trials: which models have one, and what it costs

CPU time on one thread; a plain forward and backward pass and a probe in turn, medians. Needs PyTorch alone.
"""

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "torch"))

import published_models  # noqa: E402
import torch  # noqa: E402
import torch_models  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

torch.set_num_threads(1)


def cases() -> dict[str, Callable[[], tuple[nn.Module, tuple[Any, Any], Any]]]:
    """Return the models of the tests: name ↦ () ↦ model, batch with targets, loss."""
    written = {name: lambda pair=pair: _with_classes(*pair) for name, pair in torch_models.ARCHITECTURES.items()}
    published = {
        name: lambda parts=parts: (parts[0](), parts[1](), parts[2])
        for name, parts in published_models.PUBLISHED.items()
    }
    return written | published


def _with_classes(build: Callable[[], nn.Module], inputs: Callable[[], Tensor]) -> tuple[nn.Module, Any, Any]:
    """Return a model and a batch whose targets are drawn classes."""
    model, x = build(), inputs()
    with torch.no_grad():
        output = logits(model.eval()(x))
    axis = 1 if output.dim() == 4 else -1
    classes = torch.randint(output.shape[axis], output.movedim(axis, -1).shape[:-1])
    return model.train(), (x, classes), None


def logits(output: Any) -> Tensor:  # noqa: ANN401
    """Return the logits in what a model returns."""
    found: Tensor = output["logits"] if isinstance(output, dict) else output[0] if isinstance(output, tuple) else output
    return found


def plain(model: nn.Module, batch: tuple[Any, Any], loss: Any) -> None:  # noqa: ANN401
    """Pass a batch forward, and its gradient back."""
    output, targets = logits(model(batch[0])), batch[1]
    if callable(loss):
        value = loss(output, targets)
    elif targets.is_floating_point():
        value = nn.functional.mse_loss(output, targets)
    else:
        flat = output if output.dim() == 4 else output.flatten(0, -2)
        value = nn.functional.cross_entropy(flat, targets if output.dim() == 4 else targets.flatten())
    value.backward()
    model.zero_grad()


def seconds(task: Callable[[], object]) -> float:
    """Return the CPU time of a task."""
    start = time.process_time()
    task()
    return time.process_time() - start


def measured(build: Callable[[], Any], runs: int, *, trials: bool) -> tuple[float, float, int, str]:
    """Return CPU time of a plain pass and of a probe, in ms, the number of layers, and the trial's steps."""
    torch.manual_seed(0)
    model, batch, loss = build()
    report = probe(model, batch, loss, trial=trials)
    plain(model, batch, loss)
    gc.collect()
    pairs = [
        (seconds(lambda: plain(model, batch, loss)), seconds(lambda: probe(model, batch, loss, trial=trials)))
        for _ in range(runs)
    ]
    one, other = (1000 * median(side) for side in zip(*pairs, strict=True))
    trial = report.model.trial if report.model else None
    return one, other, len(report.layers), "" if trial is None else f"{trial.steps} steps, {report.verdict.status}"


def main() -> int:
    """Print the table, and how the ratios are distributed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--trials", action="store_true")
    asked = parser.parse_args()
    print("| model | layers | plain pass, ms | probe, ms | ratio | trial |\n|---|---|---|---|---|---|")
    ratios = []
    for name, build in cases().items():
        one, other, layers, trial = measured(build, asked.runs, trials=asked.trials)
        ratios.append(other / one)
        print(f"| {name} | {layers} | {one:.2f} | {other:.2f} | {other / one:.2f} | {trial} |", flush=True)
    print(f"\nmedian {median(ratios):.2f}, 90 % {quantiles(ratios, n=10)[-1]:.2f}, most {max(ratios):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
