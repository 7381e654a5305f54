"""The one exception tree: whatever is wrong with what the user gave is a ``GradcheckError``."""

import re
from collections.abc import Iterable
from functools import lru_cache
from math import inf, nan
from numbers import Integral, Real

#: What a command line is told by, ``--depth 5``, ``--no-tied``, ``--norm``, and whether a value follows, and
#: ``--column loss=nll``; quoted words and whole commands are kept.
TYPED = re.compile(
    r"""(?<!\w)(?P<kept>'[^']*'|"[^"]*"|gradcheck[ ][a-z].*)
    |--column[ ](?P<quantity>\w+)=(?P<column>[\w/]+|'[^']+')
    |(?<![\w-])--(?P<no>no-)?(?P<name>[a-z][a-z-]*)
    (?P<joint>[ ](?=['"\[({<]|[-+]?\.?\d|[-+]?(?:inf|nan)\b|(?:True|False|None|[A-Z]+)\b))?""",
    re.VERBOSE,
)

#: What may join the words of a name.
JOINTS = re.compile(r"[-_ ]")

#: Characters of a value that a message shows.
LONGEST = 80

#: Letters that names must begin with to be asked after together, and how many of them are.
FEWEST_LETTERS, MOST_NAMES = 2, 3


class GradcheckError(Exception):
    """Base of all errors that the user can mend; its text is one line that says how.

    Messages are written in the words of the command line (``--norm batch``), which shows ``typed()``; the text is the
    same in the words of Python.
    """

    def __str__(self) -> str:
        return in_python(self.typed())

    def typed(self) -> str:
        """Return the message in the words of the command line."""
        return super().__str__()


class OptionError(GradcheckError, ValueError):
    """An option has a value that it can't have, or not together with another one."""

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(option, problem)
        self.option, self.problem = option, problem

    def typed(self) -> str:
        """Return the message in the words of the command line."""
        return f"--{self.option.replace('_', '-')} {self.problem}"


class _FileError(GradcheckError):
    """Something is wrong with a file."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"{self.path}: {in_python(self.problem)}"

    def typed(self) -> str:
        """Return the message in the words of the command line."""
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

    def typed(self) -> str:
        """Return the message in the words of the command line."""
        return f"{self.subject}: needs {self.package}; install it with: pip install {self.distribution}"


class CallError(GradcheckError, TypeError):
    """A function was called with something that it doesn't take, or without something that it needs."""

    def __init__(self, function: str, problem: str) -> None:
        super().__init__(function, problem)
        self.function, self.problem = function, problem

    def typed(self) -> str:
        """Return the message, which is about Python everywhere."""
        return f"{self.function}() {self.problem}"


def in_python(message: str) -> str:
    """Return a message about what one types on a command line in the words of Python."""

    def spoken(found: re.Match[str]) -> str:
        if found["kept"]:
            return found["kept"]
        if found["quantity"]:
            column = found["column"].strip("'")
            return f"columns={{{found['quantity']!r}: {column!r}}}"
        name = found["name"].replace("-", "_")
        return f"{name}=False" if found["no"] else f"{name}=" if found["joint"] else name

    return TYPED.sub(spoken, message)


def shown(value: object) -> str:
    """Return a value as a message shows it: on one line, cut where it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def described(error: BaseException) -> str:
    """Return the class and the text of any error, even of one whose own ``__str__`` fails."""
    try:
        text = str(error)
    except Exception:
        text = "its text can't be made, its __str__ fails"
    return f"{type(error).__name__}: {text}"


def folded(value: object) -> str:
    """Return a name without case and joints, as ``Leaky-ReLU`` and ``leaky_relu`` are one; of what has none nothing."""
    name = value if isinstance(value, str) else getattr(value, "__name__", "")
    return _without_joints(str(name))


@lru_cache(maxsize=1024)
def _without_joints(name: str) -> str:
    """Return a name in lower case; each is asked for again with every value that is checked."""
    return JOINTS.sub("", name.lower())


def did_you_mean(value: object, allowed: Iterable[str], cutoff: float = 0.5) -> str:
    """Return a question after the allowed names that begin so, or the nearest one, and a space; nothing for none."""
    from difflib import get_close_matches  # only a mistake pays for it

    given, names = str(value).lower(), list(dict.fromkeys(allowed))
    begins = [name for name in names if len(given) >= FEWEST_LETTERS and name.lower().startswith(given)]
    near = begins if 0 < len(begins) <= MOST_NAMES else get_close_matches(given, names, n=1, cutoff=cutoff)
    return f"did you mean {' or '.join(map(repr, near))}? " if near else ""


def one_of(
    option: str, value: object, allowed: Iterable[str], *, beside: str = "", synonyms: Iterable[str] = ()
) -> str:
    """Return the allowed name that is meant, in whatever case; otherwise raise an error that names the nearest one.

    Synonyms are what other libraries call them: one is asked after where no allowed name is near.
    """
    known = tuple(allowed)
    if type(value) is str and value in known:
        return value
    names = {folded(name): name for name in known}
    if folded(value) in names:
        return names[folded(value)]
    hint = did_you_mean(value, names.values()) or did_you_mean(folded(value), synonyms, cutoff=0.75)
    raise OptionError(option, f"{shown(value)} is unknown; {hint}allowed: {', '.join(names.values())}{beside}")


def at_least(option: str, value: int, low: int, reason: str) -> int:
    """Return `value` as an int if it is a whole number of at least `low`; otherwise raise an error with the reason."""
    if isinstance(value, Integral) and not isinstance(value, bool) and value >= low:
        return int(value)
    raise OptionError(option, f"{shown(value)} is not a whole number of at least {low}: {reason}")


def finite(
    option: str, value: float, reason: str, *, above: float = -inf, low: float = -inf, high: float = inf
) -> float:
    """Return `value` as a float if it is finite, > `above`, ≥ `low` and ≤ `high`; otherwise raise an error."""
    try:
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else nan
    except OverflowError:  # a whole number of more than 308 digits
        number = inf
    if above < number < inf and low <= number <= high:
        return number
    raise OptionError(option, f"{shown(value)} is not a finite number{bounds(above, low, high)}: {reason}")


def bounds(above: float, low: float, high: float) -> str:
    """Return where a number has to lie, as one says it after the word."""
    if high < inf:
        return f" from {low:g} to {high:g}"
    return f" above {above:g}" if above > -inf else f" of at least {low:g}" if low > -inf else ""


def switch(option: str, value: bool) -> bool:
    """Return `value` if it is True or False; otherwise raise an error."""
    if type(value).__name__ in ("bool", "bool_"):  # Python's and NumPy's
        return bool(value)
    raise OptionError(option, f"{shown(value)} is neither True nor False")


def printable(name: str) -> str:
    """Show the control characters that a name may have instead of obeying them."""
    return name if name.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in name)
