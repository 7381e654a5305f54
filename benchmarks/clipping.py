"""How libraries clip at the edges: measured with those that are installed, held against what gradcheck says of them.

``python benchmarks/clipping.py`` prints the table of docs/background/clipping.md for them, and exits with 1 where a
library does something else than ``gradcheck.spec.clip_libraries`` says. ``--store FILE`` adds what they make of the
cases below to a file, against which the tests hold gradcheck's own rules.
"""

import argparse
import contextlib
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.spec.clip_libraries import LIBRARIES as SAID
from gradcheck.spec.clip_libraries import Edges

Array = npt.NDArray[Any]

#: Gradients, their parameters, the limit, the type ↦ the clipped gradients.
Clip = Callable[[Sequence[Array], Sequence[Array], float, str], list[Array]]


# ---- one function for each library and rule: its own code clips, as a training step would call it


def _torch_like(clip: Callable[[list[Any], float], object]) -> Clip:
    """Return what fills ``.grad``, calls a function on the parameters, and reads ``.grad`` again."""

    def clipped(gradients: Sequence[Array], parameters: Sequence[Array], limit: float, dtype: str) -> list[Array]:
        import torch

        kind = getattr(torch, dtype)
        own = {id(one): torch.nn.Parameter(torch.tensor(one).to(kind)) for one in parameters}
        for gradient, parameter in zip(gradients, parameters, strict=True):
            own[id(parameter)].grad = torch.tensor(gradient).to(kind)
        clip([own[id(one)] for one in parameters], limit)
        return [own[id(one)].grad.double().numpy() for one in parameters]

    return clipped


def _torch(name: str) -> Clip:
    return _torch_like(lambda parameters, limit: _of("torch.nn.utils", name)(parameters, limit))


def _timm(mode: str) -> Clip:
    return _torch_like(lambda parameters, limit: _of("timm.utils", "dispatch_clip_grad")(parameters, limit, mode=mode))


def _lightning(algorithm: str) -> Clip:
    def clip(parameters: list[Any], limit: float) -> None:
        optimizer = _of("torch.optim", "SGD")(parameters, lr=1.0)
        by = _of("lightning.pytorch.utilities.enums", "GradClipAlgorithmType")
        _of("lightning.pytorch.plugins.precision", "Precision")().clip_gradients(optimizer, limit, by(algorithm))

    return _torch_like(clip)


def _accelerate(name: str) -> Clip:
    def clip(parameters: list[Any], limit: float) -> None:
        getattr(_of("accelerate", "Accelerator")(cpu=True), name)(parameters, limit)

    return _torch_like(clip)


def _optax(name: str) -> Clip:
    def clipped(gradients: Sequence[Array], parameters: Sequence[Array], limit: float, dtype: str) -> list[Array]:
        import jax.numpy as jnp

        tree, weights = ([jnp.asarray(one, dtype) for one in every] for every in (gradients, parameters))
        transformation = _of("optax", name)(limit)
        updates, _ = transformation.update(tree, transformation.init(weights), weights)
        return [np.asarray(one, "float64") for one in updates]

    return clipped


def _keras(argument: str) -> Clip:
    """Return one step of SGD from weights of zero at a learning rate of one."""

    def clipped(gradients: Sequence[Array], parameters: Sequence[Array], limit: float, dtype: str) -> list[Array]:
        import keras

        variables = {id(one): keras.Variable(np.zeros(np.shape(one)), dtype=dtype) for one in parameters}
        tensors = [keras.ops.convert_to_tensor(one, dtype=dtype) for one in gradients]
        keras.optimizers.SGD(1.0, **{argument: limit}).apply(tensors, [variables[id(one)] for one in parameters])
        return [-np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(variables[id(one)], "float32")), "float64")
                for one in parameters]  # fmt: skip

    return clipped


def _paddle(name: str) -> Clip:
    def clipped(gradients: Sequence[Array], parameters: Sequence[Array], limit: float, dtype: str) -> list[Array]:
        import paddle

        pairs = [(paddle.to_tensor(one, dtype=dtype), paddle.to_tensor(other, dtype=dtype))
                 for one, other in zip(parameters, gradients, strict=True)]  # fmt: skip
        found = _of("paddle.nn", name)(limit)(pairs)
        return [one.astype("float64").numpy() for _, one in found]

    return clipped


def _mlx(gradients: Sequence[Array], parameters: Sequence[Array], limit: float, dtype: str) -> list[Array]:
    import mlx.core as mx

    clipped, _ = _of("mlx.optimizers", "clip_grad_norm")(
        [mx.array(one.astype("float32")).astype(getattr(mx, dtype)) for one in gradients], limit
    )
    return [np.array(one.astype(mx.float32), "float64") for one in clipped]


def _of(module: str, name: str) -> Any:  # noqa: ANN401
    return getattr(importlib.import_module(module), name)


