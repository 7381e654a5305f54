"""What the text and the tables of a search share: the first line, the columns, the next command."""

from collections.abc import Callable

from gradcheck.base.wording import counted
from gradcheck.learning_rate.report import CALLED, RateReport, RateRun
from gradcheck.learning_rate.rules import usual_updates
from gradcheck.learning_rate.runs import NO_BETTER as OF_A_GUESS
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

#: What a rate that fits is called outside the band of the best one.
BELOW, ABOVE = "RATE TRAINS, LOW", "RATE TRAINS, HIGH"

#: Columns of the table of runs, but for how they ended: heading, and how a run fills it.
COLUMNS: dict[str, Callable[[RateRun], str]] = {
    "rate": lambda one: significant(one.rate),
    "loss": lambda one: significant(one.loss, 3) if one.loss is not None else "-",
}

#: What is said of a run whose loss falls, though no rate helps.
NO_BETTER = "no better than guessing"

#: The same of one whose loss was below what guessing costs before any update.
NO_PROGRESS = "hardly any progress"


def outcome(report: RateReport, run: RateRun) -> str:
    """Say how a run ended: where no rate helps, that a loss which falls gets no further than a constant answer's."""
    if run.loss is None:
        return f"diverged after {counted(run.updates - 1, 'update')}"
    guess = report.start.constant_loss
    if report.verdict.status != "no-rate" or guess is None or run.status != "falls":
        return run.status
    return NO_BETTER if run.loss > OF_A_GUESS * guess else NO_PROGRESS


def heading(report: RateReport) -> str:
    """Return what was run in one line."""
    config = report.config
    decay = config.get("weight_decay")
    optimizer = CALLED.get(config.optimizer, config.optimizer) + (f", weight decay {decay:g}" if decay else "")
    longest = max((one.updates for one in report.runs), default=0)
    updates = (
        f"{config.updates} to {longest} updates" if longest > config.updates else counted(config.updates, "update")
    )
    return SEPARATOR.join([what_was_run(config), optimizer, f"runs of {updates}"])


def label_of(report: RateReport) -> tuple[str, str]:
    """Return the verdict in a few words, and its colour; of a rate that is found the rate itself."""
    label, colour = LABELS[report.verdict.status]
    if report.answer is not None and report.verdict.status == "found":
        label = f"RATE {significant(report.answer.best_rate)}"
    outside = next((one for one in report.verdict.causes if one.code == "outside-band"), None)
    if outside is not None:  # it trains, and the band says that another one trains better
        label, colour = BELOW if (outside.value or 0) < (outside.limit or 0) else ABOVE, "yellow"
    if any(one.code == "falls" for one in report.verdict.causes):  # every rate helps
        label = "NO RATE IS BEST"
    return label, colour


def next_command(report: RateReport) -> str:
    """Return the command that one would type next: more seeds, a rate that fits, or what is wrong with the network."""
    config, status = report.config.to_dict(), report.verdict.status
    if "arch" not in config:
        return "gradcheck explain learning-rate"
    if report.cure is not None:
        return report.cure.command
    if report.answer is None:
        return command_line("simulate", network_of(config))
    usual = usual_updates(report.start.multiplications or 0)
    outside = any(one.code == "outside-band" for one in report.verdict.causes)
    if status in ("too-high", "too-low") or outside:
        return rate_command_line(config, usual, lr=float(significant(report.answer.best_rate)))
    if config["seeds"] == 1:
        return rate_command_line(config, usual, seeds=5)
    return "gradcheck explain learning-rate"


def told_along(report: RateReport) -> str:
    """Say what the search along the first draw's first update saw; empty where it found nothing."""
    first = report.draws[0]
    if first.critical_rate is None:
        return ""
    least, critical, low, high = map(
        significant, (first.least_rate, first.critical_rate, first.rates[0], first.rates[-1])
    )
    return f"loss along the first update, rates {low} to {high}: least at {least}, risen from {critical}"
