"""What the text and the Markdown of a verification share: the answer, and the cells of a check. Loads no rich."""

import math
from collections.abc import Callable, Iterator

from gradcheck.base.wording import counted
from gradcheck.checking.verification import CheckResult, Verification
from gradcheck.render.numbers import significant
from gradcheck.render.style import without_controls

#: Columns of the table: heading, and how a check fills it.
COLUMNS: dict[str, Callable[[CheckResult], str]] = {
    "kind": lambda check: check.kind,
    "check": lambda check: check.name,
    "error": lambda check: significant(check.error),
    "limit": lambda check: _limit(check),
    "": lambda check: "ok" if check.passed else "FAIL",
}

#: Columns that a narrow terminal does without, the first first.
SPARED = ("limit", "kind")


def sum_up(verification: Verification) -> tuple[str, str]:
    """Return whether all checks pass, and the worst error."""
    count, failed, worst = len(verification.checks), len(verification.failed), verification.worst
    passing = "the check passes" if count == 1 else f"all {count} checks pass"
    label = f"{failed} of {count} checks fail" if failed else passing
    error = "no number" if worst.error is None else significant(worst.error)
    basis = f"worst: {error} ({worst.kind} {worst.name}), limit {_limit(worst)}"
    return label, f"{basis}, {verification.seconds:.1f} s"


def describe_failure(check: CheckResult) -> str:
    """Return what is wrong with a check that fails."""
    measured = f"error {significant(check.error)}, limit {_limit(check)}"
    return f"{check.kind} {check.name}: {without_controls(check.problem) if check.problem else measured}"


def describe_circumstances(verification: Verification) -> Iterator[str]:
    """Yield what the numbers depend on."""
    config, where = verification.config, verification.environment
    yield f"{config.dtype}, epsilon {where.epsilon:.1e}"
    yield f"seed {config.seed}"
    yield f"NumPy {where.numpy}"
    yield " ".join(filter(None, (where.blas or "BLAS unknown", where.blas_version)))
    yield counted(where.threads, "thread")
    yield f"Python {where.python}, {where.machine}"


def _limit(check: CheckResult) -> str:
    """Return a limit, a power of ten, in short."""
    return f"1e{round(math.log10(check.limit))}"
