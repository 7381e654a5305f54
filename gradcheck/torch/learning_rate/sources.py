"""Where batches come from: one batch, a loader, an iterator, or a function."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch.utils.data import DataLoader

from gradcheck.errors import OptionError
from gradcheck.torch.probing.error_text import errors_in_one_line


def source_of(batch: object) -> Any:  # noqa: ANN401
    """Return one batch as it is, and what gives many as a function that returns the next one.

    A loader begins anew where it ends; an iterator can't.
    """
    if isinstance(batch, DataLoader):
        return _cycle(batch)
    if isinstance(batch, Iterator):
        return lambda: next(batch)
    return batch


def _cycle(loader: Iterable[object]) -> Callable[[], object]:
    """Return a function that returns a loader's next batch, after the last one its first."""

    def forever() -> Iterator[object]:
        while True:
            empty = True
            for batch in loader:
                empty = False
                yield batch
            if empty:
                raise OptionError("batch", "is a DataLoader without a batch: its dataset is too small, or empty")

    batches = forever()

    def take() -> object:
        with errors_in_one_line("the DataLoader failed: "):
            return next(batches)

    return take
