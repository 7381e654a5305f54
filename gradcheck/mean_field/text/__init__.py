"""Theory as text: the answer first, then the predicted gradient along the layers, fixed points and depth scales."""

import math
from collections.abc import Iterator

from gradcheck.base.wording import counted
from gradcheck.mean_field.report import TheoryReport
from gradcheck.mean_field.text.attention_plane import attention_plane
from gradcheck.mean_field.text.blocks import LEAST, loses_tokens, picture_of_blocks, sentences_of_blocks, verb
from gradcheck.mean_field.text.phase_plane import phase_plane
from gradcheck.mean_field.unknown import ENDLESS, Unknown
from gradcheck.render.bars import sparkline
from gradcheck.render.heading import what_network
from gradcheck.render.numbers import significant
from gradcheck.render.page import PLAIN_PAGE, Page
from gradcheck.render.style import INDENT, STYLES
from gradcheck.spec.names import RECURRENT
from gradcheck.spec.thresholds import Thresholds

#: Parts of a heading that a perceptron of drawn weights doesn't have.
NOT_HERE = {"weights": None}

#: The verdict where theory has none.
NO_ANSWER = "no answer"

#: A gradient that grows or shrinks ↦ what ``simulate`` calls it beyond its limit.
BEYOND = {"growing": "exploding", "shrinking": "vanishing"}

#: Where a network's decades differ by more than this share from those of layers at the fixed point, it is said why.
UNLIKE = 0.01

#: 6 ξ_c was found with networks of 10 to 300 layers (Schoenholz et al. 2017, figure 5): below, it says nothing.
SHALLOWEST = 10


def as_text(report: TheoryReport, page: Page = PLAIN_PAGE) -> str:
    """Return what theory says as text."""
    return page.joined(_lines(report, page))


def _lines(report: TheoryReport, page: Page) -> Iterator[str]:
    yield from (page.painted(line, "dim") for line in page.wrapped(heading(report), 0))
    yield ""
    yield from _verdict(report, page)
    yield ""
    if report.layers:
        yield from picture_of_blocks(report, page) if report.points else _picture(report, page)
        yield ""
    yield from _numbers(report, page)
    if report.attention_diagram is not None:
        yield from attention_plane(report, page)
        yield ""
    if report.phase_diagram is not None:
        yield from phase_plane(report, page)
        yield ""
    for note in (*report.notes, _width_note(report)):
        yield from (page.painted(" " * INDENT + line, "dim") for line in page.wrapped(note, INDENT))
    yield ""
    for command in next_commands(report):
        yield page.painted(f"  {command}", "bold")


def next_commands(report: TheoryReport) -> list[str]:
    """Return what to type next: what measures the network, and the page of the verdict where there is one."""
    word = label(report)
    return [report.next_command, *([f"gradcheck explain {word}"] if word != NO_ANSWER else [])]


def heading(report: TheoryReport) -> str:
    """Return the network and its scales in one line."""
    config = report.config
    scales = "" if config.sigma_w is None else f" · σ_w {config.sigma_w:.4g}, σ_b {config.sigma_b:.4g}"
    return f"{what_network({**config, **NOT_HERE})}{scales}"


def label(report: TheoryReport) -> str:
    """Return the verdict in one or two words."""
    if report.fixed_point.phase is not None:
        return str(report.fixed_point.phase)
    if not report.layers:
        return NO_ANSWER
    ratio = report.layers[0].log10_gradient_ratio
    return "steady" if abs(ratio) < LEAST else "growing" if ratio > 0 else "shrinking"


def colour(report: TheoryReport) -> str:
    """Return the verdict's colour: a gradient that grows or shrinks within the limit is no fault."""
    word = label(report)
    fine = word in BEYOND and is_within_limit(report) and not loses_tokens(report)
    return "green" if fine else STYLES.get(word, "yellow")


def sentences(report: TheoryReport) -> list[str]:
    """Return the verdict in words, the answer first."""
    without = report.reasons.get("network")
    if report.points and not without:
        first, *others = sentences_of_blocks(report)
        return [first, *_in_training(report), *others] if not loses_tokens(report) else [first, *others]
    first = without or _gradient(report)
    if report.fixed_point.phase is not None:
        return [first, *_in_training(report), *_deepest(report), _critical(report)]
    unsettled = report.reasons["fixed_point"]
    known = [first, *_in_training(report)]
    return known if without and without.code == unsettled.code else [*known, unsettled]


def is_within_limit(report: TheoryReport) -> bool:
    """Whether no two layers' gradients are further apart than ``simulate`` allows."""
    ratios = [layer.log10_gradient_ratio for layer in report.layers]
    return max(ratios) - min(ratios) <= Thresholds().max_span


def _in_training(report: TheoryReport) -> Iterator[str]:
    """Say what it means for training that the gradient grows or shrinks, and when it is called worse."""
    limit, ratio = f"{Thresholds().max_span:g} decades", report.layers[0].log10_gradient_ratio if report.layers else 0.0
    if abs(ratio) < LEAST:
        return
    word = "growing" if ratio > 0 else "shrinking"
    if is_within_limit(report):
        yield f"small enough to train: {word} is called {BEYOND[word]} above {limit}, from where on SGD mostly fails"
    else:
        yield f"too far apart for training: above {limit} SGD mostly fails, and simulate calls it {BEYOND[word]}"


