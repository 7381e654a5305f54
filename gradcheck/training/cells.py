"""What the text and the tables of a demonstration share: the first line, and the columns."""

from collections.abc import Callable

from gradcheck.base.wording import as_percent, counted
from gradcheck.render.heading import SEPARATOR, what_was_run
from gradcheck.render.numbers import significant
from gradcheck.training.report import DemoReport, DemoStrategy

#: Columns of the table: heading, and how a strategy fills it.
COLUMNS: dict[str, Callable[[DemoStrategy], str]] = {
    "strategy": lambda one: str(one.rule),
    "accuracy": lambda one: "-" if one.final_accuracy is None else f"{100 * one.final_accuracy:.1f} %",
    "loss": lambda one: significant(one.final_loss),
    "diverged": lambda one: _end(one),
    "largest norm": lambda one: significant(one.largest_norm_before),
    "clipped to": lambda one: significant(one.largest_norm_after),
    "clipped": lambda one: as_percent(one.clipped_fraction),
    "cosine": lambda one: "-" if one.mean_cosine is None else f"{one.mean_cosine:.3f}",
    "rate lost": lambda one: as_percent(one.learning_rate_lost),
    "non-finite": lambda one: str(one.nonfinite_steps),
}


def _end(one: DemoStrategy) -> str:
    """Say where a run diverged or was stopped."""
    if one.status == "stopped":
        return f"stop at {one.steps}"
    return f"step {one.diverged_at_step}" if one.diverged else "no"


def heading(report: DemoReport) -> str:
    """Return what was run in one line."""
    config = report.config
    steps = max((one.steps for one in report.strategies if one.status != "stopped"), default=0)
    length = counted(config.epochs, "epoch") + (f" ({counted(steps, 'step')})" if steps else "")
    clips = [f"clipped as {config.library} does"] if config.library else []
    return SEPARATOR.join([what_was_run(config), f"SGD {config.lr:g}, momentum {config.momentum:g}, {length}", *clips])


def interrupted(finished: int, asked: int) -> str:
    """Say how many strategies there are of those that were asked for."""
    return f"interrupted: {finished} of {asked} strategies are finished"
