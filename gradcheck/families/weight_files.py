"""The weights of a network as files: reading the user's own, writing the drawn ones."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.base.files import existing_file, write_whole
from gradcheck.data.datasets import Dataset, as_numbers, read_arrays
from gradcheck.engine.linear import Dense
from gradcheck.engine.types import Array
from gradcheck.errors import InputError, MissingExtraError, OptionError
from gradcheck.families.family import Given, StoredNetwork

Arrays = dict[str, npt.NDArray[np.float64]]


def read(path: Path) -> Arrays:
    """Return the arrays of a .npz or .safetensors file by name."""
    readers = {".npz": read_arrays, ".safetensors": _read_safetensors}
    reader = readers.get(existing_file(path).suffix.lower())
    if reader is None:
        raise OptionError("weights", f"{path} is of an unknown kind; allowed: {', '.join(readers)}")
    return {name: as_numbers(path, array, name) for name, array in reader(path).items()}


def _read_safetensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors in the order of their names, numbers by value: the format keeps no other."""
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError as error:
        raise MissingExtraError(path, "safetensors", "safetensors") from error
    try:
        arrays = load_file(path)
    except (SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
        raise InputError(path, f"can't be read as .safetensors ({error})") from error
    return {name: arrays[name] for name in sorted(arrays, key=_natural)}


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sort 2.weight before 10.weight, and a layer's weight before its bias."""
    parts = re.split(r"(\d+)", name.replace(".weight", ".0"))
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def dense_of(path: Path, name: str, weight: Array, bias_name: str = "", bias: Array | None = None) -> Dense:
    """Return a linear map if the arrays can be one; the names are for errors."""
    if weight.ndim != 2 or not weight.size:
        raise InputError(path, f"{name} has the shape {weight.shape}; allowed: a matrix, fan_in by fan_out")
    if bias is not None and bias.shape != weight.shape[1:]:
        raise InputError(path, f"{bias_name} has the shape {bias.shape}; {name} needs ({weight.shape[1]},)")
    return Dense(weight, bias)


def check_classes(given: Given, dataset: Dataset) -> None:
    """Raise an InputError unless the last matrix names the data's classes."""
    gives = given.maps[-1].weight.shape[1]
    if dataset.labels is not None and gives < dataset.outputs:
        problem = f"the last matrix gives {gives} outputs but the data has {dataset.outputs} classes"
        raise InputError(given.path, problem)


def save_weights(path: Path, network: StoredNetwork) -> None:
    """Write W1, b1, …, W_out, b_out (of a recurrence W_x, b, W_h, b_h, W_out, b_out) as a .npz.

    Each W is fan_in × fan_out; a bias that is zero is written too.

    Raises
    ------
    OutputError
        The file can't be written.
    """
    arrays: dict[str, Array] = {}
    for (weight_name, bias_name), (weight, bias) in network.maps:
        arrays[weight_name] = weight
        arrays[bias_name] = np.zeros(weight.shape[1], weight.dtype) if bias is None else bias
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_whole(path, buffer.getvalue())
