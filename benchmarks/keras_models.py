"""Published Keras models as they start: which of them does ``gradcheck.keras.probe`` accuse?

KERAS_BACKEND=torch python benchmarks/keras_models.py [NAME ...]
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from runpy import run_path

import keras
import numpy as np

import gradcheck.keras

MODELS = run_path(str(Path(__file__).parents[1] / "tests/keras/published_models.py"))["MODELS"]


def main(names: Sequence[str]) -> None:
    """Probe these models, or all, and print a line for each."""
    print(f"Keras {keras.__version__} on {keras.config.backend()}")
    print(f"{'model':20} {'layers':>6} {'verdict':12} {'decades':>8} {'rank':>6} {'trial':>6} {'seconds':>8}")
    accused, not_probed = 0, []
    for name in names or MODELS:
        build, batch, loss = MODELS[name]
        keras.utils.set_random_seed(0)
        try:
            model, examples = build(), batch(np.random.default_rng(0))
        except ValueError as error:  # NASNet, which Keras doesn't build with PyTorch
            print(f"{name:20} {str(error).partition('.')[0]}")
            not_probed.append(name)
            continue
        started = time.perf_counter()
        try:
            report = gradcheck.keras.probe(model, examples, loss)
        except gradcheck.GradcheckError as error:  # the U-Net: PyTorch has no gradient of its loss, in fit neither
            print(f"{name:20} {error}")
            not_probed.append(name)
            continue
        seconds, trial = time.perf_counter() - started, report.model.trial if report.model else None
        figures = (report.summary.gradient_span, report.summary.effective_rank_least)
        span, rank = (f"{one:.2f}" if one is not None else "-" for one in figures)
        held = "-" if trial is None else "learns" if trial.learns else "fails"
        line = f"{name:20} {len(report.layers):6} {report.verdict.status:12} {span:>8} {rank:>6} {held:>6}"
        print(f"{line} {seconds:8.1f}", flush=True)
        accused += report.verdict.status != "healthy"
        keras.backend.clear_session()
    left_out = f"; not probed: {', '.join(not_probed)}" if not_probed else ""
    print(f"{accused} of {len(names or MODELS) - len(not_probed)} accused{left_out}")


if __name__ == "__main__":
    main(sys.argv[1:])
