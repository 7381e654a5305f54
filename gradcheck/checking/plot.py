"""A verification as a figure: the error of each check on a log scale, and the limit beside it."""

import math
from typing import TYPE_CHECKING

from gradcheck.checking.cells import describe_circumstances, sum_up
from gradcheck.checking.verification import Verification
from gradcheck.render import figure
from gradcheck.render.heading import SEPARATOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot(verification: Verification, ax: "Axes | None" = None) -> "Axes":
    """Draw the error of each check."""
    return figure.draw(verification, [figure.Part(_draw_errors, 1.2 + 0.15 * len(verification.checks))], ax)


def _draw_errors(ax: "Axes", verification: Verification) -> None:
    checks, smallest = verification.checks, math.log10(verification.environment.epsilon)
    logs = [math.log10(check.error) if check.error else None for check in checks]
    place = figure.log_axis(ax, [smallest, 0.0, *logs, *(math.log10(check.limit) for check in checks)], "x")
    for passed, look in ((True, {"marker": "o", "color": figure.GREEN}), (False, {"marker": "X", "color": figure.RED})):
        some = [index for index, check in enumerate(checks) if check.passed is passed]
        places = [place(_logarithm(checks[index].error, smallest)) for index in some]
        if some:
            ax.plot(places, some, linestyle="", markersize=4.5, label="passes" if passed else "fails", **look)
    limits = [place(math.log10(check.limit)) for check in checks]
    ax.plot(limits, range(len(checks)), linestyle="", marker="|", markersize=8, color=figure.BLACK, label="limit")
    ax.set_yticks(range(len(checks)), [figure.literal(f"{check.kind} {check.name}") for check in checks], fontsize=7)
    ax.set(ylim=(len(checks) - 0.5, -0.5), xlabel="relative error (without a number: 1; exactly 0: epsilon)")
    ax.grid(axis="y", alpha=0.3)
    answer, basis = sum_up(verification)
    figure.entitle(ax, f"{answer}; {basis}", SEPARATOR.join(describe_circumstances(verification)))
    figure.explain_lines(ax)


def _logarithm(error: float | None, smallest: float) -> float:
    """Return where an error is drawn: one without a number is the largest, one of zero the smallest."""
    if error is None:
        return 0.0
    return math.log10(error) if error > 0 else smallest
