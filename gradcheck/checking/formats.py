"""A verification for other programs: CSV, Markdown."""

from collections.abc import Iterator

from gradcheck.checking.cells import COLUMNS, describe_circumstances, describe_failure, sum_up
from gradcheck.checking.verification import Verification
from gradcheck.render.documents import markdown_table, records_as_csv
from gradcheck.render.style import escaped


def as_csv(verification: Verification) -> str:
    """Return one line a check; an empty error is a number that isn't finite, or none at all."""
    return records_as_csv(verification.checks)


def as_markdown(verification: Verification) -> str:
    """Return the verification as GitHub-flavoured Markdown."""
    return "\n".join(_lines(verification)) + "\n"


def _lines(verification: Verification) -> Iterator[str]:
    label, basis = sum_up(verification)
    yield f"**{label}** - {escaped(basis)}"
    yield ""
    yield f"- {', '.join(map(escaped, describe_circumstances(verification)))}"
    yield from (f"- {escaped(describe_failure(check))}" for check in verification.failed)
    yield from (f"- {escaped(check.name)}: {escaped(check.note)}" for check in verification.checks if check.note)
    yield ""
    header = [name or "result" for name in COLUMNS]
    rows = ([escaped(cell(check)) for cell in COLUMNS.values()] for check in verification.checks)
    yield from markdown_table(header, rows, right=("error", "limit"))