#: Library ↦ rule ↦ how it is called.
RULES: dict[str, dict[str, Clip]] = {
    "torch": {
        "value": _torch("clip_grad_value_"),
        "global-norm": _torch("clip_grad_norm_"),
    },
    "optax": {
        "value": _optax("clip"),
        "global-norm": _optax("clip_by_global_norm"),
        "agc": _optax("adaptive_grad_clip"),
    },
    "keras": {
        "value": _keras("clipvalue"),
        "norm": _keras("clipnorm"),
        "global-norm": _keras("global_clipnorm"),
    },
    "paddle": {
        "value": _paddle("ClipGradByValue"),
        "norm": _paddle("ClipGradByNorm"),
        "global-norm": _paddle("ClipGradByGlobalNorm"),
    },
    "mlx": {"global-norm": _mlx},
    "timm": {"value": _timm("value"), "global-norm": _timm("norm"), "agc": _timm("agc")},
    "lightning": {"value": _lightning("value"), "global-norm": _lightning("norm")},
    "accelerate": {
        "value": _accelerate("clip_grad_value_"),
        "global-norm": _accelerate("clip_grad_norm_"),
    },
}

#: Module of a library, where it has another name.
MODULES = {"mlx": "mlx.core"}

# ---- the words: each question's gradients, threshold and type; what comes out ↦ what that is called


def _asked(clip: Clip, tensors: Sequence[Sequence[float]], limit: float, dtype: str = "float32") -> str:
    """Return the clipped entries in two digits, or that the library refuses."""
    gradients = [np.array(one, float) for one in tensors]
    return _told(clip, gradients, [np.full(one.shape, 0.5) for one in gradients], limit, dtype)


def _told(
    clip: Clip, gradients: Sequence[Array], parameters: Sequence[Array], limit: float, dtype: str = "float32"
) -> str:
    try:
        clipped = clip(gradients, parameters, limit, dtype)
    except Exception:  # whatever a library raises
        return "refused"
    return " ".join(f"{float(entry) + 0:.2g}" for one in clipped for entry in np.ravel(one))


INFINITY = {
    "1 1 1": "c", "0 nan 0": "0, itself NaN", "0 nan 1": "its tensor 0, itself NaN",
    "0 nan 0.5": "its unit 0, itself NaN", "nan nan nan": "all NaN",
}  # fmt: skip
NAN = {
    "1 nan 1": "stays", "nan nan 1": "its tensor NaN", "nan nan 0.5": "its unit NaN", "nan nan nan": "all NaN",
}  # fmt: skip
AT_ZERO = {
    ("0 0 0", "0 0 0"): "0", ("0 0 0", "nan nan nan"): "0 (0s: NaN)", ("3 0 4", "0 0 0"): "off",
    ("refused", "refused"): "refused",
}  # fmt: skip
BELOW_ZERO = {
    "-0.6 0 -0.8": "reversed", "-0.71 0 -0.5": "reversed", "-1 -1 -1": "all c", "3 0 4": "off", "refused": "refused",
}  # fmt: skip
ZEROS, NANS = {"0 0 0 0"}, {"nan nan nan nan"}
TWICE = {
    "1 1": "once", "2 2": "applied twice", "0.06 0.08": "scaled twice", "0.42 0.57": "counts twice",
    "0.85 1.1": "counts twice", "0.6 0.8": "once", "1.2 1.6": "applied twice",
}  # fmt: skip


def _beyond(clip: Clip, dtype: str, entries: Sequence[tuple[float, str]]) -> str:
    """Return from which norm on finite gradients of a type become zero or NaN."""
    for entry, norm in entries:
        found = _asked(clip, [[entry, entry], [entry, entry]], 1.0, dtype)
        if found in ZEROS | NANS:
            return f"{'0' if found in ZEROS else 'NaN'} from {norm}"
        if found == "refused":
            return found
    return "right"


def measured(rule: str, clip: Clip, said: Edges) -> Edges:
    """Return what a library's rule does; what has no word yet in numbers."""
    shared = np.array([1.0, 1.0])
    twice = _told(clip, [np.array([3.0, 4.0])] * 2, [shared, shared], 1.0)
    at_zero = _asked(clip, [[3, 0], [4]], 0.0), _asked(clip, [[0, 0], [0]], 0.0)
    infinite, nan, below = (
        _asked(clip, tensors, limit)
        for tensors, limit in (([[3, np.inf], [4]], 1.0), ([[3, np.nan], [4]], 1.0), ([[3, 0], [4]], -1.0))
    )
    first = " ".join(twice.split()[:2])
    return said._replace(
        infinity=INFINITY.get(infinite, infinite),
        nan=NAN.get(nan, nan),
        at_zero=AT_ZERO.get(at_zero, str(at_zero)),
        below_zero=BELOW_ZERO.get(below, below),
        half=_beyond(clip, "float16", [(300.0, "256"), (6e4, "65504")]),
        single=_beyond(clip, "float32", [(1e20, "1.8e19")]),
        twice="once" if rule == "agc" and first == "0.85 1.1" else TWICE.get(first, first),
    )


