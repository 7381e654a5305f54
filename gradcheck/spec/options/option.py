"""A row of the table of options: what an option is, and what it may be."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, wraps
from inspect import Parameter, signature
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Any, NamedTuple, ParamSpec, Self, TypeVar, cast, get_args, get_origin

from gradcheck.base.calls import check_call
from gradcheck.errors import OptionError, at_least, bounds, finite, folded, one_of, shown, switch
from gradcheck.spec.names import SYNONYMS

#: The heading of what says how a result is shown.
OUTPUT = "Output"

#: The heading of what has a place rather than a name on the command line.
ARGUMENT = "Arguments"

ANY = float("-inf")

P = ParamSpec("P")
R = TypeVar("R")


class Whole(NamedTuple):
    """Whole numbers from `low` on, and why."""

    low: int
    reason: str

    def __call__(self, option: str, value: Any) -> int:  # noqa: ANN401
        """Return a value as its plain type, or raise the error that says why it is none."""
        return at_least(option, value, self.low, self.reason)

    def __str__(self) -> str:
        return f"a whole number of at least {self.low}: {self.reason}"


class Number(NamedTuple):
    """Finite numbers, above a bound, or from `low` on, to `high` if there is one, and why; or one of the names."""

    reason: str
    above: float = ANY
    low: float = ANY
    high: float = -ANY
    names: tuple[str, ...] = ()

    def __call__(self, option: str, value: Any) -> Any:  # noqa: ANN401
        """Return a value as its plain type, or raise the error that says why it is none."""
        if isinstance(value, str) and self.names:
            return one_of(option, value, self.names, beside=", or a number")
        return finite(option, value, self.reason, above=self.above, low=self.low, high=self.high)

    def __str__(self) -> str:
        bound = bounds(self.above, self.low, self.high)
        return f"a finite number{bound}{', or '.join(('', *self.names))}: {self.reason}"


def beginning(*names: str) -> Callable[[str], list[str]]:
    """Return a completion: a beginning ↦ the names that it may become."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def canonical(value: Any, names: Collection[str]) -> Any:  # noqa: ANN401
    """Return the name that is meant, in whatever case or as another library calls it; anything else as it is."""
    if type(value) is str and value in names:
        return value
    word, known = folded(value), {folded(name): name for name in names}
    return known.get(word) or known.get(folded(SYNONYMS.get(word))) or value


def plain(value: Any) -> Any:  # noqa: ANN401
    """Return Python's own number for NumPy's, a list for an array, and a path as text."""
    if hasattr(value, "tolist") and not isinstance(value, type):
        return value.tolist()
    return str(value) if isinstance(value, PathLike) else value


class Names(NamedTuple):
    """One of so many names; `number` says what a number in its place may have meant."""

    names: tuple[str, ...]
    number: str = ""

    def __call__(self, option: str, value: Any) -> str:  # noqa: ANN401
        """Return a value as its plain type, or raise the error that says why it is none."""
        known = canonical(value, self.names)
        if type(known) is str and known in self.names:
            return known
        meant = f"; {self.number} {value}" if self.number and str(value).isdecimal() else ""
        synonyms = (word for word, name in SYNONYMS.items() if name in self.names)
        return one_of(option, known, self.names, beside=meant, synonyms=synonyms)

    def __str__(self) -> str:
        return ", ".join(self.names)


class Switch(NamedTuple):
    """Yes or no."""

    def __call__(self, option: str, value: Any) -> bool:  # noqa: ANN401
        """Return a value as its plain type, or raise the error that says why it is none."""
        return switch(option, value)

    def __str__(self) -> str:
        return "True or False"


Range = Whole | Number | Names | Switch


