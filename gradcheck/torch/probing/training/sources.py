"""Where batches come from: one batch, a loader, an iterator, or a function."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from typing import Any, TypeGuard

from torch.utils.data import DataLoader, Dataset, IterableDataset

from gradcheck.errors import OptionError
from gradcheck.torch.probing.error_text import errors_in_one_line


def source_of(batch: object) -> Any:  # noqa: ANN401
    """Return one batch as it is, and what gives many as a function that returns the next one.

    A loader, a list of batches, or an iterable of the user's own begins anew where it ends; an iterator can't. A list
    of two is (inputs, targets).
    """
    if isinstance(batch, Dataset) and not isinstance(batch, IterableDataset):
        kind = type(batch).__name__
        raise OptionError("batch", f"is a {kind}, of single examples: give DataLoader(dataset, batch_size=64)")
    if isinstance(batch, DataLoader) or _is_list_of_batches(batch) or _is_loader(batch):
        return _cycle(batch)
    if isinstance(batch, Iterator):
        return _of_iterator(batch)
    return batch


def _is_list_of_batches(batch: object) -> TypeGuard[list[object]]:
    return type(batch) is list and len(batch) > 2 and all(isinstance(one, tuple | list | Mapping) for one in batch)


def _is_loader(batch: object) -> TypeGuard[Iterable[object]]:
    """Whether it is an iterable of the user's own, and no data: data know how to move to a device."""
    data = isinstance(batch, Mapping | tuple | list | str | bytes | range | Iterator | Set) or hasattr(batch, "to")
    return not data and not callable(batch) and not hasattr(batch, "__array__") and isinstance(batch, Iterable)


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
    kind = type(loader).__name__

    def forever() -> Iterator[object]:
        while True:
            empty = True
            for batch in loader:
                empty = False
                yield batch
            if empty:
                raise OptionError("batch", f"is a {kind} without a batch: its dataset is too small, or empty")

    batches = forever()

    def take() -> object:
        with errors_in_one_line(f"the {kind} failed: "):
            return next(batches)

    return take
