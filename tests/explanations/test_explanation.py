"""What the pages of ``gradcheck explain`` say is so: every command is run, every number is measured."""

import math
import re
from functools import cache, partial

import pytest

import gradcheck
from gradcheck import explain, simulate, theory
from gradcheck.diagnosis import score as score
from gradcheck.diagnosis.status import NETWORK_STATUSES
from gradcheck.explanations import NAMES, TOPICS
from gradcheck.explanations.explanation import DEPTH, MULTIPLIED_OUT, WIDTH
from gradcheck.explanations.findings import FINDINGS
from gradcheck.explanations.parametrization import PARAMETRIZATION
from gradcheck.learning_rate.conclusions import CODES as RATE_CODES
from gradcheck.mean_field.text import label
from gradcheck.render.numbers import percent
from gradcheck.spec.options.learning_rate import RateOptions
from gradcheck.spec.options.option import rows
from gradcheck.spec.options.simulation import SimulateOptions, TheoryOptions
from gradcheck.spec.options.training import ClipDemoOptions
from gradcheck.spec.options.transfer import TransferOptions

#: (name of a page, what follows "gradcheck", what it shows) for every command that a page quotes.
QUOTED = [
    pytest.param(topic.name, example, id=f"{topic.name}: {example.command.removeprefix('gradcheck ')}")
    for topic in TOPICS.values()
    for example in (*topic.examples, *topic.try_next)
]

SIMULATED = [one for one in QUOTED if one.values[1].command.startswith("gradcheck simulate")]

every_topic = pytest.mark.parametrize("name", TOPICS)


@pytest.fixture(scope="module")
def simulated(typed):
    """A command line of simulate ↦ its report, without what would fix the network."""

    @cache
    def run(command):
        options = typed(command)
        return simulate(**{name: options[name] for name in rows(SimulateOptions)} | {"suggest": False})

    return run


@pytest.fixture(scope="module")
def demonstrated(typed):
    """A command line of clip-demo with one rule ↦ how its run ended."""

    @cache
    def run(command):
        options = typed(command)
        (strategy,) = gradcheck.clip_demo(**{name: options[name] for name in rows(ClipDemoOptions)}).strategies
        return strategy

    return run


def agrees(said, value):
    """Whether a number as it is written is the value, rounded."""
    decimals = len(said.partition(".")[2])
    return abs(float(said) - value) <= 0.5000001 * 10**-decimals


# ---- what the pages claim


@pytest.mark.parametrize(("name", "example"), SIMULATED)
@pytest.mark.slow  # whole runs of every page
def test_a_simulation_shows_what_the_page_says(name, example, simulated):
    report, said = simulated(example.command), example.shows
    assert re.match(r"\w+", said)[0] == report.verdict.status
    numbers = {
        r"span ([\d.]+)": report.summary.gradient_span,
        r"a factor of ([\d.]+)": report.summary.mean_local_gain,
        r"rank ([\d.]+)": report.summary.effective_rank_last,
    }
    for pattern, value in numbers.items():
        assert all(agrees(number, value) for number in re.findall(pattern, said)), (pattern, value)
        said = re.sub(pattern, "", said)
    assert all(text == percent(report.verdict.score) for text in re.findall(r"trains: (\d+ %)", said))
    assert set(re.findall("saturated", said)) <= {layer.flag for layer in report.layers}
    assert set(re.findall(r"status (\w+)", said)) <= {layer.status for layer in report.layers}
    assert not re.search(r"\d", re.sub(r"trains: \d+ %", "", said))  # no number that nobody compares


@pytest.mark.parametrize(
    ("name", "example"), [one for one in QUOTED if one.values[1].command.startswith("gradcheck clip-demo")]
)
@pytest.mark.slow  # whole runs of every page
def test_a_demonstration_ends_as_the_page_says(name, example, demonstrated):
    assert demonstrated(example.command).status == example.shows


