"""``gradcheck probe --framework keras``: a model, a batch and a loss by the names that a command line gives them."""

from typing import Any

import keras

from gradcheck.diagnosis.report import Report
from gradcheck.keras.probing.probe import probe
from gradcheck.probing.command import probe_named
from gradcheck.probing.loading import load_model


def probe_target(target: str, *, seed: int = 0, **options: Any) -> Report:
    """Probe what a command line names, as ``probing.command.probe_named`` has it; the seed draws the weights, too."""
    keras.utils.set_random_seed(seed % 2**32)
    return probe_named(target, _load_model, _suggested, probe, seed=seed, **options)


def _load_model(target: str, arguments: dict[str, Any]) -> Any:
    return load_model(target, arguments, "keras", "a keras.Model", lambda found: isinstance(found, keras.Layer))


def _suggested(model: Any) -> str:
    """Return how --input could be given: as a model's inputs say, or an example."""
    inputs = getattr(model, "inputs", None) or []
    shapes = ["x".join(str(size or 32) for size in (8, *one.shape[1:])) for one in inputs]
    kinds = ["" if "float" in one.dtype else f":{one.dtype}<1000" for one in inputs]
    said = [
        f"--input '{shape}{kind}'" if kind else f"--input {shape}" for shape, kind in zip(shapes, kinds, strict=True)
    ]
    return f"by the model's inputs it could be {' '.join(said) or '--input 32x784'}"
