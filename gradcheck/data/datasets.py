"""Inputs and labels: the shipped digits, Gaussian noise, or the user's file."""

import math
import warnings
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.base.files import existing_file
from gradcheck.engine.initializers import random_stream
from gradcheck.engine.types import Array
from gradcheck.errors import InputError, OptionError
from gradcheck.spec import known_data
from gradcheck.spec.data import FEATURES, OUTPUTS, DataSpec

DATA_STREAM = 2  # those of weights and biases are 0 and 1
DIGITS = Path(__file__).parents[1] / "datasets" / "digits.npz"
MOST_CLASSES = 1_000_000

#: An archive may inflate to so many bytes, and to so many times its own size: numbers that say something don't.
LARGE, INFLATED = 2**28, 200

#: A column that varies by no more than this share of the one that varies most is constant, but for rounding.
ROUNDING = 1e-12

Labels = npt.NDArray[np.int64]


class Batch(NamedTuple):
    """What goes through the network: inputs (batch, features), and labels (batch,) if there are any.

    Of token ids (batch, tokens), each token has a label: (batch·tokens,).
    """

    inputs: npt.NDArray[Any]
    labels: Labels | None


class Dataset(NamedTuple):
    """Examples, and what is known of them."""

    # (examples, features), standardised by one global mean and one global standard deviation; None where each batch is
    # drawn anew from N(0, 1)
    inputs: Array | None
    labels: Labels | None = None  # (examples,), whole numbers from 0
    steps: int = 1  # pieces of an example: the rows of a file's (examples, steps, features); 1 if it has no such axis
    drawn_features: int = FEATURES  # numbers of an example that is drawn anew

    @property
    def features(self) -> int:
        """Numbers of one example."""
        return self.drawn_features if self.inputs is None else self.inputs.shape[1]

    @property
    def outputs(self) -> int:
        """Units that a drawn read-out gets: one per class."""
        return OUTPUTS if self.labels is None else max(2, int(self.labels.max()) + 1)

    def largest_column(self) -> tuple[int, float]:
        """Return which column, from 1, varies most, and how many times as much as a typical one of those that vary."""
        if self.inputs is None:
            return 1, 1.0
        spread = self.inputs.std(axis=0)
        largest = int(spread.argmax())
        varying = np.sort(spread[spread > ROUNDING * spread[largest]])
        median = varying[(varying.size - 1) // 2 : varying.size // 2 + 1].mean()  # numpy.median loads masked arrays
        return largest + 1, float(spread[largest] / median)

    def batch(self, data: DataSpec, seed: int, dtype: str) -> Batch:
        """Return the batch that `seed` picks (or draws) as `dtype`."""
        generator = random_stream(seed, DATA_STREAM)
        if self.inputs is None:
            return Batch(generator.standard_normal((data.batch_size, self.features)).astype(dtype), None)
        count = len(self.inputs)
        order = generator.permutation(count) if data.shuffle else np.arange(count)
        chosen = order[: data.batch_size]
        labels = None if self.labels is None else self.labels[chosen]
        return Batch(self.inputs[chosen].astype(dtype), labels)


def load_dataset(data: DataSpec) -> Dataset:
    """Return the whole data set, standardised.

    Raises
    ------
    InputError
        The file can't be read, or doesn't hold numbers for each example.
    OptionError
        There is no such data set, or it is smaller than the batch.
    """
    if data.data == "gaussian":
        return Dataset(None)
    if data.data == "text":
        raise OptionError("data", "text is a sequence of tokens: it goes with --arch transformer")
    if data.data == "digits":
        inputs, labels, steps = _digits()
    else:
        inputs, labels, steps = _standardised(existing_file(Path(known_data(data.data))), data.labels)
    if data.batch_size > len(inputs):
        raise OptionError("batch_size", f"{data.batch_size} is more than the {len(inputs)} examples of {data.data}")
    return Dataset(inputs, labels, steps)


@cache
def _digits() -> tuple[Array, Labels | None, int]:
    """Return the shipped digits, read once: every row of a sweep asks for them, and none can write to them."""
    inputs, labels, steps = _standardised(DIGITS, labelled=True)
    for array in (inputs, labels):
        if array is not None:
            array.flags.writeable = False
    return inputs, labels, steps


def _standardised(path: Path, labelled: bool) -> tuple[Array, Labels | None, int]:
    """Return a file's examples, flattened to (examples, features) and standardised, their labels and their steps."""
    raw_inputs, raw_labels = _read(path, labelled)
    inputs = as_numbers(path, raw_inputs, "x")
    if inputs.ndim < 2:
        raise InputError(path, f"holds an array of shape {inputs.shape}; allowed: examples by features")
    if not inputs.size:
        raise InputError(path, f"is empty (shape {inputs.shape}); allowed: at least one example of one feature")
    if not np.isfinite(inputs).all():
        example = int(np.argwhere(~np.isfinite(inputs))[0][0])
        raise InputError(path, f"holds NaN or infinity (first in example {example}); clean or drop such examples")
    steps = inputs.shape[1] if inputs.ndim > 2 else 1
    inputs = inputs.reshape(len(inputs), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = float(inputs.mean()), float(inputs.std())
        constant = bool(np.ptp(inputs) <= 8 * np.finfo(np.float64).eps * np.abs(inputs).max())
    if constant:
        raise InputError(path, "can't be standardised: all values are equal")
    if not (math.isfinite(spread) and spread >= np.finfo(np.float64).tiny):
        raise InputError(path, f"can't be standardised: its values {'underflow' if spread < 1 else 'overflow'}")
    labels = None if raw_labels is None else _labels(path, raw_labels, len(inputs))
    return (inputs - mean) / spread, labels, steps


def _read(path: Path, labelled: bool) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Return the raw inputs and labels of a .npy, .npz or .csv file."""
    suffix = path.suffix.lower()
    if suffix == ".csv":
        table = _read_csv(path)
        return (table[:, :-1], table[:, -1]) if labelled else (table, None)
    arrays = read_arrays(path)
    if suffix == ".npy":
        return arrays[""], None
    if "x" not in arrays:
        raise InputError(
            path, f"has no array x (it has: {', '.join(arrays) or 'nothing'}); save it as x=..., labels as y=..."
        )
    return arrays["x"], arrays.get("y")


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a .npz by name, or the one of a .npy under the empty name; pickles are refused.

    Raises
    ------
    InputError
        The file can't be read, is damaged, or holds Python objects.
    """
    try:
        with path.open("rb") as file, warnings.catch_warnings(action="ignore"):  # of NumPy, about a header
            kind = {b"PK": ".npz", b"\x93N": ".npy"}.get(file.read(2))
            if kind is not None and kind != path.suffix.lower():
                raise InputError(path, f"is an {kind} file by its content, not {path.suffix}; give it that ending")
            file.seek(0)
            if kind == ".npy":
                # mapped: a header that promises more than the file holds is refused before memory is asked for
                arrays = {"": np.load(path, mmap_mode="r", allow_pickle=False)}
            else:
                with np.load(file, allow_pickle=False) as archive:
                    _refuse_bomb(path, archive)
                    arrays = {name: archive[name] for name in archive.files}
    except InputError:
        raise
    except Exception as error:  # a damaged file can make NumPy raise nearly anything
        if "pickle" in str(error) or "Python objects" in str(error):
            problem = "holds pickled Python objects, which could run code, or is not a NumPy file; save plain arrays"
            raise InputError(path, problem) from error
        raise InputError(path, f"can't be read as {path.suffix} ({_first_line(error)})") from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise InputError(path, f"{name} is not an array; save arrays of numbers only")
    return arrays


def _refuse_bomb(path: Path, archive: Any) -> None:  # noqa: ANN401
    """Raise an InputError of an archive that would inflate to far more than it holds."""
    zipped = getattr(archive, "zip", None)
    size = sum(entry.file_size for entry in zipped.infolist()) if zipped else 0
    if size > LARGE and size > INFLATED * path.stat().st_size:
        problem = f"would inflate to {size / 2**30:.1f} GiB, more than {INFLATED} times its size: numbers don't"
        raise InputError(path, f"{problem}; save it with numpy.savez, uncompressed")


def _read_csv(path: Path) -> npt.NDArray[np.float64]:
    """Return a comma-separated table; a first line in which nothing is a number is its header."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            lines = [line for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, f"can't be read as .csv ({_first_line(error)})") from error
    if not lines:
        raise InputError(path, "is empty; allowed: one line per example, numbers separated by commas")
    header = not any(_is_number(cell) for cell in lines[0].split(","))
    lines = lines[header:]
    if not lines:
        raise InputError(path, "has a header but no examples")
    try:
        return np.loadtxt(lines, delimiter=",", ndmin=2, comments=None)
    except ValueError as error:
        problem = f"is ragged or not numeric below its {'header' if header else 'start'} ({_first_line(error)})"
        raise InputError(path, problem) from error


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _first_line(error: BaseException) -> str:
    """Return the first clause of a message, for a one-line error."""
    text = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return text.splitlines()[0].split("; use `usecols`")[0]


def as_numbers(path: Path, array: npt.NDArray[Any], name: str) -> npt.NDArray[np.float64]:
    """Return an array of real numbers as float64; raise an InputError for any other kind."""
    if array.dtype.kind not in "biuf":
        raise InputError(path, f"{name} holds {array.dtype} values; allowed: real numbers")
    return np.asarray(array, dtype=np.float64)


def _labels(path: Path, raw: npt.NDArray[Any], examples: int) -> Labels:
    """Return the labels as whole numbers, one per example."""
    labels = as_numbers(path, raw, "y").reshape(-1)
    if len(labels) != examples:
        raise InputError(path, f"has {len(labels)} labels for {examples} examples; allowed: one label per example")
    wrong = ~((labels >= 0) & (labels == np.floor(labels)) & (labels < MOST_CLASSES))
    if wrong.any():
        problem = f"label {labels[wrong][0]:g} of example {int(np.argmax(wrong))} is not a class"
        raise InputError(path, f"{problem}; allowed: whole numbers from 0, below {MOST_CLASSES:,}")
    return labels.astype(np.int64)
