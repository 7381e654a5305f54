"""Published models of Flax and Equinox as they start: which of them does ``gradcheck.jax.probe`` accuse?

python benchmarks/jax_models.py [NAME ...]
"""

import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from runpy import run_path

import gradcheck.jax

TESTS = Path(__file__).parents[1] / "tests/jax"
MODELS = {
    f"{framework}.{name}": make
    for framework in ("flax", "equinox")
    for name, make in run_path(str(TESTS / f"published_{framework}.py"))["HEALTHY"].items()
}


def main(names: Sequence[str]) -> None:
    """Probe these models, or all, and print a line for each."""
    print(*(f"{one} {version(one)}" for one in ("jax", "flax", "equinox")))
    print(f"{'model':22} {'layers':>6} {'verdict':12} {'decades':>8} {'rank':>6} {'trial':>6} {'seconds':>8}")
    accused = 0
    for name in names or MODELS:
        model, batch, loss = MODELS[name]()
        started = time.perf_counter()
        report = gradcheck.jax.probe(model, batch, loss)
        seconds, trial = time.perf_counter() - started, report.model.trial if report.model else None
        figures = (report.summary.gradient_span, report.summary.effective_rank_least)
        span, rank = (f"{one:.2f}" if one is not None else "-" for one in figures)
        held = "-" if trial is None else "learns" if trial.learns else "fails"
        line = f"{name:22} {len(report.layers):6} {report.verdict.status:12} {span:>8} {rank:>6} {held:>6}"
        print(f"{line} {seconds:8.1f}", flush=True)
        accused += report.verdict.status != "healthy"
    print(f"{accused} of {len(names or MODELS)} accused")


if __name__ == "__main__":
    main(sys.argv[1:])
