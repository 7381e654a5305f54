"""Where batches come from: one batch, a loader, an iterator, or a function."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeGuard

from torch.utils.data import DataLoader

from gradcheck.errors import OptionError
from gradcheck.torch.probing.error_text import errors_in_one_line


def source_of(batch: object) -> Any:  # noqa: ANN401
    """Return one batch as it is, and what gives many as a function that returns the next one.

    A loader, or a list of batches, begins anew where it ends; an iterator can't. A list of two is (inputs, targets).
    """
    if isinstance(batch, DataLoader) or _is_list_of_batches(batch):
        return _cycle(batch)
    if isinstance(batch, Iterator):
        return _of_iterator(batch)
    return batch


def _is_list_of_batches(batch: object) -> TypeGuard[list[object]]:
    return type(batch) is list and len(batch) > 2 and all(isinstance(one, tuple | list | Mapping) for one in batch)


def _of_iterator(batches: Iterator[object]) -> Callable[[], object]:
    """Return a function that returns an iterator's next batch."""

    def take() -> object:
        try:
            return next(batches)
        except StopIteration:
            problem = "is an iterator that ran out of batches: give the loader itself, which can begin anew"
            raise OptionError("batch", problem) from None

    return take


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