def _gradient(report: TheoryReport) -> str:
    """Say what a layer does to the gradient, and what all layers of this network do."""
    network, chi, depth = report.network, report.fixed_point.chi, len(report.layers)
    gain = network.mean_local_gain if chi is None else chi**0.5
    if gain is None or depth == 1:
        return f"there is no second {unit(report)} to compare with"
    ratio, deviation = report.layers[0].log10_gradient_ratio, network.log10_gradient_ratio_std
    band = f" (±{deviation:.2g} at this width)" if deviation else ""
    factor = "" if chi is None else f" (χ₁ = {chi:.4g})"
    changes = abs(ratio) >= LEAST
    if not changes if chi is None else report.fixed_point.phase == "critical":
        here = f"{verb(ratio)} by {abs(ratio):.3g} decades" if changes else "changes by 0 decades"
        settled = f"the gradient keeps its size{factor} once the signal has settled"
        return f"{settled}; in {depth} {unit(report)}s it {here}{band}"
    turned = changes and (ratio > 0) != (gain > 1)
    here = f"but here it {verb(ratio)} in {depth} {unit(report)}s" if turned else f"in {depth} {unit(report)}s"
    first = f"the gradient {verb(gain - 1)} by a factor of {significant(gain, 3)} a {unit(report)}{factor}"
    unsettled = chi is not None and abs(ratio - (depth - 1) * math.log10(gain)) > max(LEAST, UNLIKE * abs(ratio))
    why = "; the first layers, where the signal hasn't settled, differ from the others" if unsettled else ""
    return f"{first}, {here} by {abs(ratio):.3g} decades{band}{why}"


def unit(report: TheoryReport) -> str:
    """Return what its layers are called."""
    return "step" if report.config.arch in RECURRENT else "layer"


def _deepest(report: TheoryReport) -> Iterator[str]:
    """Say after how many layers the inputs' relation is lost, where the rule for it holds."""
    deepest = report.fixed_point.deepest_trainable
    if deepest is None:
        reason = report.reasons["deepest_trainable"]
        endless = reason.code == ENDLESS
        yield (
            "theory sets no limit to the depth"
            if endless
            else f"no depth at which the inputs' relation is lost: {reason}"
        )
    elif deepest >= SHALLOWEST:
        layers = counted(round(deepest), "layer")
        rule = f"6 ξ_c, a rule found for {SHALLOWEST} layers and more"
        yield f"how the inputs relate is lost after about {layers} ({rule})"


def _critical(report: TheoryReport) -> str:
    """Say where such a network is critical."""
    point = report.fixed_point
    if point.critical_sigma_w is None:
        return f"no critical gain: {report.reasons['critical_gain']}"
    return f"critical at σ_w = {point.critical_sigma_w:.4g}, that is --gain {point.critical_gain:.4g}"


def _verdict(report: TheoryReport, page: Page) -> Iterator[str]:
    """The verdict's label, its sentences beside it."""
    word = label(report)
    shown = f" {word.upper()} "
    indent = len(shown) + 3
    lines = [line for sentence in sentences(report) for line in page.wrapped(sentence, indent)]
    yield f" {page.painted(shown, 'reverse', colour(report))}  {page.painted(lines[0], 'bold')}"
    yield from (" " * indent + line for line in lines[1:])


def _picture(report: TheoryReport, page: Page) -> Iterator[str]:
    """The predicted gradient along the layers, on a log scale."""
    ratios = [layer.log10_gradient_ratio for layer in report.layers]
    line = sparkline(ratios, page.width - 2 * INDENT, page.glyphs)
    last = f"{len(ratios)}" if len(ratios) > 1 else ""
    first = f"{unit(report)} 1"
    ends = first + last.rjust(max(len(last) + 1, len(line) - len(first)))
    heights = f"log10 {min(ratios):z.1f} … {max(ratios):z.1f}, predicted".replace("-", "−")
    fits = INDENT + len(ends) + 3 + len(heights) <= page.width
    for text in [f"{ends}   {heights}"] if fits else [heights, ends]:
        yield page.painted(" " * INDENT + page.readable(text), "dim")
    yield " " * INDENT + line


#: Names of the fixed point's numbers, as in the papers.
SYMBOLS = {
    "fixed point": {"variance": "q*", "correlation": "c*", "chi": "χ₁"},
    "depth scales": {"variance_depth": "ξ_q", "correlation_depth": "ξ_c", "gradient_depth": "ξ_∇"},
}


def _numbers(report: TheoryReport, page: Page) -> Iterator[str]:
    """The fixed points and the depth scales, and why some of them are missing."""
    if report.fixed_point.chi is None:
        return
    missing: dict[str, tuple[Unknown, list[str]]] = {}
    for title, symbols in SYMBOLS.items():
        cells = [page.readable(f"{symbol} {_number(report, name)}") for name, symbol in symbols.items()]
        line = f"  {title:<14}" + "".join(f"{cell:<15}" for cell in cells).rstrip()
        yield from [line] if len(line) <= page.width else [f"  {title}", *(f"    {cell}" for cell in cells)]
        for name, symbol in symbols.items():
            if _number(report, name) == "-":
                reason = report.reasons[name]
                missing.setdefault(reason.code, (reason, []))[1].append(symbol)
    for reason, absent in missing.values():
        yield from (f"  {line}" for line in page.wrapped(f"no {', '.join(absent)}: {reason}", INDENT))
    yield ""


def _number(report: TheoryReport, name: str) -> str:
    value = report.fixed_point[name]
    if value is None:
        return "inf" if report.reasons[name].code == ENDLESS else "-"
    return significant(value, 4)


def _width_note(report: TheoryReport) -> str:
    deviation = "; ± is the standard deviation at this width" if report.network.log10_gradient_ratio_std else ""
    return f"mean-field theory: infinite width, random weights, none of them drawn{deviation}"
