"""Networks whose training diverges: what they do from then on says nothing of the width."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from gradcheck.learning_rate.runs import DIVERGED
from gradcheck.parametrization.coordinates import Coordinate

#: Scale ↦ the losses of each seed's network, before each step and after the last one.
Losses = Mapping[int, Sequence[Sequence[float]]]


class Divergence(NamedTuple):
    """Where training diverges."""

    scales: tuple[int, ...]  # widths, or depths, of which some network diverges
    everywhere: bool  # they are all that there are
    step: int  # the first one after which a network has diverged
    times: float  # the largest loss after that step, over its first value; inf where one isn't finite


class _Lost(NamedTuple):
    """One network that has diverged after a step, and its loss there over the first one."""

    scale: int
    step: int
    times: float


def find_divergence(records: Sequence[Coordinate], losses: Losses) -> Divergence | None:
    """Return where training diverges; None where it doesn't.

    A network diverges where an output, or the loss, is no longer finite; or where the loss is more than four times its
    first value, as in ``rate``, and a hidden output has moved further than it was large: the loss alone rises also
    where it was next to zero.

    Parameters
    ----------
    records : sequence of Coordinate
    losses : mapping
        May be empty, and have fewer steps than the records.
    """
    lost = [*_overflowing(records), *_rising(records, losses)]
    if not lost:
        return None
    scales, step = {one.scale for one in lost}, min(one.step for one in lost)
    everywhere = scales == {one.scale for one in records}
    return Divergence(tuple(sorted(scales)), everywhere, step, max(one.times for one in lost if one.step == step))


def before(records: Sequence[Coordinate], divergence: Divergence) -> list[Coordinate]:
    """Return the records of the steps before any network diverges.

    Where some don't, the first step's are among them if they are finite: its updates are in proportion to any rate.
    """
    finite = all(math.isfinite(size) for one in records if one.step <= 1 for size in _sizes(one))
    last = max(int(finite and not divergence.everywhere), divergence.step - 1)
    return [one for one in records if one.step <= last]


def _sizes(record: Coordinate) -> Iterator[float]:
    """Yield the sizes that a record has."""
    return (size.rms for size in (record.size, record.change, record.update) if size is not None)


def _overflowing(records: Sequence[Coordinate]) -> Iterator[_Lost]:
    """Yield networks with an output that isn't finite after some step, and was before any."""
    without = {(one.scale, one.seed) for one in records if one.step == 0 and not math.isfinite(one.size.rms)}
    for one in records:
        if (one.scale, one.seed) not in without and not all(map(math.isfinite, _sizes(one))):
            yield _Lost(one.scale, one.step, math.inf)


def _rising(records: Sequence[Coordinate], losses: Losses) -> Iterator[_Lost]:
    """Yield networks whose loss runs away."""
    starts = {(one.scale, one.seed, one.layer): one.size.rms for one in records if one.step == 0}
    moved = {
        (one.scale, one.seed, one.step)
        for one in records
        if one.kind == "hidden" and one.change is not None
        if not one.change.rms <= starts[one.scale, one.seed, one.layer]
    }
    seeds = sorted({one.seed for one in records})
    for scale, of_seeds in losses.items():
        for seed, (first, *others) in zip(seeds, of_seeds, strict=True):
            for step, loss in enumerate(others, start=1):
                rises = loss - first > (DIVERGED - 1) * abs(first) and (scale, seed, step) in moved
                if math.isfinite(first) and (rises or not math.isfinite(loss)):
                    yield _Lost(scale, step, loss / first if first > 0 and math.isfinite(loss) else math.inf)
