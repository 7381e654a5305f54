"""What reports are made of: plain data that JSON can carry, and nothing can change. Loads no NumPy."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

T = TypeVar("T")

#: Types of which nothing can be changed.
SCALARS = frozenset({type(None), bool, int, float, str})

#: What any mapping has: no completion shows it.
OF_MAPPINGS = frozenset(dir(Mapping))

#: log10 of the largest float.
LARGEST = 308.25

#: What the names of a number's extremes among several draws end with.
BANDS = {"_low": "; lowest of the draws", "_high": "; highest of the draws"}


def number(value: float) -> float | None:
    """Return a float that JSON can carry; None for nan and infinities."""
    return float(value) if math.isfinite(value) else None


def power_of_ten(logarithm: float) -> float:
    """Return 10**logarithm; inf where a float would overflow."""
    return 10.0**logarithm if logarithm < LARGEST else math.inf


def power_in_range(logarithm: float) -> float | None:
    """Return 10**logarithm; exactly 0 for −inf only, None where a float would under- or overflow."""
    value = power_of_ten(logarithm)
    return number(value) if value or logarithm == -math.inf else None


def frozen(value: object) -> Any:  # noqa: ANN401
    """Return a value that can't be changed: lists become tuples, mappings become ``Frozen``, at every depth."""
    if isinstance(value, list | tuple):
        return tuple(one if type(one) in SCALARS else frozen(one) for one in value)
    if isinstance(value, Mapping) and not isinstance(value, _ReadOnly):
        return Frozen(value)
    return value


def plain(value: object) -> Any:  # noqa: ANN401
    """Return a value as JSON has it: fresh lists and dicts at every depth."""
    if isinstance(value, list | tuple):
        return [one if type(one) in SCALARS else plain(one) for one in value]
    if isinstance(value, Mapping):
        items = value._held if isinstance(value, _ReadOnly) else value
        return {name: one if type(one) in SCALARS else plain(one) for name, one in items.items()}
    return value


class _ReadOnly(Mapping[str, T]):
    """A mapping whose items can be read as attributes and can't be changed."""

    __slots__ = ()
    _held: dict[str, T]

    def to_dict(self) -> dict[str, Any]:
        """Return the items as JSON values, lists and dicts of the caller's own."""
        mapping: dict[str, Any] = plain(self)
        return mapping

    def __getitem__(self, name: str) -> T:
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self.to_dict() == plain(other)

    def __hash__(self) -> int:
        return hash(frozenset(self.items()))

    def __setattr__(self, name: str, value: object = None) -> None:
        raise AttributeError(f"{name} can't be set: a report is read only; to_dict() gives a copy to change")

    __delattr__ = __setattr__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._held!r})"

    def __dir__(self) -> list[str]:
        own = {name for name in super().__dir__() if not name.startswith("_")}
        return sorted({*self, *(own - OF_MAPPINGS)})

    def _missing(self, name: str) -> AttributeError:
        return AttributeError(f"no {name!r} here; there are: {', '.join(self)}")


class Frozen(_ReadOnly[T]):
    """A mapping of any names, such as a command's options: ``config.depth`` is ``config["depth"]``."""

    __slots__ = ("_held",)

    def __init__(self, items: Mapping[str, T] | Iterable[tuple[str, T]] = (), /, **more: T) -> None:
        object.__setattr__(self, "_held", {name: frozen(one) for name, one in dict(items, **more).items()})

    def __getattr__(self, name: str) -> T:
        try:
            return self._held[name]
        except KeyError:
            raise self._missing(name) from None

    def __reduce__(self) -> tuple[Any, ...]:
        return Frozen, (self._held,)


