"""Random numbers that several networks share: what their laws differ in only scales them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # read by the command line, before NumPy is
    from gradcheck.engine.types import Array

#: Bytes of draws that are kept: of a network of 50 layers of 512 units, all of one seed.
MOST = 128 * 2**20


class SharedDraws:
    """Draws that are kept for the next network, in so many bytes; those that were not used for longest go first."""

    def __init__(self, most: int = MOST) -> None:
        self.most, self.held = most, 0
        self._kept: OrderedDict[object, Array] = OrderedDict()

    @cached_property
    def weights(self) -> SharedDraws:
        """The weights that a law makes of such draws, a quarter as many: networks of one law follow each other."""
        return SharedDraws(self.most // 4)

    def get(self, key: object, draw: Callable[[], Array]) -> Array:
        """Return the array of a key, which can't be written to; it is drawn if it isn't there."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        array = draw()
        array.flags.writeable = False
        self._kept[key] = array
        self.held += array.nbytes
        while self.held > self.most:
            self.held -= self._kept.popitem(last=False)[1].nbytes
        return array


_SHARED: ContextVar[SharedDraws | None] = ContextVar("shared draws", default=None)


@contextmanager
def sharing(draws: SharedDraws) -> Iterator[None]:
    """Take what is drawn in the block from `draws`, and keep it there."""
    token = _SHARED.set(draws)
    try:
        yield
    finally:
        _SHARED.reset(token)


def share_from_now_on() -> None:
    """Share whatever this thread draws until it ends."""
    _SHARED.set(SharedDraws())


def shared(key: object, draw: Callable[[], Array], *, scaled: bool = False) -> Array:
    """Return `draw()`, or where draws are shared what it gave for the same key before: an array nobody may change.

    With `scaled` it is what a law makes of a draw.
    """
    draws = _SHARED.get()
    return draw() if draws is None else (draws.weights if scaled else draws).get(key, draw)
