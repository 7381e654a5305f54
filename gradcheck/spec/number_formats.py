"""Which number formats a network's tensors are held against, by name: known before NumPy is loaded."""

from collections.abc import Sequence

from gradcheck.errors import OptionError, one_of
from gradcheck.spec.names import NUMBER_FORMATS
from gradcheck.spec.options.option import Names, Number, Option, canonical

#: Of the step of plain SGD whose updates are counted.
USUAL_RATE = 0.1


def number_formats(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the formats that are meant, each once, in the order in which they were given.

    Raises
    ------
    OptionError
        There is no such format, or none is named.
    """
    if given is None:
        return ()
    names = given.split(",") if isinstance(given, str) else given
    if not names:
        raise OptionError("number_format", f"names no format: write {NUMBER_FORMATS[0]}, or several")
    meant = (canonical(one.strip() if isinstance(one, str) else one, NUMBER_FORMATS) for one in names)
    return tuple(dict.fromkeys(one_of("number_format", one, NUMBER_FORMATS) for one in meant))


NUMBER_FORMAT = Option(
    f"Count what a cast to this format loses of each layer, or to each of a comma list: {' '.join(NUMBER_FORMATS)}.",
    "Number formats", "LIST", range=Names(NUMBER_FORMATS), parse=lambda _, text: number_formats(text),
)  # fmt: skip

RATE = Option(
    "With --number-format: the learning rate of the updates that rounding of bf16 weights loses.", "Number formats",
    "R", usual=f"{USUAL_RATE:g}", range=Number("it is a learning rate", above=0),
)  # fmt: skip
