"""What is known of the text of a console beside its rows: names, what its kinds of rows are worth, its last words."""

from collections.abc import Mapping

from gradcheck.logs.columns import BAR
from gradcheck.logs.console.context import Context
from gradcheck.logs.console.kinds import STEP, TRAINING, Kinds
from gradcheck.logs.console.names import has_finer, has_rounded
from gradcheck.logs.console.unnamed import NAME, Unnamed
from gradcheck.logs.console.values import keyed_names
from gradcheck.logs.lines import LostPart, Problems, Reader


class ConsoleReader(Reader):
    """What a reader of a console says of its log.

    Parameters
    ----------
    problems : Problems
    wanted : mapping
        A quantity ↦ the name of its column.
    head : bytes
        How the log begins: which of its counters tell rows apart.
    """

    format = "console output"
    rounds = True

    def __init__(self, problems: Problems, wanted: Mapping[str, str], head: bytes = b"") -> None:
        super().__init__(problems)
        self.kinds = Kinds(wanted, has_finer(head), has_rounded(head))
        self.seen, self.held_out = self.kinds.seen, self.kinds.held_out
        self.context = Context()
        self._passed_over: list[str] = []
        self._unnamed = Unnamed(NAME in wanted.values())

    @property
    def nothing(self) -> str:
        """What is said where there is nothing to judge."""
        if self.last_word:
            return f"its last words are {self.last_word!r}"
        return self._unnamed.nothing or "none of its lines has a number by such a name"

    @property
    def last_word(self) -> str:
        """The error that the program ended of; empty if it didn't, or went on."""
        return self.context.last_word

    @property
    def listed(self) -> set[str]:
        """Names that a colon or the like parts from their numbers; words before a number may be any text."""
        return self.kinds.keyed | {name for text in self._passed_over for name in keyed_names(text)}

    @property
    def counted_by(self) -> str:
        """What the step is taken from, where a row has none."""
        if self.context.bar is not None:
            return BAR
        named = next((kind.names[STEP] for kind in self.kinds.kinds if STEP in kind.names), "")
        return named or "the program's last words"

    @property
    def checkpoints(self) -> list[float]:
        """The steps of the checkpoints that were saved, as far as they are known."""
        return self.context.checkpoints

    def lost_parts(self, key: str) -> dict[str, LostPart]:
        """Return the parts of a finite loss that aren't finite in the rows of a kind."""
        return next((kind.lost_parts for kind in self.kinds.kinds if kind.key == key), {})

    def worth(self, key: str) -> int:
        """Return what the rows of a kind are worth."""
        return next((kind.worth for kind in self.kinds.kinds if kind.key == key), TRAINING)