def test_every_kind_of_command_quoted_is_one_that_a_test_runs():
    commands = [one.values[1].command.split()[1] for one in QUOTED]
    assert set(commands) == {
        "simulate", "compare", "clip-demo", "theory", "rate", "transfer",
        "diagnose", "probe",  # test_findings.py, tests/cli/test_explain.py
    }  # fmt: skip
    assert commands.count("compare") == 2  # tests/cli/test_explain.py runs them


def test_theory_says_what_the_page_says(typed):
    for example in (one.values[1] for one in QUOTED if one.values[1].command.startswith("gradcheck theory")):
        options = typed(example.command)
        report = theory(**{name: options[name] for name in rows(TheoryOptions) if name in options} | {"batch_size": 64})
        verdict, factor = re.fullmatch(r"(\w+), a factor of ([\d.]+)", example.shows).groups()
        assert verdict == label(report)
        chi = report.fixed_point.chi
        assert agrees(factor, report.network.mean_local_gain if chi is None else math.sqrt(chi))


def test_every_reason_of_a_rate_has_a_page():
    assert [code for code in RATE_CODES if code not in NAMES] == []


def test_a_search_of_the_rate_ends_as_the_page_says(typed):
    topic = TOPICS["learning-rate"]
    for example in (*topic.examples, *topic.try_next):
        options = typed(example.command)
        report = gradcheck.rate(**{name: options[name] for name in rows(RateOptions)} | {"updates": 10, "width": 16})
        assert report.verdict.status == example.shows


def test_widths_that_are_compared_show_what_the_page_says(typed):
    for topic in PARAMETRIZATION:
        for example in (*topic.examples, *topic.try_next):
            options = typed(example.command) | {"width": (16, 32, 64), "activation": "tanh"}
            report = gradcheck.transfer(**{name: options[name] for name in rows(TransferOptions)})
            assert report.verdict.status == example.shows, example.command


@every_topic
@pytest.mark.slow  # whole runs of every page
def test_what_one_is_told_to_try_is_better_than_what_was_shown(name, simulated, demonstrated):
    topic = TOPICS[name]
    if topic in (*FINDINGS, *PARAMETRIZATION) or name == "learning-rate":  # a check; the page's own test
        return
    if topic.examples[-1].arguments.startswith("probe"):  # the page's own test
        return
    if name == "clipping":
        (before,) = topic.examples
        for example in topic.try_next:
            after = demonstrated(example.command)
            assert after.status == "learned"
            assert after.final_accuracy > demonstrated(before.command).final_accuracy + 0.5
        return
    before = simulated(topic.examples[-1].command).verdict
    for example in topic.try_next:
        after = simulated(example.command).verdict
        assert after.status == "healthy"
        assert before.status == "healthy" or after.score > before.score


@pytest.mark.parametrize("status", [one for one in NETWORK_STATUSES if one != "healthy"])
def test_the_page_of_a_verdict_shows_that_verdict(status, simulated):
    assert {simulated(example.command).verdict.status for example in TOPICS[status].examples} == {status}


def test_the_page_of_saturated_layers_shows_nothing_but_those(simulated):
    (example,) = TOPICS["saturated"].examples
    assert "saturated" in {layer.flag for layer in simulated(example.command).layers}


def test_the_limits_on_the_pages_are_the_defaults():
    limits = gradcheck.Thresholds()
    for page in ("vanishing", "exploding"):
        assert f"span > {limits.max_span} decades" in " ".join(TOPICS[page].formula)
    assert f"< {limits.vanish_below:g}".replace("0.001", "1e-3") in TOPICS["vanishing"].formula[0]
    assert f"> {limits.explode_above:g}".replace("1000", "1e3") in TOPICS["exploding"].formula[0]
    assert f"rank < {limits.min_rank}" in " ".join(TOPICS["collapsed"].formula)
    assert f"more than {limits.dead_above:.0%} of its units".replace("%", " %") in TOPICS["dead"].formula[1]
    assert f"more than {limits.saturated_above:.0%} of".replace("%", " %") in TOPICS["saturated"].what
    assert f"{limits.max_span} decades" in TOPICS["healthy"].what
    assert f"rank of at least {limits.min_rank}" in TOPICS["healthy"].what


