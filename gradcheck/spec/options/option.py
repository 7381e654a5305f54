"""A row of the table of options: what an option is, and what it may be."""

from collections.abc import Callable, Collection, Mapping
from functools import cache, wraps
from inspect import Parameter, signature
from types import MappingProxyType
from typing import Any, NamedTuple, ParamSpec, Self, TypeVar

from gradcheck.errors import UnknownOptionError, at_least, finite, one_of, switch
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
    """Finite numbers, above a bound or from `low` on, and why; or one of the names beside them."""

    reason: str
    above: float = ANY
    low: float = ANY
    names: tuple[str, ...] = ()

    def __call__(self, option: str, value: Any) -> Any:  # noqa: ANN401
        """Return a value as its plain type, or raise the error that says why it is none."""
        if value in self.names:
            return value
        return finite(option, value, self.reason, above=self.above, low=self.low)

    def __str__(self) -> str:
        bound = f" above {self.above:g}" if self.above > ANY else f" of at least {self.low:g}" if self.low > ANY else ""
        return f"a finite number{bound}{', or '.join(('', *self.names))}: {self.reason}"


def canonical(value: Any, names: Collection[str]) -> Any:  # noqa: ANN401
    """Return the name that a value is another word for; anything else as it is."""
    other = SYNONYMS.get(value.lower()) if isinstance(value, str) and value not in names else None
    return other if other in names else value


class Names(NamedTuple):
    """One of so many names."""

    names: tuple[str, ...]

    def __call__(self, option: str, value: Any) -> str:  # noqa: ANN401
        """Return a value as its plain type, or raise the error that says why it is none."""
        return one_of(option, canonical(value, self.names), self.names)

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
    """What an option is.

    Attributes
    ----------
    help : str
        A sentence; without a full stop where the names that it takes follow.
    group : str
        Its heading in the help.
    metavar : str
        Its value's placeholder in the help.
    default : object
        Its value if it isn't given; None where that depends on other options.
    usual : str or None
        What the help says of the latter.
    range : Range or None
        What it may be: called with its name and a value, it returns the value or raises the error.
    varied : tuple of str
        What several values are called in a comparison, and how they are typed; None if there can't be several.
    drawn : bool
        It is of drawn weights: given ones take its place.
    parse : callable, optional
        Turns the word of a command line into its value.
    completion : callable, optional
        The words that a beginning may become, if they aren't the names that it takes.
    flags : tuple of str
        Its names on the command line, if they aren't made from its own.
    name : str
        What it is called in Python.
    type : type
        Of its value; of several the first one is the command line's.
    """

    help: str
    group: str
    metavar: str = ""
    default: Any = None
    usual: str | None = None
    range: Range | None = None
    varied: tuple[str, str] | None = None
    drawn: bool = False
    parse: Callable[[str, str], Any] | None = None
    completion: Callable[[str], list[str]] | None = None
    flags: tuple[str, ...] = ()
    name: str = ""
    type: Any = None

    def but(self, **changes: Any) -> Self:  # noqa: ANN401
        """Return the row of another command, where some of it is different."""
        return self._replace(**changes)

    def check(self, value: Any) -> Any:  # noqa: ANN401
        """Return a value as its plain type, or raise the error that says why it is out of the range."""
        return value if self.range is None else self.range(self.name, value)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it takes."""
        return getattr(self.range, "names", ())


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
    return {name: table[name].check(value) for name, value in values.items() if name in table}


def takes(table: type) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take the options of a table by name: checked and completed, all of them in its signature."""

    def with_options(function: Callable[P, R]) -> Callable[P, R]:
        own = [one for one in signature(function).parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
        known = {one.name for one in own} | rows(table).keys()

        @wraps(function)
        def call(*values: P.args, **options: P.kwargs) -> R:
            for name in options.keys() - known:
                raise UnknownOptionError(function.__name__, name, known)
            return function(*values, **{**usual, **options})

        usual = {row.name: row.default for row in rows(table).values()}
        options = [
            Parameter(row.name, Parameter.KEYWORD_ONLY, default=row.default, annotation=row.type)
            for row in rows(table).values()
        ]
        ahead = [one for one in own if one.kind is not Parameter.KEYWORD_ONLY]
        call.__signature__ = signature(function).replace(parameters=[*ahead, *options, *own[len(ahead) :]])  # type: ignore[attr-defined]
        return call

    return with_options