def item(
    meaning: str = "",
    *,
    default: Any = MISSING,  # noqa: ANN401
    of: str = "",
    banded: bool = False,
    beside: bool = False,
    inner: bool = False,
    **schema: object,
) -> Any:  # noqa: ANN401
    """Return a field of a ``Record``, with what its schema says of it.

    Parameters
    ----------
    meaning : str
        Its description in the JSON Schema.
    default : optional
        Of None: while the field is None it isn't among the items, nor in the JSON.
    of : str
        The only command whose reports have it.
    banded : bool
        A number that has a ``_low`` and a ``_high`` beside it where several networks were drawn.
    beside : bool
        Its extremes are listed with those of the field before it, not after them.
    inner : bool
        It is an attribute only: no item, and not in the JSON.
    **schema
        What its JSON Schema says beside its type, such as ``minimum=1``.
    """
    metadata = {"meaning": meaning, "of": of, "banded": banded, "beside": beside, "inner": inner, "schema": schema}
    return field(default=default, metadata=metadata)


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=False, field_specifiers=(item,))
class Record(_ReadOnly[Any]):
    """Fields as attributes and as items, in the order of the JSON; a subclass is a frozen dataclass of them.

    JSON Schemas (``gradcheck.base.schema``) and headers of CSV come from the fields. An instance holds nothing else.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    _names: ClassVar[tuple[str, ...]]
    _optional: ClassVar[tuple[str, ...]]
    _inner: ClassVar[frozenset[str]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclass(init=False, repr=False, eq=False)(cls)  # what it would write for each class stands above, once
        cls._names = tuple(one.name for one in fields(cls))
        cls._optional = tuple(one.name for one in fields(cls) if one.default is None)
        cls._inner = frozenset(one.name for one in fields(cls) if one.metadata.get("inner"))

    def __init__(self, **values: object) -> None:
        """Fill the fields; a dataclass's own ``__init__`` takes several times as long."""
        own = vars(self)
        own |= values if tuple(values) == self._names else self._in_order(values)
        if not SCALARS.issuperset(map(type, own.values())):
            own |= {name: frozen(value) for name, value in own.items()}
        for name in self._optional:
            if own[name] is None:
                del own[name]  # read as an attribute it is None still, by its class

    @classmethod
    def _in_order(cls, values: dict[str, object]) -> dict[str, object]:
        """Return the values in the order of the fields, with the defaults of those that aren't given."""
        defaults = {one.name: one.default for one in fields(cls)}
        ordered = {name: values.get(name, defaults[name]) for name in cls._names}
        wrong = [*(values.keys() - ordered), *(name for name, value in ordered.items() if value is MISSING)]
        if wrong:
            raise TypeError(f"{cls.__name__}: {', '.join(wrong)}; its fields are {', '.join(ordered)}")
        return ordered

    @property
    def _held(self) -> dict[str, Any]:  # type: ignore[override]
        return {name: vars(self)[name] for name in vars(self) if name not in self._inner} if self._inner else vars(self)

    if not TYPE_CHECKING:  # so that mypy knows the fields and no others

        def __getattr__(self, name):  # noqa: ANN001, ANN204
            raise self._missing(name)


R = TypeVar("R", bound=Record)


def banded(record: type[R]) -> type[R]:
    """Return the same record with the extremes of several draws: after each banded field its ``_low`` and ``_high``.

    Its module has to call it by its own name, ``BandedLayerRecord``, so that it can be pickled.
    """
    measured = [one for one in fields(record) if one.metadata.get("banded")]
    extremes = {one.name + band: one for one in measured for band in BANDS}
    body = {
        "__annotations__": {name: one.type for name, one in extremes.items()},
        "__module__": record.__module__,
        "__doc__": record.__doc__,
    }
    made: type[R] = type(f"Banded{record.__name__}", (record,), body)
    groups: list[list[str]] = []
    for one in fields(record):
        groups = [*groups[:-1], [*groups[-1], one.name]] if one.metadata.get("beside") else [*groups, [one.name]]
    every = [name + band for group in groups for band in ("", *BANDS) for name in group]
    made._names = tuple(name for name in every if name in made._names)
    return made
