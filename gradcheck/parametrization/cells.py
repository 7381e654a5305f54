"""What all formats of a transfer report share: the first line, the rows of its table, the command to type next."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from gradcheck.base.wording import counted
from gradcheck.parametrization.next_step import diverges
from gradcheck.parametrization.report import TransferLayer, TransferLoss, TransferReport
from gradcheck.parametrization.slopes import SCATTER, least_error
from gradcheck.render.heading import SEPARATOR
from gradcheck.render.numbers import significant

#: The verdict in a word or two, and its colour.
LABELS = {
    "transfers": ("transfers", "green"), "grows": ("grows", "red"), "shrinks": ("shrinks", "cyan"),
    "unclear": ("unclear", "yellow"), "diverges": ("diverges", "red"),
}  # fmt: skip

#: Quantities that the table shows side by side; the size in training follows from the start and the change.
SHOWN = ("start", "change", "update")

#: What a quantity is called above its column.
TITLES = {"start": "at start", "size": "in training", "change": "change", "update": "own update"}


class Row(NamedTuple):
    """One layer's line of the table."""

    layer: str
    quantities: dict[str, TransferLayer]

    @property
    def verdict(self) -> str:
        """What is wrong with it: ``change and own update grow``; else ``keeps``."""
        said = []
        for course, verb in (("grows", "grow"), ("shrinks", "shrink"), ("unclear", "unclear")):
            names = [TITLES[name] for name, one in self.quantities.items() if one.course == course]
            if names:
                ending = "" if verb == "unclear" or len(names) > 1 else "s"
                said.append(f"{' and '.join(names)} {verb}{ending}")
        return "; ".join(said) or "keeps"


def rows_of(report: TransferReport) -> list[Row]:
    """Return the layers, each with its quantities."""
    rows: dict[str, Row] = {}
    for one in report.layers:
        rows.setdefault(one.layer, Row(one.layer, {})).quantities[one.quantity] = one
    return list(rows.values())


def last_sizes(one: TransferLayer) -> list[float | None]:
    """Return the logarithms of the sizes at the step that is shown, a number for each width; None of no number."""
    step = one.steps.index(one.since) if one.since is not None else -1
    return [None if size is None else math.log10(size) if size > 0 else -math.inf for size in one.sizes[step]]


def slope_in_words(one: TransferLayer, *, error: bool = True) -> str:
    """Return a slope with its error: ``+0.52 ±0.03``."""
    if one.course == "still":
        return "still"
    if one.slope is None:
        return "zero in some" if one.course == "unclear" else "not finite"
    bound = f" ±{one.slope_error:.2f}" if error and one.slope_error is not None else ""
    return f"{one.slope:+.2f}{bound}"


def heading(report: TransferReport) -> str:
    """Return what was compared in one line."""
    return SEPARATOR.join(_parts(report))


def _parts(report: TransferReport) -> Iterator[str]:
    config, (first, *_, last) = report.config, report.scales
    if "arch" in config:
        yield f"{config['arch']}, {config['activation']}"
        yield f"{config['param']} parametrisation"
    else:
        yield str(config.get("target") or config.get("model") or "your model")
    yield f"{counted(len(report.scales), report.axis)} from {first:,} to {last:,}"
    if "arch" in config:
        yield _other_size(report)
        yield f"{config['data']}, batch {config['batch_size']}"
    rate = config.get("lr")
    yield f"{counted(config['steps'], 'step')} of {config['optimizer']}{'' if rate is None else f' {rate:g}'}"
    yield counted(config.get("seeds", 1), "seed")


def _other_size(report: TransferReport) -> str:
    """Say how deep networks of several widths are, how wide those of several depths."""
    config = report.config
    if report.axis == "depth":
        return f"width {config['width'][0]:,}"
    return counted(config["depth"][0], "block" if config["arch"] == "transformer" else "layer")


def about_slopes(report: TransferReport) -> str:
    """Say what a slope is."""
    first, *_, last = report.scales
    least = least_error(report.scales, report.config.get("seeds", 1))
    sizes = f"{first:,} to {last:,}"
    return (
        f"slopes of log size against log {report.axis}, {sizes}, with their standard errors, at least "
        f"±{least:.2f} (networks that differ by {100 * SCATTER:.0f} %): 0 keeps its size; the logits, and attention's "
        "scores, may start smaller"
    )


def until_step(report: TransferReport) -> str:
    """Say up to which step layers are judged where training diverges."""
    last = max((step for one in report.layers for step in one.steps), default=0)
    return f"up to step {last}, before training diverges" if last else "before any training"


def notes(report: TransferReport) -> list[str]:
    """Return what is to be known of the table of layers."""
    return [*([f"layers are judged {until_step(report)}"] if diverges(report) else []), about_slopes(report)]


def about_losses(report: TransferReport) -> str:
    """Say what the table of losses shows."""
    seeds = report.config.get("seeds", 1)
    mean = f", the mean over {counted(seeds, 'seed')}" if seeds > 1 else ""
    return f"loss before the first step and after each{mean}"


def loss_cells(one: TransferLoss) -> list[str]:
    """Return a line of the table of losses: the scale, the first loss, that after each step."""
    return [f"{one.scale:,}", *("not finite" if loss is None else significant(loss, 3) for loss in one.losses)]


def loss_titles(report: TransferReport) -> list[str]:
    """Return what is written above such lines."""
    return [report.axis, "loss", *(f"step {step}" for step in range(1, len(report.losses[0].losses)))]
