"""The one exception tree: whatever is wrong with what the user gave is a ``GradcheckError``."""

from collections.abc import Iterable
from numbers import Integral, Real


class GradcheckError(Exception):
    """Base of all errors that the user can mend; its text is one line that says how."""


class OptionError(GradcheckError, ValueError):
    """An option has a value that it can't have, or not together with another one."""

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(option, problem)
        self.option, self.problem = option, problem

    def __str__(self) -> str:
        return f"--{self.option.replace('_', '-')} {self.problem}"


class _FileError(GradcheckError):
    """Something is wrong with a file."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class InputError(_FileError, ValueError):
    """A file (data, weights, a report, a journal) can't be read, or doesn't hold what it should."""


class OutputError(_FileError, OSError):
    """A file or stream can't be written."""


class MissingExtraError(GradcheckError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, subject: object, package: str, distribution: str) -> None:
        super().__init__(subject, package, distribution)
        self.subject, self.package, self.distribution = subject, package, distribution

    def __str__(self) -> str:
        return f"{self.subject}: needs {self.package}; install it with: pip install {self.distribution}"


class UnknownOptionError(GradcheckError, TypeError):
    """A function was called with an option that it doesn't have."""

    def __init__(self, function: str, option: str, known: Iterable[str]) -> None:
        super().__init__(function, option, known)
        self.function, self.option, self.known = function, option, sorted(known)

    def __str__(self) -> str:
        allowed = f"allowed: {', '.join(self.known)}"
        return f"{self.function}() has no option {self.option!r}; {_nearest(self.option, self.known)}{allowed}"


def _nearest(value: object, allowed: Iterable[str]) -> str:
    """Return a question after the nearest of the allowed names; nothing where none is near."""
    from difflib import get_close_matches  # only a mistake pays for it

    near = get_close_matches(str(value).lower(), list(allowed), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}? " if near else ""


def one_of(option: str, value: str, allowed: Iterable[str], *, beside: str = "") -> str:
    """Return `value` if it is allowed; otherwise raise an error that names the nearest one, and what is beside."""
    allowed = tuple(allowed)
    if value in allowed:
        return value
    hint = _nearest(value, allowed)
    raise OptionError(option, f"{value!r} is unknown; {hint}allowed: {', '.join(allowed)}{beside}")


def at_least(option: str, value: int, low: int, reason: str) -> int:
    """Return `value` as an int if it is a whole number of at least `low`; otherwise raise an error with the reason."""
    if isinstance(value, Integral) and not isinstance(value, bool) and value >= low:
        return int(value)
    raise OptionError(option, f"{value!r} is not a whole number of at least {low}: {reason}")


def finite(
    option: str, value: float, reason: str, *, above: float = float("-inf"), low: float = float("-inf")
) -> float:
    """Return `value` as a float if it is finite, > `above` and ≥ `low`; otherwise raise an error."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if is_number and above < value < float("inf") and value >= low:
        return float(value)
    bound = f" above {above:g}" if above > float("-inf") else f" of at least {low:g}" if low > float("-inf") else ""
    raise OptionError(option, f"{value!r} is not a finite number{bound}: {reason}")


def switch(option: str, value: bool) -> bool:
    """Return `value` if it is True or False; otherwise raise an error."""
    if isinstance(value, bool):
        return value
    raise OptionError(option, f"{value!r} is neither True nor False")
