"""Recurrent networks: drawn or given, the sequences they read, what may heal them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.data.datasets import Dataset, load_dataset
from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.cells import CELLS
from gradcheck.engine.linear import Dense
from gradcheck.engine.network import given_maps
from gradcheck.engine.recurrence import Recurrence, RecurrentNetwork
from gradcheck.engine.types import Array
from gradcheck.errors import InputError, OptionError
from gradcheck.families.family import Change, Family, Given, Weights, initialisations
from gradcheck.families.weight_files import Arrays, check_classes, dense_of, read
from gradcheck.mean_field.laws import counted_fans, law_of, weight_law
from gradcheck.spec import RecurrentSpec
from gradcheck.spec.data import FEATURES, DataSpec
from gradcheck.spec.frameworks import Drawn, cell_of, lacking
from gradcheck.spec.names import USUAL_FORGET_BIAS
from gradcheck.spec.recurrent import usual_forget_bias

#: Our names: the input's weights and biases, the hidden state's, the read-out's.
NAMES = (("W_x", "b"), ("W_h", "b_h"), ("W_out", "b_out"))

#: How PyTorch's names end, in the same order; its matrices are (fan_out, fan_in).
TORCH_ENDINGS = ("weight_ih_l0", "bias_ih_l0", "weight_hh_l0", "bias_hh_l0", ".weight", ".bias")

ALLOWED = "W_x, b, W_h, b_h, W_out, b_out, or a PyTorch state dict of one recurrent and one linear layer"


def _shapes(spec: RecurrentSpec, features: int, outputs: int) -> list[tuple[int, int]]:
    a_step = features // spec.steps + spec.width, len(CELLS[spec.arch].gates) * spec.width
    return [*[a_step] * spec.steps, (spec.width, outputs)]


def _parameters(spec: RecurrentSpec, features: int, outputs: int) -> int:
    pre_activations = len(CELLS[spec.arch].gates) * spec.width
    within = (features // spec.steps + spec.width + 2) * pre_activations  # as in PyTorch, a bias for each matrix
    return within + (spec.width + 1) * outputs


def _draw(
    spec: RecurrentSpec, features: int, outputs: int, seed: int, dtype: str, without_matrices: bool = False
) -> RecurrentNetwork:
    return _network(spec, _drawn_maps(spec, features // spec.steps, outputs, seed), features, dtype)


def _drawn_maps(spec: RecurrentSpec, features: int, outputs: int, seed: int) -> list[Dense]:
    """Draw the input's, the hidden state's and the read-out's linear map."""
    assert spec.init is not None
    cell, width, law = CELLS[spec.arch], spec.width, weight_law(spec)
    gates, (of_input, of_state, _) = len(cell.gates), cell_of(spec.init, spec.arch)
    weight, bias = _stacked(spec, of_input, features, features, seed, 1)
    if cell.keeper is not None and spec.forget_bias:  # of the gate that keeps the memory
        bias = np.zeros(gates * width) if bias is None else bias
        bias[cell.keeper * width : (cell.keeper + 1) * width] += spec.forget_bias
    recurrent = _stacked(spec, of_state, width, features, seed, 1 + gates, spec.recurrent_gain)
    last = 1 + 2 * gates
    readout = law.weight(seed, last, width, outputs), law.bias(seed, last, width, outputs)
    return [Dense(weight, bias), Dense(*recurrent), Dense(*readout)]


def _stacked(
    spec: RecurrentSpec, drawn: Drawn, fan_in: int, features: int, seed: int, first: int, gain: float = 1.0
) -> tuple[Array, Array | None]:
    """Draw the matrices of all gates side by side, (fan_in, gates·width), and their biases; None if all are zero."""
    width, gates = spec.width, CELLS[spec.arch].gates
    law = law_of(spec, drawn, counted_fans(drawn, fan_in, len(gates), width, features))
    law, keys = law._replace(scale=law.scale * gain), range(first, first + len(gates))
    biased = (law if drawn.biases in ("all", gate) else law._replace(biases=0.0) for gate in gates)
    biases = [one.bias(seed, key, width, width) for one, key in zip(biased, keys, strict=True)]
    bias = np.hstack([np.zeros(width) if one is None else one for one in biases])
    if drawn.fans == "whole":
        return law.weight(seed, first, fan_in, len(gates) * width), bias if bias.any() else None
    return np.hstack([law.weight(seed, key, fan_in, width) for key in keys]), bias if bias.any() else None


