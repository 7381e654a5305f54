"""Text for a terminal: the verdict first, then the picture, the table and what to do."""

from collections.abc import Iterator

from rich.console import RenderableType

from gradcheck.diagnosis.chances import said_of_training
from gradcheck.diagnosis.label import label_of
from gradcheck.diagnosis.report import Report
from gradcheck.diagnosis.text.advice import advice
from gradcheck.diagnosis.text.course import losses
from gradcheck.diagnosis.text.layer_table import layer_table
from gradcheck.diagnosis.text.number_table import number_table
from gradcheck.diagnosis.text.picture import picture
from gradcheck.render.heading import what_was_run
from gradcheck.render.layout import aside, indented, printed, verdict_block
from gradcheck.render.page import PLAIN_PAGE, Page
from gradcheck.render.style import INDENT


def as_text(report: Report, page: Page = PLAIN_PAGE, *, all_layers: bool = False) -> str:
    """Return the report as text, as it is shown on a page; of a deep network the table has some layers, or all."""
    return printed(_parts(report, page, all_layers), page)


def _parts(report: Report, page: Page, all_layers: bool) -> Iterator[RenderableType]:
    yield aside(what_was_run(report.config))
    yield ""
    yield _verdict(report)
    yield from losses(report, page)
    yield ""
    yield indented(picture(report, page.width - 2 * INDENT, page.glyphs))
    yield ""
    yield from layer_table(report, page, all_layers)
    yield from number_table(report, page.width)
    yield from advice(report, page.width)


def _verdict(report: Report) -> RenderableType:
    """The verdict in one word, its reasons beside it; what theory says, where it says anything."""
    verdict, theory = report.verdict, report.prediction
    predicted = [theory.says] if theory and theory.mean_local_gain is not None else []
    reasons = [*verdict.reasons, *predicted, *said_of_training(report)]
    return verdict_block(*label_of(verdict.status, [cause.code for cause in verdict.causes]), reasons)
