"""What the text and the tables of a search share: the first line, the columns, the next command."""

from collections.abc import Callable, Sequence

from gradcheck.base.wording import as_percent, counted
from gradcheck.learning_rate.report import CALLED, RateAlong, RateReport, RateUpdate
from gradcheck.render.heading import SEPARATOR, what_was_run
from gradcheck.render.numbers import significant
from gradcheck.spec.command_line import command_line
from gradcheck.spec.learning_rate import network_of, rate_command_line

#: What the verdict is called, and its colour.
LABELS = {
    "found": ("RATE", "green"),
    "fits": ("RATE FITS", "green"),
    "too-high": ("TOO HIGH", "red"),
    "too-low": ("TOO LOW", "yellow"),
    "no-rate": ("NO RATE HELPS", "red"),
}

#: Columns of the table of updates: heading, and how an update fills it.
COLUMNS: dict[str, Callable[[RateUpdate], str]] = {
    "update": lambda one: str(one.update),
    "loss": lambda one: significant(one.loss, 3),
    "critical rate": lambda one: significant(one.critical_rate) if one.critical_rate else one.status,
    "least at": lambda one: significant(one.least_rate),
    "loss there": lambda one: significant(one.least_loss, 3),
    "made at": lambda one: significant(one.rate),
    "passes": lambda one: str(one.passes),
}

#: The same of the loss along the updates.
ALONG: dict[str, Callable[[RateAlong], str]] = {
    "rate": lambda one: significant(one.rate),
    "loss changes": lambda one: change(one.change),
    "rises along": lambda one: as_percent(one.risen),
}

#: Updates of the table at most: the first ones, and an even sample of the others.
MOST, BEGINNING = 10, 5


def headline(report: RateReport) -> str:
    """Return what was run in one line."""
    config = report.config
    decay = config.get("weight_decay")
    optimizer = CALLED.get(config.optimizer, config.optimizer) + (f", weight decay {decay:g}" if decay else "")
    return SEPARATOR.join([what_was_run(config), optimizer, counted(config.updates, "update")])


def label_of(report: RateReport) -> tuple[str, str]:
    """Return the verdict in a few words, and its colour; of a rate that is found the rate itself."""
    label, colour = LABELS[report.verdict.status]
    if report.answer is not None and report.verdict.status == "found":
        label = f"RATE {significant(report.answer.best_rate)}"
    return label, colour


def change(share: float | None) -> str:
    """Return a change of the loss in per cent, with its sign; a large one as a factor."""
    if share is None:
        return "-"
    return f"{100 * share:+.2g} %" if share < 1 else f"× {significant(1 + share)}"


def sample(updates: Sequence[RateUpdate]) -> list[RateUpdate]:
    """Return the updates that a table shows."""
    if len(updates) <= MOST:
        return list(updates)
    rest = MOST - BEGINNING
    last = len(updates) - 1
    chosen = [*range(BEGINNING), *(last - (rest - 1 - at) * (last - BEGINNING) // rest for at in range(rest))]
    return [updates[at] for at in dict.fromkeys(chosen)]


def next_command(report: RateReport) -> str:
    """Return the command that one would type next: more seeds, a rate that fits, or what is wrong with the network."""
    config, status = report.config.to_dict(), report.verdict.status
    if "arch" not in config:
        return "gradcheck explain learning-rate"
    if report.answer is None:
        return command_line("simulate", network_of(config))
    if status in ("too-high", "too-low"):
        return rate_command_line(config, lr=float(significant(report.answer.best_rate)))
    if config["seeds"] == 1:
        return rate_command_line(config, seeds=5)
    return "gradcheck explain learning-rate"