def test_the_formula_of_the_score_is_that_of_the_diagnosis():
    numbers = [float(text) for text in re.findall(r"\d+\.?\d*", TOPICS["score"].formula[1].replace("log10", "log"))]
    expected = (-score.INTERCEPT, -score.SPAN, score.SPAN_CAP, score.RANK, score.RANK_CAP, -score.SENSITIVITY)
    assert tuple(numbers) == expected


@cache
def decades_of(**options):
    return simulate(**options).layers[0].log10_gradient_ratio


def range_of_ratios(width):
    first = simulate(width=width, activation="relu", init="he", seeds=20).layers[0]
    return first.log10_gradient_ratio_high - first.log10_gradient_ratio_low


def share_of_dead(depth):
    network = {"depth": depth, "width": 4, "activation": "relu", "init": "he"}
    return sum(simulate(**network, seed=seed).verdict.status == "dead" for seed in range(200)) / 2


@cache
def layers_of_a_deep_sigmoid():
    return simulate(depth=600).layers


def layers_above(decades):
    """How many layers behind the loss a sigmoid's gradient is last above 10**decades."""
    layers = layers_of_a_deep_sigmoid()
    return next(600 - layer.index for layer in reversed(layers) if layer.log10_gradient_rms < decades)


def edge_of_tanh(gain):
    """√χ at the fixed point of the variance map, by quadrature."""
    import numpy as np

    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    weights, q = weights / weights.sum(), 1.0
    for _ in range(2000):
        q = gain**2 * float(weights @ np.tanh(math.sqrt(q) * nodes) ** 2)
    return gain * math.sqrt(float(weights @ np.cosh(math.sqrt(q) * nodes) ** -4))


@cache
def log10_growth(preset):
    """By how many decades theory's gradient grows in a published transformer."""
    return theory(preset=preset).layers[0].log10_gradient_ratio


def factor(init, activation):
    """√χ: of a linear network what it is near 0 of a tanh."""
    return math.sqrt(theory(init=init, activation=activation, width=768).fixed_point.chi)


