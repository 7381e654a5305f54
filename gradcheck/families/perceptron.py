"""Multilayer perceptrons: drawn or given, the data they take, what may heal them."""

import math
from collections.abc import Iterator, Sequence
from itertools import chain, count, pairwise, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcheck.data.datasets import Dataset, load_dataset
from gradcheck.engine.linear import Dense
from gradcheck.engine.network import Network, build, drawn_maps, given_maps, weightless_maps
from gradcheck.errors import InputError
from gradcheck.families.family import Change, Family, Given, Weights, initialisations
from gradcheck.families.weight_files import Arrays, check_classes, dense_of, read
from gradcheck.mean_field.laws import weight_law
from gradcheck.mean_field.prediction import why_unknown
from gradcheck.spec import FREE_SCALE, NetworkSpec
from gradcheck.spec.data import DataSpec

if TYPE_CHECKING:
    from gradcheck.mean_field.maps import LayerMap

#: Activations worth a try, each with the initialisation that was derived for it.
PARTNERS = {"tanh": "lecun", "relu": "he", "gelu": "he", "selu": "lecun"}

#: Digits of a gain that is worth typing.
DIGITS = 4

READOUT = "W_out", "b_out"


def _shapes(spec: NetworkSpec, features: int, outputs: int) -> list[tuple[int, int]]:
    return list(pairwise((features, *spec.widths, outputs)))


def _parameters(spec: NetworkSpec, features: int, outputs: int) -> int:
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in _shapes(spec, features, outputs))


def _draw(
    spec: NetworkSpec, features: int, outputs: int, seed: int, dtype: str, without_matrices: bool = False
) -> Network:
    law, widths = weight_law(spec), (features, *spec.widths, outputs)
    linear = weightless_maps(law, widths, seed, dtype) if without_matrices else drawn_maps(law, widths, seed, dtype)
    return build(spec, widths, linear, without_matrices)


def _network(spec: NetworkSpec, maps: Sequence[Dense], features: int, dtype: str) -> Network:
    return build(spec, (features, *spec.widths, maps[-1].weight.shape[1]), given_maps(maps, dtype))


def _fit(spec: NetworkSpec, data: DataSpec, said: frozenset[str], weights: Given | None) -> tuple[NetworkSpec, Dataset]:
    dataset = load_dataset(data)
    if weights:
        check_fit(weights, dataset)
    return spec, dataset


# ---- given weights


def check_fit(weights: Given, dataset: Dataset) -> None:
    """Raise an InputError unless the first matrix takes the data's features and the last names its classes."""
    takes = weights.maps[0].weight.shape[0]
    if takes != dataset.features:
        problem = f"the first matrix takes {takes} inputs but the data has {dataset.features} features"
        raise InputError(weights.path, problem)
    check_classes(weights, dataset)


def _sizes(maps: Sequence[Dense]) -> dict[str, Any]:
    widths = tuple(one.weight.shape[1] for one in maps[:-1])
    return {"depth": len(widths), "width": widths}


def load_weights(path: Path, arch: str = "mlp") -> list[Dense]:
    """Return a perceptron's linear maps, first hidden layer to read-out.

    Matrices are (fan_in, fan_out), taken by the names W1, b1, …, W_out, b_out where W1 is there, else in the
    file's order, a vector being the bias of the matrix before it. Names that end in ``.weight`` are a PyTorch
    state dict, whose matrices are (fan_out, fan_in).

    Raises
    ------
    InputError
        The file can't be read, or its shapes don't chain.
    MissingExtraError
        A .safetensors file without the package that reads it.
    """
    arrays = read(path)
    recurrent = next((name for name in arrays if name == "W_h" or name.endswith("weight_hh_l0")), None)
    if recurrent:
        raise InputError(path, f"has {recurrent}, the weights of a recurrence; add --arch rnn, lstm or gru")
    maps = _by_name(path, arrays) if "W1" in arrays else _by_order(path, arrays)
    if len(maps) < 2:
        raise InputError(path, f"holds {len(maps)} matrices; allowed: at least one hidden layer and a read-out")
    _check_chain(path, maps)
    return list(maps.values())


def _by_name(path: Path, arrays: Arrays) -> dict[str, Dense]:
    """Take W1, b1, …, W_out, b_out."""
    hidden = takewhile(lambda pair: pair[0] in arrays, ((f"W{layer}", f"b{layer}") for layer in count(1)))
    pairs = [*hidden, *([READOUT] if READOUT[0] in arrays else [])]
    unknown = sorted(set(arrays) - set(chain(*pairs)))
    if unknown:
        problem = f"has W1 but also {', '.join(unknown)}"
        raise InputError(path, f"{problem}; allowed: W1, b1, W2, b2 ... without gaps, W_out, b_out")
    return {weight: dense_of(path, weight, arrays[weight], bias, arrays.get(bias)) for weight, bias in pairs}