# ---- the cases that the tests repeat without the libraries


def cases() -> dict[str, dict[str, Any]]:
    """Return gradients, parameters, threshold and type of each case, as JSON values."""
    rng = np.random.default_rng(0)
    shapes = [(2, 3), (3,), (2, 2, 2), (2, 1, 1, 2), (1,)]
    drawn = [rng.standard_normal(shape).astype("float16") for shape in shapes]
    weights = [(0.3 * rng.standard_normal(shape)).astype("float16") for shape in shapes]
    weights[0][:, 1] = 0
    few = {
        "infinite": [[3, np.inf], [4]], "not a number": [[3, np.nan], [4]], "zeros": [[0, 0], [0]],
        "a tensor of zeros": [[0, 0], [4]], "at it": [[3, 0], [4]], "tiny": [[3e-7, 0], [4e-7]],
        "squares beyond float32": [[3e20, 0], [4e20]],
    }  # fmt: skip
    limits = {"at it": 5.0, "tiny": 5e-7}
    made = {
        name: (tensors, [np.full(np.shape(one), 0.5) for one in tensors], limits.get(name, 1.0), "float32")
        for name, tensors in few.items()
    }
    for limit in (0.1, 2.5):
        made[f"drawn, to {limit:g}"] = drawn, weights, limit, "float32"
    made["in half precision"] = drawn, weights, 0.5, "float16"
    for name, entry in {"squares beyond float16": 300.0, "norm beyond float16": 6e4}.items():
        made[name] = [[entry, entry], [entry, entry]], [[0.5, 0.5], [0.5, 0.5]], 1.0, "float16"
    return {
        name: {"gradients": _lists(gradients), "parameters": _lists(parameters), "limit": limit, "dtype": dtype}
        for name, (gradients, parameters, limit, dtype) in made.items()
    }


def _lists(arrays: Sequence[Any]) -> list[Any]:
    return [np.asarray(one, float).tolist() for one in arrays]


def results(clip: Clip) -> dict[str, Any]:
    """Return what a library makes of each case; None where it refuses."""
    found: dict[str, Any] = {}
    for name, case in cases().items():
        gradients, parameters = ([np.array(one) for one in case[key]] for key in ("gradients", "parameters"))
        found[name] = None
        with contextlib.suppress(Exception):
            clipped = clip(gradients, parameters, case["limit"], case["dtype"])
            found[name] = [_short(one) for one in clipped]
    return found


def _short(array: Array) -> Any:  # noqa: ANN401
    return np.vectorize(lambda entry: float(f"{entry + 0.0:.8g}"))(array).tolist()


# ---- what is printed


def as_markdown(rows: dict[tuple[str, str], Edges]) -> str:
    """Return the table of docs/background/clipping.md."""
    names = ("library", "`--clip`", "there", "times", "an infinity", "a NaN", "c = 0", "c < 0", "float16", "float32",
             "listed twice")  # fmt: skip
    lines = [names, ("---",) * len(names)]
    for (library, rule), edges in rows.items():
        call, factor, *others = edges
        lines.append((library, rule, f"`{call}`", f"`{factor}`", *others))
    return "\n".join(f"| {' | '.join(line).replace('|w|', '‖w‖')} |" for line in lines)


def installed() -> list[str]:
    """Return the libraries that can be imported."""
    found = []
    for name in RULES:
        with contextlib.suppress(Exception):  # one that is installed may still fail to load
            importlib.import_module(MODULES.get(name, name))
            found.append(name)
    return found


def main() -> int:
    """Measure, print, store; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, help="JSON file to which the results of all cases are added")
    arguments = parser.parse_args()
    rows, other = {}, []
    stored = json.loads(arguments.store.read_text()) if arguments.store and arguments.store.exists() else {}
    for library in installed():
        package = SAID[library].package
        print(f"{package} {version(package)}", file=sys.stderr)
        for rule, clip in RULES[library].items():
            said = SAID[library].rules[rule]
            rows[library, rule] = found = measured(rule, clip, said)
            other += [
                f"{library} {rule}, {name}: {now!r}, not {then!r}"
                for name, now, then in zip(Edges._fields, found, said, strict=True)
                if now != then
            ]
            stored.setdefault("results", {}).setdefault(library, {})[rule] = results(clip)
    print(as_markdown(rows))
    if arguments.store:
        stored["cases"] = cases()
        arguments.store.write_text(json.dumps(stored, sort_keys=True) + "\n")
    print(*other, sep="\n", file=sys.stderr)
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main())