class Option(NamedTuple):
    """What an option is."""

    help: str  # a sentence; without a full stop where the names that it takes follow
    group: str  # its heading in the help
    metavar: str = ""  # its value's placeholder in the help
    default: Any = None  # its value if it isn't given; None where that depends on other options
    usual: str | None = None  # what the help says of the latter
    # what it may be: called with its name and a value, it returns the value or raises the error
    range: Range | None = None
    # what several values are called in a comparison, and how they are typed; None if there can't be several
    varied: tuple[str, str] | None = None
    drawn: bool = False  # it is of drawn weights: given ones take its place
    parse: Callable[[str, str], Any] | None = None  # turns the word of a command line into its value
    # the words that a beginning may become, if they aren't the names that it takes
    completion: Callable[[str], list[str]] | None = None
    flags: tuple[str, ...] = ()  # its names on the command line, if they aren't made from its own
    name: str = ""  # what it is called in Python
    type: Any = None  # of its value; of several the first one is the command line's

    def but(self, **changes: Any) -> Self:  # noqa: ANN401
        """Return the row of another command, where some of it is different."""
        return self._replace(**changes)

    def check(self, value: Any) -> Any:  # noqa: ANN401
        """Return a value as its plain type, or raise the error that says why it is out of the range."""
        return value if self.range is None else self.range(self.name, value)

    def taken(self, value: Any) -> Any:  # noqa: ANN401
        """Return a value by its own name and as its plain type, or raise the error that says which types there are."""
        value = canonical(plain(value), self.names)
        if _fits(value, self.type):
            return value
        if self.varied and isinstance(value, list | tuple) and value and all(_fits(one, self.type) for one in value):
            problem = f"takes one value; to compare several: gradcheck.compare({{{self.name!r}: {shown(value)}}})"
            raise OptionError(self.name, problem)
        self.check(value)  # its own words, where it has a range
        raise OptionError(self.name, f"{shown(value)} is of the wrong type; allowed: {_in_words(self.type)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it takes."""
        return getattr(self.range, "names", ())


#: A type of an option ↦ what is taken for it, and what it is called.
TAKEN: Mapping[Any, tuple[type | UnionType, str]] = {
    bool: (bool, "True or False"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "a text"),
    Path: (str | PathLike, "a path"),
    tuple: (list | tuple, "a list"),
    Sequence: (list | tuple, "a list"),
    NoneType: (NoneType, "None"),
}


def _fits(value: object, kind: Any) -> bool:  # noqa: ANN401
    """Whether a value is of an option's type: of one of them, or a list whose parts are."""
    if get_origin(kind) is UnionType:
        return any(_fits(value, one) for one in get_args(kind))
    taken = TAKEN[get_origin(kind) or kind][0]
    if (isinstance(value, bool) and kind is not bool) or not isinstance(value, taken):
        return False
    return not get_args(kind) or all(_fits(one, get_args(kind)[0]) for one in cast(Iterable[object], value))


def _in_words(kind: Any) -> str:  # noqa: ANN401
    kinds = get_args(kind) if get_origin(kind) is UnionType else (kind,)
    return ", ".join(TAKEN[get_origin(one) or one][1] for one in kinds)


@cache
def rows(table: type) -> Mapping[str, Option]:
    """Return the rows of a group of options, by name: those that annotate the fields of a ``TypedDict``."""
    return MappingProxyType(
        {
            name: field.__metadata__[-1]._replace(name=name, type=field.__origin__)
            for name, field in table.__annotations__.items()
        }
    )


def checked(table: Mapping[str, Option], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `values` that are options of a table, as plain types; one out of its range raises its error."""
    return {name: table[name].check(plain(value)) for name, value in values.items() if name in table}


def settle(table: Mapping[str, Option], description: object) -> None:
    """Keep the values of a frozen description as plain types; one out of its range raises its error."""
    for name, value in checked(table, vars(description)).items():
        object.__setattr__(description, name, value)


def takes(
    table: type, elsewhere: Mapping[str, str] = MappingProxyType({})
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take the options of a table by name: checked and completed, all of them in its signature.

    Options that may be looked for here are elsewhere: an error says where.
    """

    def with_options(function: Callable[P, R]) -> Callable[P, R]:
        own = [one for one in signature(function).parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
        ahead, known = [one for one in own if one.kind is not Parameter.KEYWORD_ONLY], rows(table)
        named = [
            Parameter(row.name, Parameter.KEYWORD_ONLY, default=row.default, annotation=row.type)
            for row in known.values()
        ]
        beside, last = (
            [one for one in own[len(ahead) :] if one.name != "tick"],
            [one for one in own if one.name == "tick"],
        )
        whole = signature(function).replace(parameters=[*ahead, *beside, *named, *last])
        usual = {row.name: row.default for row in known.values()}

        @wraps(function)
        def call(*values: P.args, **options: P.kwargs) -> R:
            check_call(function.__name__, whole, values, options, elsewhere)
            given = {name: known[name].taken(one) if name in known else one for name, one in options.items()}
            return function(*values, **{**usual, **given})

        call.__signature__ = whole  # type: ignore[attr-defined]
        return call

    return with_options
