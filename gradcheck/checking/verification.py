"""Whether the engine's gradients are right on this machine: every pullback against a second route."""

import math
import time
from collections.abc import Sequence
from typing import Unpack

import numpy as np

from gradcheck.base.document import CommandReport
from gradcheck.base.record import Record, item, number
from gradcheck.checking.checks import Check, list_checks
from gradcheck.checking.differences import Source
from gradcheck.checking.environment import Environment, describe_environment
from gradcheck.errors import OptionError, shown
from gradcheck.spec import DTYPES
from gradcheck.spec.options.checking import VerifyOptions
from gradcheck.spec.options.option import canonical, checked, rows, takes

#: The largest relative error that passes, by arithmetic and method. It is between the errors of rounding and of the
#: differences, at most 8e-9 in float64 and 7e-6 in float32 on 1,000 seeds, and those of wrong formulas, at least 3e-4
#: among those that were tried. An identity has no differences: in float64 only rounding is left. In float32 the
#: rounding of the pullback dominates both.
LIMITS: dict[str, dict[str, float]] = {
    "float64": {"differences": 1e-6, "identity": 1e-10},
    "float32": {"differences": 1e-4, "identity": 1e-4},
}


class VerificationConfig(Record):
    """What was asked for."""

    seed: int = item(minimum=0)
    dtype: str = item(enum=list(DTYPES))
    only: tuple[str, ...]


class VerificationSummary(Record):
    """All checks together."""

    passed: bool
    checks: int = item(minimum=0)
    failed: int = item(minimum=0)
    worst_kind: str
    worst_name: str
    worst_error: float | None = item("the largest; null where a check has none")
    seconds: float = item(exclusiveMinimum=0)


class CheckResult(Record):
    """What one check found."""

    kind: str
    name: str
    method: str = item("what the pullback is compared with", enum=list(LIMITS["float64"]))
    error: float | None = item("largest relative error; null: not finite, or the problem says why")
    limit: float = item(exclusiveMinimum=0)
    passed: bool
    problem: str | None = item("why there is no error to measure")
    note: str | None


class Verification(CommandReport):
    """What the checks of the engine found."""

    table = "checks"
    text = "gradcheck.checking.text:as_text"
    figure = "gradcheck.checking.plot:plot"
    page = "gradcheck.checking.html:as_html"

    config: VerificationConfig
    environment: Environment
    summary: VerificationSummary
    checks: tuple[CheckResult, ...] = item(minItems=1)

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that don't pass."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def passed(self) -> bool:
        """Whether all checks pass."""
        return self.summary.passed

    @property
    def worst(self) -> CheckResult:
        """The check whose error is largest; one without a number is worse than any."""
        return worst_of(self.checks)

    @property
    def seconds(self) -> float:
        """How long they took."""
        return self.summary.seconds


def worst_of(results: Sequence[CheckResult]) -> CheckResult:
    """Return the check whose error is largest; one without a number is worse than any."""
    return max(results, key=lambda check: math.inf if check.error is None else check.error)


@takes(VerifyOptions)
def verify(**options: Unpack[VerifyOptions]) -> Verification:
    """Check the engine's pullbacks on this machine, each against a second route to the same number.

    >>> gradcheck.verify(only="loss").passed
    True

    Unlike the function of that name in PyTorch, which checks your functions, it checks gradcheck itself.

    Parameters
    ----------
    seed : int
        Of the random inputs and directions.
    dtype : str
        Arithmetic of the pullbacks, ``float64`` or ``float32``; the differences are taken in float64.
    only : str or sequence of str, optional
        Names or kinds of the checks that are run; all, if there are none.

    Returns
    -------
    Verification

    Raises
    ------
    OptionError
        An option has a value that it can't have.
    """
    settled = checked(rows(VerifyOptions), options)
    only, seed, dtype = (settled[name] for name in ("only", "seed", "dtype"))
    names = (only,) if isinstance(only, str) else tuple(only or ())
    chosen = _chosen(list_checks(), names)
    start = time.perf_counter()
    results = tuple(_result(check, seed, dtype) for check in chosen)
    return Verification(
        command="verify",
        config=VerificationConfig(seed=seed, dtype=dtype, only=names),
        environment=describe_environment(dtype),
        summary=summarize_checks(results, time.perf_counter() - start),
        checks=results,
    )


def summarize_checks(results: Sequence[CheckResult], seconds: float) -> VerificationSummary:
    """Return all checks in a few numbers, and how long they took."""
    failed, worst = sum(not check.passed for check in results), worst_of(results)
    return VerificationSummary(
        passed=not failed,
        checks=len(results),
        failed=failed,
        worst_kind=worst.kind,
        worst_name=worst.name,
        worst_error=worst.error,
        seconds=seconds,
    )


def _chosen(every: Sequence[Check], names: Sequence[str]) -> list[Check]:
    """Return the checks that have one of the names, or are of that kind."""
    known = list(dict.fromkeys(word for check in every for word in (check.kind, check.name)))
    for name in names:
        if canonical(name, known) not in known:
            raise OptionError("only", f"{shown(name)} is unknown; {_hint(name, every, known)}")
    chosen = {canonical(name, known) for name in names}
    return [check for check in every if not names or {check.kind, check.name} & chosen]


def _hint(name: str, every: Sequence[Check], known: Sequence[str]) -> str:
    """Return what may have been meant, and what is allowed."""
    from difflib import get_close_matches  # only a mistake pays for it

    near = get_close_matches(str(name).lower(), known, n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    kinds = ", ".join(dict.fromkeys(check.kind for check in every))
    return f"{meant}allowed: a kind of checks ({kinds}) or the name of one, as gradcheck verify lists them"


def _result(check: Check, seed: int, dtype: str) -> CheckResult:
    """Run one check; a broken engine may raise anything, and the other checks are still run."""
    limit, problem, error = LIMITS[dtype][check.method], None, math.nan
    try:
        with np.errstate(all="ignore"):
            error = check.error(Source(seed, f"{check.kind} {check.name}", dtype))
        problem = None if math.isfinite(error) else "a number is not finite"
    except Exception as exception:
        problem = f"{type(exception).__name__}: {exception}"
    return CheckResult(
        kind=check.kind,
        name=check.name,
        method=check.method,
        error=number(error),
        limit=limit,
        passed=error <= limit,
        problem=problem,
        note=check.note or None,
    )
