"""A verification as a page for a browser: the answer, the errors on a log scale, the table."""

import math

from gradcheck.checking.cells import describe_circumstances, describe_failure, sum_up
from gradcheck.checking.verification import CheckResult, Verification
from gradcheck.pages.columns import Columns, columns_of, rounded
from gradcheck.pages.page import Axis, Chart, HtmlPage, Limit, Line, Note, Table, tone_of
from gradcheck.pages.writing import written
from gradcheck.render.heading import SEPARATOR
from gradcheck.render.numbers import log10
from gradcheck.spec.command_line import options

CHECKS = "checks"

#: What the table says of a check.
CELLS: Columns = {
    "kind": ("text", lambda check: check.kind, ""),
    "check": ("text", lambda check: check.name, ""),
    "method": ("text", lambda check: check.method, "what the pullback is compared with"),
    "error": ("power", lambda check: "0" if check.error == 0 else log10(check.error), "largest relative error"),
    "limit": ("power", lambda check: log10(check.limit), "the largest that passes"),
    "result": ("flag", lambda check: _result(check), ""),
    "note": ("text", lambda check: check.problem or check.note, ""),
}


def as_html(verification: Verification) -> str:
    """Return a verification as one HTML file."""
    label, basis = sum_up(verification)
    config = verification.config
    asked = {"seed": config.seed, "dtype": config.dtype}
    page = HtmlPage(
        command=verification.command,
        heading=SEPARATOR.join(describe_circumstances(verification)),
        label=label,
        tone=tone_of("ok" if verification.passed else "error"),
        reasons=(basis,),
        charts=(_errors(verification),),
        notes_title="Checks that fail",
        notes=tuple(
            Note(label="error", tone=tone_of("error"), heading=describe_failure(one)) for one in verification.failed
        ),
        tables=(Table(name=CHECKS, title="The checks", columns=columns_of(verification.checks, CELLS)),),
        commands=(" ".join(["gradcheck", "verify", *options(asked | {"seed": config.seed + 1})]),),
    )
    return written(page)


def _result(check: CheckResult) -> str:
    return "ok" if check.passed else "error"


def _errors(verification: Verification) -> Chart:
    """Return the error of each check, and the limits."""
    checks = verification.checks
    errors = tuple(rounded(log10(one.error)) for one in checks)
    limits = sorted({one.limit for one in checks})
    return Chart(
        title="Errors",
        about="Largest relative error of each check, on a log scale; an error of exactly zero has no point",
        x=Axis(label="check", names=tuple(f"{one.kind} {one.name}" for one in checks)),
        y=Axis(label="relative error", log=True),
        lines=(Line(name="error", x=tuple(range(1, len(checks) + 1)), y=errors, dots=True),),
        limits=tuple(Limit(value=math.log10(one), label=f"limit {one:g}") for one in limits),
        table=CHECKS,
        wide=True,
    )