#: (page, words on it, the number in them, what it is).
CLAIMS = [
    ("vanishing", "A factor of 0.235 a layer", "0.235", lambda: simulate().summary.mean_local_gain),
    ("vanishing", "30.9 decades over 50 layers", "30.9", lambda: -decades_of()),
    ("dead", "of 10 layers of 4 units 30 % of the draws", "30", lambda: share_of_dead(10)),
    ("dead", "of 30 layers 86 %", "86", lambda: share_of_dead(30)),
    ("saturated", "beyond |z| = 2.99 and 5.99", "2.99", lambda: math.acosh(10)),
    ("saturated", "beyond |z| = 2.99 and 5.99", "5.99", lambda: 2 * math.acosh(10)),
    ("nonfinite", "at width 128 that is --gain 11.3", "11.3", lambda: math.sqrt(128)),
    ("underflow", "67 layers back from the loss in float32", "67", lambda: layers_above(math.log10(1.4e-45))),
    ("underflow", "510 in float64", "510", lambda: layers_above(-323.3)),
    ("chain-rule", "In 50 layers, 49 factors, 0.9 becomes 0.006", "0.006", lambda: 0.9**49),
    ("chain-rule", "and 1.1 becomes 107", "107", lambda: 1.1**49),
    ("initialisation", "0.707 of xavier", "0.707", lambda: math.sqrt(1 / 2)),
    *(
        ("initialisation", f"{names:34}{relu:7}{tanh}", number, partial(factor, init, activation))
        for names, init, relu, tanh in (
            ("torch, equinox, mlx, tinygrad", "torch", "0.408", "0.577"),
            ("haiku", "haiku", "0.622", "0.88"),
            ("keras, flax, paddle, sklearn", "keras", "0.707", "1"),
            ("gpt2 of width 768", "gpt2", "0.392", "0.554"),
        )
        for number, activation in ((relu, "relu"), (tanh, "linear"))
    ),
    ("activations", "costs 0.6 decades a layer", "0.6", lambda: math.log10(4)),
    ("normalisation", "is 0.387 after a layer norm", "0.387", lambda: simulate(norm="layer").summary.mean_local_gain),
    ("batch-norm", "2.46 in place of 4.14", "4.14", lambda: decades_of(activation="relu", init="he", norm="batch")),
    (
        "batch-norm", "2.46 in place of 4.14", "2.46",
        lambda: decades_of(activation="relu", init="he", norm="batch", residual=True),
    ),
    ("batch-norm", "so 1.21 of the gradient", "1.21", lambda: math.sqrt(math.pi / (math.pi - 1))),
    ("width", "covers 3.0 decades at width 16", "3.0", lambda: range_of_ratios(16)),
    ("width", "0.4 at 256", "0.4", lambda: range_of_ratios(256)),
    ("recurrence", "At 4.16, for 64 steps", "4.16", lambda: math.log(64)),
    (
        "recurrence", "it grows by 2.6 decades", "2.6",
        lambda: simulate(arch="lstm", forget_bias=4.16).summary.gradient_span,
    ),
    ("growing", "by 0.85 decades in 12 blocks", "0.85", lambda: log10_growth("gpt2")),
    ("growing", "a factor of 7", "7", lambda: 10 ** log10_growth("gpt2")),
    ("theory", "√(χ) = 1.167 a layer", "1.167", lambda: edge_of_tanh(2)),
    ("weightless", "0.8 billion weights", "0.8", lambda: (64 + 10 + 49 * 4096) * 4096 / 1e9),
    ("weightless", "6.6 GB", "6.6", lambda: (64 + 10 + 49 * 4096) * 4096 * 8 / 1e9),
]  # fmt: skip


@pytest.mark.parametrize(("name", "words", "number", "measure"), CLAIMS, ids=[f"{one[0]}: {one[1]}" for one in CLAIMS])
@pytest.mark.slow  # whole runs of every page
def test_a_number_in_the_prose_is_what_is_measured(name, words, number, measure):
    topic = TOPICS[name]
    assert words in " ".join([topic.what, topic.why, *topic.formula])
    assert number in words
    assert agrees(number, measure())


def test_the_factors_multiply_to_the_gradient_ratio_that_is_measured():
    factors = explain(MULTIPLIED_OUT).factors
    product = 1.0
    for factor in factors:
        product *= factor.local_gain
        assert factor.product == product
        assert factor.product == pytest.approx(factor.gradient_ratio, rel=1e-12)
    assert [factor.layer for factor in factors] == [7, 6, 5, 4, 3, 2, 1]


def test_the_factors_are_those_of_the_command_on_the_page(simulated):
    (example,) = TOPICS[MULTIPLIED_OUT].examples
    report = simulated(example.command)
    assert (report.config.depth, report.config.width) == (DEPTH, WIDTH)
    assert explain(MULTIPLIED_OUT).factors[-1].gradient_ratio == report.layers[0].gradient_ratio


def test_a_cause_that_shares_its_page_says_first_what_it_means():
    page = explain("axes-swapped")
    assert (page.topic.name, page.cause) == ("remarks", "axes-swapped")
    assert str(page).startswith("axes-swapped  a recurrence or attention takes the examples for steps (remarks)\n")
    assert page.to_dict()["meaning"] == "a recurrence or attention takes the examples for steps"
    assert "meaning" not in explain("remarks").to_dict()


def test_a_command_that_shows_nothing_in_particular_has_no_arrow():
    assert not [name for name in TOPICS if re.search(r"→ *\n", str(explain(name)))]
