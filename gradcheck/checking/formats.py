"""A verification for other programs: JSON, CSV, Markdown."""

import json
from collections.abc import Iterator

from gradcheck.checking.cells import COLUMNS, answer, circumstances, complaint
from gradcheck.checking.verification import Verification
from gradcheck.render.style import escaped
from gradcheck.render.tables import records_as_csv


def verification_as_json(verification: Verification) -> str:
    """Return the verification as an indented JSON document."""
    return json.dumps(verification.to_dict(), indent=2, allow_nan=False) + "\n"


def verification_as_csv(verification: Verification) -> str:
    """Return one line a check; an empty error is a number that isn't finite, or none at all."""
    return records_as_csv(verification.checks)


def verification_as_markdown(verification: Verification) -> str:
    """Return the verification as GitHub-flavoured Markdown."""
    return "\n".join(_lines(verification)) + "\n"


def _lines(verification: Verification) -> Iterator[str]:
    label, basis = answer(verification)
    yield f"**{label}** - {escaped(basis)}"
    yield ""
    yield f"- {', '.join(map(escaped, circumstances(verification)))}"
    yield from (f"- {escaped(complaint(check))}" for check in verification.failed)
    yield from (f"- {escaped(check.name)}: {escaped(check.note)}" for check in verification.checks if check.note)
    yield ""
    yield f"| {' | '.join(name or 'result' for name in COLUMNS)} |"
    yield "| --- | --- | ---: | ---: | --- |"
    for check in verification.checks:
        yield f"| {' | '.join(escaped(cell(check)) for cell in COLUMNS.values())} |"
