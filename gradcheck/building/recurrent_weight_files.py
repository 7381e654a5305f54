"""The weights of a recurrence as files: the user's own, by our names or by PyTorch's."""

from pathlib import Path

from gradcheck.building.weight_files import Arrays, dense_of, read
from gradcheck.data.datasets import as_numbers
from gradcheck.engine.cells import CELLS
from gradcheck.engine.linear import Dense
from gradcheck.errors import InputError

#: Our names: the input's weights and biases, the hidden state's, the read-out's.
NAMES = (("W_x", "b"), ("W_h", "b_h"), ("W_out", "b_out"))

#: How PyTorch's names end, in the same order; its matrices are (fan_out, fan_in).
TORCH_NAMES = (("weight_ih_l0", "bias_ih_l0"), ("weight_hh_l0", "bias_hh_l0"), (".weight", ".bias"))

ALLOWED = "W_x, b, W_h, b_h, W_out, b_out, or a PyTorch state dict of one recurrent and one linear layer"


def load_recurrence(path: Path, arch: str) -> list[Dense]:
    """Return a recurrence's linear maps: the input's, the hidden state's, the read-out's.

    The arrays are W_x (features, gates·width), W_h (width, gates·width), W_out (width, outputs) and perhaps b, b_h,
    b_out; or a PyTorch state dict of one recurrent layer and a linear one, transposed. The gates stand in
    PyTorch's order.

    Raises
    ------
    InputError
        The file can't be read, or doesn't hold one recurrent layer of this kind and a read-out.
    """
    arrays = {name: as_numbers(path, array, name) for name, array in read(path).items()}
    if "W_x" not in arrays:
        arrays = _from_torch(path, arrays)
    unknown = sorted(set(arrays) - {name for pair in NAMES for name in pair})
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
    endings = tuple(ending for pair in TORCH_NAMES for ending in pair)
    unknown = [name for name in arrays if not name.endswith(endings)]
    if unknown and len(unknown) < len(arrays):
        raise InputError(path, f"has {unknown[0]} too; allowed: {ALLOWED}")
    for names, theirs in zip(NAMES, TORCH_NAMES, strict=True):
        for name, ending in zip(names, theirs, strict=True):
            found = [one for one in arrays if one.endswith(ending)]
            if len(found) > 1:
                raise InputError(path, f"has {' and '.join(found)}; allowed: one recurrent layer and one read-out")
            if found:
                ours[name] = arrays[found[0]].T
    return ours


def _one(arch: str) -> str:
    return f"a {arch}" if arch == "gru" else f"an {arch}"


def _check(path: Path, arch: str, maps: list[Dense]) -> None:
    """The gates must be this cell's, and each matrix must fit the others."""
    (_, pre_activations), (width, recurrent), (readout, _) = (one.weight.shape for one in maps)
    gates = len(CELLS[arch].gates)
    if recurrent != gates * width:
        kinds = [name for name, cell in CELLS.items() if len(cell.gates) * width == recurrent]
        hint = f"as {_one(kinds[0])} has: use --arch {kinds[0]}" if kinds else f"allowed: (width, {gates}*width)"
        raise InputError(path, f"W_h has the shape {(width, recurrent)}, {recurrent / width:g} gates, {hint}")
    if (pre_activations, readout) != (recurrent, width):
        problem = f"W_x gives {pre_activations} and W_out takes {readout}, but W_h is {width} by {recurrent}"
        raise InputError(path, f"{problem}; matrices are fan_in by fan_out: transpose them")