def _network(spec: RecurrentSpec, maps: Sequence[Dense], features: int, dtype: str) -> RecurrentNetwork:
    linear = given_maps(maps, dtype)
    recurrence = Recurrence(CELLS[spec.arch], linear(1), linear(2), ACTIVATIONS[spec.activation])
    return RecurrentNetwork(recurrence, linear(3), spec.steps)


# ---- the data


def _fit(
    spec: RecurrentSpec, data: DataSpec, said: frozenset[str], weights: Given | None
) -> tuple[RecurrentSpec, Dataset]:
    per_step = weights.maps[0].weight.shape[0] if weights else None
    spec, dataset = cut(spec, load_dataset(data), data.data, given="steps" in said, per_step=per_step)
    if weights:
        check_classes(weights, dataset)
    return spec, dataset


def cut(
    spec: RecurrentSpec, dataset: Dataset, name: str, *, given: bool, per_step: int | None = None
) -> tuple[RecurrentSpec, Dataset]:
    """Return a recurrence with the time steps that the data has, and the data.

    Parameters
    ----------
    spec : RecurrentSpec
    dataset : Dataset
    name : str
        What the data is called, for errors.
    given : bool
        The user gave the number of steps; otherwise a file of (examples, steps, features) says it, and any other
        data goes in one number at a time.
    per_step : int, optional
        Numbers that given weights take at a time.

    Raises
    ------
    OptionError
        The examples can't be cut into so many equal steps.
    """
    if dataset.inputs is None:  # drawn anew: each step gets as many numbers as a perceptron
        return spec, dataset._replace(drawn_features=spec.steps * (per_step or FEATURES))
    features = dataset.features
    if not given:
        usual = dataset.steps if dataset.steps > 1 else features
        spec = replace(spec, steps=max(1, features // per_step) if per_step else usual)
    if features % spec.steps or (per_step and spec.steps * per_step != features):
        raise OptionError("steps", _misfit(spec.steps, features, name, per_step))
    return spec, dataset


def _misfit(steps: int, features: int, name: str, per_step: int | None) -> str:
    """Say which numbers of steps there can be."""
    if per_step:
        fitting = f"allowed: {features // per_step}" if features % per_step == 0 else "those weights fit other data"
        pieces = f"{steps} of {per_step} numbers each, as the weights take them"
        return f"{pieces}, are not the {features} of {name}; {fitting}"
    divisors = [str(number) for number in range(1, features + 1) if features % number == 0]
    shown = ", ".join(divisors if len(divisors) <= 12 else [*divisors[:6], "...", *divisors[-5:]])
    return f"{steps} can't cut the {features} numbers of an example of {name} evenly; allowed: {shown}"


# ---- given weights


def _sizes(maps: Sequence[Dense]) -> dict[str, Any]:
    return {"width": int(maps[1].weight.shape[0])}


def load_recurrence(path: Path, arch: str) -> list[Dense]:
    """Return a recurrence's linear maps: the input's, the hidden state's, the read-out's.

    The arrays are W_x (features, gates·width), W_h (width, gates·width), W_out (width, outputs) and perhaps b, b_h,
    b_out; or a PyTorch state dict of one recurrent layer and a linear one, transposed. The gates are in
    PyTorch's order.

    Raises
    ------
    InputError
        The file can't be read, or doesn't hold one recurrent layer of this kind and a read-out.
    """
    arrays = read(path)
    if "W_x" not in arrays:
        arrays = _from_torch(path, arrays)
    unknown = sorted(set(arrays) - set(chain(*NAMES)))
    missing = [weight for weight, _ in NAMES if weight not in arrays]
    if unknown or missing:
        problem = f"has no {missing[0]}" if missing else f"has W_x but also {', '.join(unknown)}"
        raise InputError(path, f"{problem}; allowed: {ALLOWED}")
    maps = [dense_of(path, weight, arrays[weight], bias, arrays.get(bias)) for weight, bias in NAMES]
    _check(path, arch, maps)
    return maps


def _from_torch(path: Path, arrays: Arrays) -> Arrays:
    """Return the arrays of a state dict by our names, matrices transposed."""
    deeper = [name for name in arrays if "_l1" in name or "_reverse" in name]
    if deeper:
        raise InputError(path, f"has {deeper[0]}; allowed: one recurrent layer in one direction")
    ours: Arrays = {}
    unknown = [name for name in arrays if not name.endswith(TORCH_ENDINGS)]
    if unknown and len(unknown) < len(arrays):
        raise InputError(path, f"has {unknown[0]} too; allowed: {ALLOWED}")
    for name, ending in zip(chain(*NAMES), TORCH_ENDINGS, strict=True):
        found = [one for one in arrays if one.endswith(ending)]
        if len(found) > 1:
            raise InputError(path, f"has {' and '.join(found)}; allowed: one recurrent layer and one read-out")
        if found:
            ours[name] = arrays[found[0]].T
    return ours


def _check(path: Path, arch: str, maps: list[Dense]) -> None:
    """The gates must be this cell's, and each matrix must fit the others."""
    (_, pre_activations), (width, recurrent), (readout, _) = (one.weight.shape for one in maps)
    gates = len(CELLS[arch].gates)
    if recurrent != gates * width:
        kinds = [name for name, cell in CELLS.items() if len(cell.gates) * width == recurrent]
        hint = f"allowed: (width, {gates}*width)"
        if kinds:
            hint = f"as {'a' if kinds[0] == 'gru' else 'an'} {kinds[0]} has: use --arch {kinds[0]}"
        raise InputError(path, f"W_h has the shape {(width, recurrent)}, {recurrent / width:g} gates, {hint}")
    if (pre_activations, readout) != (recurrent, width):
        problem = f"W_x gives {pre_activations} and W_out takes {readout}, but W_h is {width} by {recurrent}"
        raise InputError(path, f"{problem}; matrices are fan_in by fan_out: transpose them")


# ---- what may heal


def _changes(spec: RecurrentSpec, batch_size: int, shallower: bool) -> Iterator[Change]:
    """A cell with a memory, its gate opened wider as well; and what keeps a plain recurrence near gain 1."""
    for arch in ("lstm", "gru"):
        for bias in (None, *_opened(spec)):
            if (arch, bias) != (spec.arch, None) and not lacking(spec.init or "", arch):
                yield {"arch": arch, "activation": "tanh", "forget_bias": bias}
    if spec.recurrent_gain != 1:
        yield {"recurrent_gain": 1.0}
    own_bias = {} if spec.forget_bias == USUAL_FORGET_BIAS.get(spec.arch) else {"forget_bias": None}
    by_framework = own_bias if spec.forget_bias == usual_forget_bias(spec.init, spec.arch) else {}
    yield from (change | (by_framework if "init" in change else {}) for change in initialisations(spec))
    if spec.arch == "rnn":
        for activation in ("tanh", "relu"):
            orthogonal = {"init": "orthogonal", "gain": 1.0, "recurrent_gain": 1.0, "weight_std": None}
            yield {"activation": activation, **orthogonal}


def _opened(spec: RecurrentSpec) -> tuple[float, ...]:
    """Return biases that open the gate of a memory, so that it lasts √T and T of T steps: e^b (Tallec & Ollivier 2018).

    Where other paths add to a gradient that the gate keeps throughout, so that it explodes, a part is enough. Of few
    steps the first is near the usual 1 (Jozefowicz, Zaremba & Sutskever 2015).
    """
    as_long = math.log(max(2, spec.steps))
    return round(as_long / 2, 2), round(as_long, 2)


RECURRENT = Family(
    spec=RecurrentSpec,
    shapes=_shapes,
    parameters=_parameters,
    draw=_draw,
    fit=_fit,
    changes=_changes,
    small={"steps": 4, "width": 5},
    weights=Weights(load=load_recurrence, sizes=_sizes, draw=_draw, network=_network),
)
