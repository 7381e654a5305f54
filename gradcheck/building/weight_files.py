"""The weights of a network as files: reading the user's own, writing the drawn ones."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.base.files import write_whole
from gradcheck.building.networks import StoredNetwork
from gradcheck.data.datasets import Dataset, as_numbers, read_arrays
from gradcheck.engine.linear import Dense
from gradcheck.errors import InputError, MissingExtraError, OptionError
from gradcheck.spec import NetworkSpec, Spec

Arrays = dict[str, npt.NDArray[Any]]

READOUT_WEIGHT, READOUT_BIAS = "W_out", "b_out"


def load_weights(path: Path) -> list[Dense]:
    """Return a network's linear maps, first hidden layer to read-out.

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
    arrays = {name: as_numbers(path, array, name) for name, array in read(path).items()}
    recurrent = next((name for name in arrays if name == "W_h" or name.endswith("weight_hh_l0")), None)
    if recurrent:
        raise InputError(path, f"has {recurrent}, the weights of a recurrence; add --arch rnn, lstm or gru")
    maps = _by_name(path, arrays) if "W1" in arrays else _by_order(path, arrays)
    if len(maps) < 2:
        raise InputError(path, f"holds {len(maps)} matrices; allowed: at least one hidden layer and a read-out")
    _check_chain(path, maps)
    return list(maps.values())


def read(path: Path) -> Arrays:
    """Return the arrays of a .npz or .safetensors file by name."""
    if not path.is_file():
        raise InputError(path, "is a folder, not a file" if path.is_dir() else "no such file")
    if path.suffix.lower() == ".npz":
        return read_arrays(path)
    if path.suffix.lower() == ".safetensors":
        return _read_safetensors(path)
    raise OptionError("weights", f"{path} is of an unknown kind; allowed: .npz, .safetensors")


def _read_safetensors(path: Path) -> Arrays:
    """Return the tensors in the order of their names, numbers by value: the format keeps no other."""
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError as error:
        raise MissingExtraError(path, "safetensors", "safetensors") from error
    try:
        arrays: Arrays = load_file(path)
    except (SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
        raise InputError(path, f"can't be read as .safetensors ({error})") from error
    return {name: arrays[name] for name in sorted(arrays, key=_natural)}


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sort 2.weight before 10.weight, and a layer's weight before its bias."""
    parts = re.split(r"(\d+)", name.replace(".weight", ".0"))
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _by_name(path: Path, arrays: Arrays) -> dict[str, Dense]:
    """Take W1, b1, …, W_out, b_out."""
    pairs: list[tuple[str, str]] = []
    while f"W{len(pairs) + 1}" in arrays:
        pairs.append((f"W{len(pairs) + 1}", f"b{len(pairs) + 1}"))
    pairs.append((READOUT_WEIGHT, READOUT_BIAS))
    pairs = [pair for pair in pairs if pair[0] in arrays]
    unknown = sorted(set(arrays) - {name for pair in pairs for name in pair})
    if unknown:
        raise InputError(
            path, f"has W1 but also {', '.join(unknown)}; allowed: W1, b1, W2, b2 ... without gaps, W_out, b_out"
        )
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


def dense_of(
    path: Path, name: str, weight: npt.NDArray[Any], bias_name: str = "", bias: npt.NDArray[Any] | None = None
) -> Dense:
    """Return a linear map if the arrays can be one; the names are for errors."""
    if weight.ndim != 2 or not weight.size:
        raise InputError(path, f"{name} has the shape {weight.shape}; allowed: a matrix, fan_in by fan_out")
    if bias is not None and bias.shape != weight.shape[1:]:
        raise InputError(path, f"{bias_name} has the shape {bias.shape}; {name} needs ({weight.shape[1]},)")
    return Dense(weight, bias)


def _check_chain(path: Path, maps: dict[str, Dense]) -> None:
    """Each matrix must take what the one before it gives."""
    for (before, one), (name, other) in zip(list(maps.items()), list(maps.items())[1:], strict=False):
        (_, gives), (takes, _) = one.weight.shape, other.weight.shape
        if gives != takes:
            problem = f"{name} takes {takes} inputs but {before} gives {gives}"
            raise InputError(path, f"{problem}; matrices are fan_in by fan_out: transpose them, or save them in order")


def check_fit(path: Path, maps: Sequence[Dense], dataset: Dataset, spec: Spec) -> None:
    """Raise an InputError unless the first matrix takes the data's features and the last names its classes."""
    takes, gives = maps[0].weight.shape[0], maps[-1].weight.shape[1]
    if isinstance(spec, NetworkSpec) and takes != dataset.features:
        raise InputError(path, f"the first matrix takes {takes} inputs but the data has {dataset.features} features")
    if dataset.labels is not None and gives < dataset.outputs:
        raise InputError(path, f"the last matrix gives {gives} outputs but the data has {dataset.outputs} classes")


def save_weights(path: Path, network: StoredNetwork) -> None:
    """Write W1, b1, …, W_out, b_out (of a recurrence W_x, b, W_h, b_h, W_out, b_out) as a .npz.

    Each W is fan_in × fan_out; a bias that is zero is written too.

    Raises
    ------
    OutputError
        The file can't be written.
    """
    arrays: Arrays = {}
    for (weight_name, bias_name), (weight, bias) in network.maps:
        arrays[weight_name] = weight
        arrays[bias_name] = np.zeros(weight.shape[1], weight.dtype) if bias is None else bias
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_whole(path, buffer.getvalue())
