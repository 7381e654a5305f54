"""Grids of options: lists and ranges as one types them, and every combination of their values. Loads no NumPy."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import product
from os import PathLike
from pathlib import Path
from typing import Any

from gradcheck.errors import OptionError, at_least, one_of, shown
from gradcheck.spec.families import known_data
from gradcheck.spec.names import RESIDUAL_SCALES
from gradcheck.spec.options.option import Names, Number, Option, Switch, Whole, canonical, plain
from gradcheck.spec.options.sweep import MAX_ROWS, VARIED

Values = tuple[Any, ...]
Parser = Callable[[str, str], Values]


def names(allowed: Sequence[str]) -> Parser:
    """Return a parser of comma lists of names."""
    known = Names(tuple(allowed))
    return lambda option, text: tuple(known(option, part.strip()) for part in text.split(","))


def texts(option: str, text: str) -> Values:
    """Parse a comma list of anything; the name of a file that is there may have commas in it."""
    with suppress(OSError, ValueError):  # no name that a file could have
        if "," in text and Path(text).is_file():
            return (text,)
    return tuple(part.strip() for part in text.split(","))


def switches(option: str, text: str) -> Values:
    """Parse ``yes``, ``no``, ``both`` or a comma list of them."""
    meaning = {"yes": (True,), "no": (False,), "both": (False, True)}
    parts = (one_of(option, part.strip(), meaning) for part in text.split(","))
    return tuple(value for part in parts for value in meaning[part])


def whole_numbers(option: str, text: str) -> Values:
    """Parse a comma list of whole numbers and ranges ``first:last:step``, both ends included."""
    return tuple(value for part in text.split(",") for value in _whole_range(option, part.strip()))


def numbers(option: str, text: str) -> Values:
    """Parse a comma list of numbers and ranges: ``first:last:step``, ``first:last:6log``, ``first:last:6lin``."""
    return tuple(value for part in text.split(",") for value in _number_range(option, part.strip()))


def scales(option: str, text: str) -> Values:
    """Parse a comma list of numbers, ranges, and the names of published residual scales."""
    parts = [canonical(part.strip(), RESIDUAL_SCALES) for part in text.split(",")]
    return tuple(value for part in parts for value in ((part,) if part in RESIDUAL_SCALES else numbers(option, part)))


def _whole_range(option: str, text: str) -> Values:
    try:
        ends = [int(part) for part in text.split(":")]
    except ValueError:
        raise OptionError(option, f"{text!r} is neither a whole number nor a range like 10:100:10") from None
    if len(ends) == 1:
        return (ends[0],)
    first, last, step = _three(option, text, [*ends, 1] if len(ends) == 2 else ends)
    return tuple(range(int(first), int(last) + 1, int(step)))


def _number_range(option: str, text: str) -> Values:
    parts = text.split(":")
    spacing = parts[-1][-3:] if len(parts) == 3 and parts[-1][-3:] in ("log", "lin") else ""
    try:
        ends = [float(part) for part in [*parts[:-1], parts[-1].removesuffix(spacing)]]
    except ValueError:
        problem = f"{text!r} is neither a number nor a range like 0.5:3:0.5 or 0.5:3.0:6log"
        raise OptionError(option, problem) from None
    if len(ends) == 1:
        return (ends[0],)
    first, last, step = _three(option, text, ends, counted=bool(spacing))
    if spacing:
        return _spaced(option, text, first, last, step, spacing)
    return tuple(_typed(first + index * step) for index in range(math.floor((last - first) / step * (1 + 1e-12)) + 1))


def _typed(value: float, digits: int = 12) -> float:
    """Return a number as one would type it, free of the last digits' rounding."""
    return float(f"{value:.{digits}g}")


def _three(option: str, text: str, ends: Sequence[float], counted: bool = False) -> tuple[float, float, float]:
    """Return first, last and step of a range that runs upwards."""
    if len(ends) != 3:
        raise OptionError(option, f"{text!r} is no range; allowed: first:last:step")
    first, last, step = ends
    if not all(abs(value) < 1e300 for value in ends) or step <= 0:
        raise OptionError(option, f"the range {text!r} doesn't move, or not to a number; its step must be above 0")
    if first > last:
        there, back, by = text.split(":") if text.count(":") == 2 else (*text.split(":"), "1")
        raise OptionError(option, f"the range {text!r} is reversed and holds nothing; type {back}:{there}:{by}")
    if (step if counted else (last - first) / step) > MAX_ROWS:
        raise OptionError(option, f"the range {text!r} has more than {MAX_ROWS:,} values; widen its step")
    return first, last, step


