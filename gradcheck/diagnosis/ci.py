"""For continuous integration: annotations of a GitHub workflow, and a JUnit test report."""

from collections.abc import Iterator
from xml.etree import ElementTree

from gradcheck.diagnosis.label import DOUBTFUL, label_of
from gradcheck.diagnosis.regression import AGAIN, Move, Regression, missing_layers
from gradcheck.diagnosis.remarks import ASKED_FOR
from gradcheck.diagnosis.report import CauseRecord, RegionRecord, Report
from gradcheck.render.junit import case, suite
from gradcheck.render.numbers import power
from gradcheck.render.style import without_controls
from gradcheck.render.workflow import MOST, annotation


def as_github(report: Report) -> str:
    """Return workflow commands: an annotation a region and a remark, at most ten; one of a verdict no region has."""
    status, reasons = report.verdict.status, report.verdict.reasons
    label, _ = label_of(status, [cause.code for cause in report.verdict.causes])
    level = {"healthy": "notice", DOUBTFUL: "warning"}.get(label, "error")
    verdict = [annotation(level, label, reasons[0] if reasons else status)]
    of_regions = "warning" if status == "healthy" else "error"
    regions = [annotation(of_regions, region.flag, _region_text(report, region)) for region in report.regions]
    said = status == "healthy" or status in {region.flag for region in report.regions}
    remarks = [annotation("warning", cause.code, cause.text) for cause in _remarks(report)]
    shown = regions if (regions or remarks) and said else [*verdict, *regions]
    return "\n".join([*shown[: MOST - len(remarks)], *remarks]) + "\n"


def _remarks(report: Report) -> list[CauseRecord]:
    """Return what ``--fail-on`` can name beside a verdict: it fails as a test of its own."""
    return [cause for cause in report.verdict.causes if cause.code in ASKED_FOR]


def regression_as_github(regression: Regression) -> str:
    """Return workflow commands: an annotation a layer that moved, at most ten; one if none did or it improved."""
    course = f"{regression.status_before} → {regression.status_after}"
    level = "error" if regression.regression else "notice"
    gone = missing_layers(regression)
    moved = [gone] if gone else []
    moved += [f"{_called(move.name)} moved {_change(move)}" for move in regression.layers if move.moved]
    said = [AGAIN] if regression.outcome == "improved" else moved or ["no layer moved"]
    return "".join(annotation(level, regression.outcome, f"{course}; {text}") + "\n" for text in said[:MOST])


def _change(move: Move) -> str:
    """Return how far a layer's gradient moved."""
    return "to or from a number that isn't finite" if move.change is None else f"by {move.change:+.2f} decades"


def _region_text(report: Report, region: RegionRecord) -> str:
    """Say which layers a region holds, and how far from the others."""
    first, last = report.layers[region.first_layer - 1], report.layers[region.last_layer - 1]
    names = _called(first.name) if first is last else f"{_called(first.name, 's')} to {last.name}"
    worst = report.layers[region.worst_layer - 1]
    ratio = power(worst.log10_gradient_ratio, worst.gradient_ratio)
    return f"{names}: {region.flag}, gradient ratio {ratio} at {_called(worst.name)}"


def _called(name: str, plural: str = "") -> str:
    """Return a layer's name; a number says that it is one."""
    return f"layer{plural} {name}" if name.isdecimal() else name


def as_junit(report: Report) -> str:
    """Return a test report: the verdict, each remark and every layer is a test, which fails where it is flagged."""
    return suite(report.command, list(_cases(report)))


def regression_as_junit(regression: Regression) -> str:
    """Return a test report: the verdict and every layer is a test, which fails where a regression is seen there."""
    return suite(regression.command, list(_moves(regression)))


def _moves(regression: Regression) -> Iterator[ElementTree.Element]:
    failed = "regression" if regression.regression else ""
    course = f"{regression.status_before} → {regression.status_after}"
    worse = failed if regression.worse else ""
    yield case("baseline", "verdict", worse, course)
    gone = missing_layers(regression)
    if gone:
        yield case("baseline", "layers", failed, gone)
    for move in regression.layers:
        yield case("baseline", move.name, failed if move.moved else "", f"{course}; moved {_change(move)}")


def _cases(report: Report) -> Iterator[ElementTree.Element]:
    subject = without_controls(str(report.config.get("target") or report.config.get("model") or report.command))
    healthy = report.verdict.status == "healthy"
    yield case(subject, "verdict", "" if healthy else report.verdict.status, "\n".join(report.verdict.reasons))
    for cause in _remarks(report):
        yield case(subject, cause.code, cause.code, cause.text)
    for layer in report.layers:
        flag = "" if layer.flag == "ok" else layer.flag
        ratio = power(layer.log10_gradient_ratio, layer.gradient_ratio)
        yield case(subject, layer.name, flag, f"gradient ratio {ratio}")