def _by_order(path: Path, arrays: Arrays) -> dict[str, Dense]:
    """Take the matrices as they come, each with the vector that follows it, if one does."""
    maps: dict[str, Dense] = {}
    names = list(arrays)
    for before, name in zip([None, *names], names, strict=False):
        array = arrays[name]
        if array.ndim == 2:
            maps[name] = dense_of(path, name, array.T if name.endswith(".weight") else array)
        elif array.ndim == 1 and before in maps:
            maps[before] = dense_of(path, before, maps[before].weight, name, array)
        else:
            problem = f"{name} has the shape {array.shape}: not a matrix, nor the bias of one before it"
            raise InputError(path, f"{problem}; allowed: the dense layers of a perceptron")
    return maps


def _check_chain(path: Path, maps: dict[str, Dense]) -> None:
    """Each matrix must take what the one before it gives."""
    for (before, one), (name, other) in pairwise(maps.items()):
        (_, gives), (takes, _) = one.weight.shape, other.weight.shape
        if gives != takes:
            problem = f"{name} takes {takes} inputs but {before} gives {gives}"
            raise InputError(path, f"{problem}; matrices are fan_in by fan_out: transpose them, or save them in order")


# ---- what may heal


def _changes(spec: NetworkSpec, batch_size: int, shallower: bool) -> Iterator[Change]:
    """Theory first, then what papers advise."""
    yield from _critical(spec)
    for activation, init in PARTNERS.items():
        if activation != spec.activation:
            yield {"activation": activation, "init": init, "gain": 1.0, "weight_std": None}
    yield from initialisations(spec)
    for norm in ("layer", "rms", "batch"):
        if norm != spec.norm and (norm != "batch" or batch_size > 1):
            yield {"norm": norm}
    yield from _skips(spec)
    if shallower:
        yield from _depths(spec)


def _equal_layers(spec: NetworkSpec) -> "LayerMap | None":
    """Return the map between two of its layers; None where they differ or theory doesn't reach."""
    from gradcheck.mean_field.theory import layer_map  # only suggestions pay for theory's fixed points

    return None if spec.residual or spec.norm == "batch" or why_unknown(spec) else layer_map(spec)


def _critical(spec: NetworkSpec) -> Iterator[Change]:
    """The gain at which this activation neither loses nor gains gradient, with the weights' law as it is or orthogonal.

    Saxe et al. 2014; Pennington, Schoenholz & Ganguli 2017: at the same gain orthogonal weights lose least.
    """
    from gradcheck.mean_field.phase import critical_point, critical_weight

    layer = _equal_layers(spec)
    if layer is None:
        return
    if layer.normalised:
        weight = critical_weight(layer)
        sigma = None if weight is None else math.sqrt(weight)
    else:
        point = critical_point(layer.kernel, layer.bias)
        sigma = None if point is None else point.weight_std
    if sigma is None:
        return
    gain = float(f"{spec.gain * sigma / math.sqrt(layer.weight):.{DIGITS}g}")
    own = float(f"{sigma:.{DIGITS}g}")
    if gain != spec.gain and spec.init not in FREE_SCALE:
        yield {"gain": gain}
    for init in ("lecun", "orthogonal"):
        if (init, own) != (spec.init, spec.gain):
            yield {"init": init, "gain": own, "weight_std": None}


def depth_limit(spec: NetworkSpec) -> int | None:
    """Return 6 ξ_c, after which the relation of inputs is lost (Schoenholz et al. 2017); None if not known."""
    from gradcheck.mean_field.fixed_point import find_fixed_point

    layer = _equal_layers(spec)
    found = None if layer is None else find_fixed_point(layer, layer.weight + layer.bias)
    limit = None if found is None else found.deepest_trainable
    return None if limit is None or not 1 <= limit < math.inf else int(limit)


def _skips(spec: NetworkSpec) -> Iterator[Change]:
    """Skip connections, also with the scale that keeps the signal's size over the depth.

    Of a network that has them also the scale whose sum over the depth is 1, which keeps what tells examples apart, too
    (Hanin & Rolnick 2018).
    """
    if len(set(spec.widths)) > 1:
        return
    scales = (1.0, 1 / math.sqrt(spec.depth), *([1 / spec.depth] if spec.residual else []))
    for scale in (round(one, 3) for one in scales):
        if not spec.residual or scale != spec.residual_scale:
            yield {"residual": True, "residual_scale": scale}


def _depths(spec: NetworkSpec) -> Iterator[Change]:
    """The depth that theory allows, and a half, a quarter, an eighth of what there is."""
    if not isinstance(spec.width, int):
        return
    for depth in (depth_limit(spec), spec.depth // 2, spec.depth // 4, spec.depth // 8):
        if depth is not None and 0 < depth < spec.depth:
            yield {"depth": depth}


PERCEPTRON = Family(
    spec=NetworkSpec,
    shapes=_shapes,
    parameters=_parameters,
    draw=_draw,
    fit=_fit,
    changes=_changes,
    small={"depth": 4, "width": 6, "activation": "tanh", "norm": "layer", "residual": True, "residual_scale": 0.7},
    weights=Weights(load=load_weights, sizes=_sizes, draw=_draw, network=_network),
)