def _spaced(option: str, text: str, first: float, last: float, count: float, spacing: str) -> Values:
    """Return `count` values from first to last, evenly spaced or by equal factors."""
    if count != int(count) or count < 2:
        raise OptionError(option, f"the range {text!r} needs a whole number of at least 2 values before {spacing!r}")
    if spacing == "log" and first <= 0:
        raise OptionError(option, f"the range {text!r} can't be spaced by factors: it must start above 0")
    shares = [index / (count - 1) for index in range(int(count))]
    if spacing == "lin":
        return (first, *(_typed(first + share * (last - first)) for share in shares[1:-1]), last)
    inner = (_typed(first * (last / first) ** share, digits=6) for share in shares[1:-1])
    return (first, *inner, last)


def parser_of(row: Option) -> Parser:
    """Return how several values of an option are typed."""
    if isinstance(row.range, Number):
        return scales if row.range.names else numbers
    if isinstance(row.range, Names):
        return names(row.range.names)
    return {Whole: whole_numbers, Switch: switches}.get(type(row.range), texts)


#: How each option that a grid can vary is typed.
PARSERS: dict[str, Parser] = {name: parser_of(row) for name, row in VARIED.items()}


#: What an error says beside the options of a grid.
BESIDE = "; seeds, limits and the like go beside the grid: compare(grid, seeds=5)"


class Grid:
    """Options with all their values; iterating gives every combination, the last option varying fastest.

    Parameters
    ----------
    options : mapping
        Option ↦ a value, or a list or tuple of values.
    max_rows : int
        More combinations than this are refused.

    Raises
    ------
    OptionError
        An unknown option or value, an empty list, or too many combinations.
    """

    def __init__(self, options: Mapping[str, Any], max_rows: int = MAX_ROWS) -> None:
        if not isinstance(options, Mapping):
            problem = f"{shown(options)} is no mapping of options to values; write {{'depth': [10, 50]}}, for example"
            raise OptionError("grid", problem)
        given = {one_of("option", name, PARSERS, beside=BESIDE): value for name, value in options.items()}
        self.values = {name: _distinct(name, given[name]) for name in PARSERS if name in given}
        for name, values in self.values.items():
            for value in values:
                _check(name, value)
        if len(self) > at_least("max_rows", max_rows, 1, "a sweep has at least one row"):
            sizes = " × ".join(f"{len(values)} {name}" for name, values in self.values.items() if len(values) > 1)
            problem = f"is {max_rows:,}, but the grid has {len(self):,} rows ({sizes.replace(' × ', ' x ')})"
            raise OptionError("max_rows", f"{problem}; raise it, or vary less")

    @classmethod
    def from_text(cls, options: Mapping[str, str | None], max_rows: int = MAX_ROWS) -> "Grid":
        """Return the grid of options as they are typed; None means that an option wasn't given."""
        parsed = {name: PARSERS[name](name, text) for name, text in options.items() if text is not None}
        return cls(parsed, max_rows)

    def __len__(self) -> int:
        return math.prod(len(values) for values in self.values.values())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(self.values, combination, strict=True)) for combination in product(*self.values.values()))

    @property
    def varied(self) -> tuple[str, ...]:
        """Options with more than one value."""
        return tuple(name for name, values in self.values.items() if len(values) > 1)


def _distinct(option: str, given: Any) -> Values:  # noqa: ANN401
    """Return the values once each, in the order given."""
    several = isinstance(given, Iterable) and not isinstance(given, str | PathLike)
    values = tuple(canonical(plain(value), VARIED[option].names) for value in (given if several else (given,)))
    if not values:
        raise OptionError(option, "has an empty list of values; give at least one")
    try:
        return tuple(dict.fromkeys(values))
    except TypeError:
        raise OptionError(option, f"{shown(given)} is neither a value nor a flat list of values") from None


def _check(option: str, value: Any) -> None:  # noqa: ANN401
    """Raise the error that a network with this one value would raise, whatever the other options are."""
    allowed = VARIED[option].range
    if allowed is None:
        known_data(str(value))
    else:
        allowed(option, value)
