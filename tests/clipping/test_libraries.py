"""Clipping as libraries do it: against what was measured with them, and against those that are installed."""

import json
import math
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

from gradcheck.clipping import Clipper, clip
from gradcheck.clipping.libraries import LIBRARY_RULES
from gradcheck.errors import OptionError
from gradcheck.spec.clip_libraries import LIBRARIES, SAME
from gradcheck.spec.clip_rules import AS_IN

ROOT = Path(__file__).parents[2]

#: What each library made of some cases: ``python benchmarks/clipping.py --store tests/clipping/libraries.json``.
MEASURED = json.loads((Path(__file__).parent / "libraries.json").read_text(encoding="utf-8"))

RULES = [(library, rule) for library, one in LIBRARIES.items() for rule in one.rules]

#: What .ci/run installs of them.
INSTALLED = ("torch", "optax", "keras", "lightning", "accelerate")

every_rule = pytest.mark.parametrize(("library", "rule"), RULES)


@pytest.fixture(scope="module")
def benchmark():
    return run_path(str(ROOT / "benchmarks" / "clipping.py"), run_name="benchmark")


def ours(library, rule, case):
    """What gradcheck makes of a case; None where it refuses."""
    gradients, parameters = ([np.array(one, case["dtype"]) for one in case[key]] for key in ("gradients", "parameters"))
    try:
        axis = 0 if library == "timm" else -1
        return clip(gradients, f"{rule}:{case['limit']!r}", parameters, unit_axis=axis, library=library)[0]
    except OptionError:
        return None


def assert_same(found, expected, dtype):
    if expected is None:
        assert found is None
        return
    least = float(np.finfo(dtype).smallest_subnormal)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.astype(float), other, rtol=4 * float(np.finfo(dtype).eps), atol=least)


@every_rule
def test_a_rule_does_what_the_library_was_measured_to_do(library, rule):
    results = MEASURED["results"][library][rule]
    assert results.keys() == MEASURED["cases"].keys()
    for name, case in MEASURED["cases"].items():
        assert_same(ours(library, rule, case), results[name], case["dtype"])


@pytest.mark.filterwarnings("ignore")  # theirs, of a parameter that is listed twice
@pytest.mark.parametrize(
    ("library", "rule"),
    [pytest.param(*one, marks=[pytest.mark.extras] if one[0] in INSTALLED else []) for one in RULES],
)
def test_a_rule_does_what_the_library_does_that_is_installed(library, rule, benchmark, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    clip_them, said = benchmark["RULES"][library][rule], LIBRARIES[library].rules[rule]
    assert benchmark["measured"](rule, clip_them, said) == said
    for name, result in benchmark["results"](clip_them).items():
        case = MEASURED["cases"][name]
        assert_same(ours(library, rule, case), result, case["dtype"])


def test_every_rule_of_a_library_has_its_words_and_its_computation():
    assert {library: set(one.rules) for library, one in LIBRARIES.items()} == {
        library: set(rules) for library, rules in LIBRARY_RULES.items()
    }
    for library, other in SAME.items():
        assert LIBRARY_RULES[library] == LIBRARY_RULES[other]


def test_the_page_about_clipping_has_the_table_that_was_measured(benchmark):
    page = (ROOT / "docs" / "background" / "clipping.md").read_text(encoding="utf-8")
    words = {(library, rule): edges for library, one in LIBRARIES.items() for rule, edges in one.rules.items()}
    assert benchmark["as_markdown"](words) in page
    assert all(f"{one.package} {one.version}" in page for one in LIBRARIES.values())


# ---- what the measured cases show


def gradients_of(*tensors):
    return [np.array(one) for one in tensors]


def test_one_infinity_makes_every_gradient_nan_as_keras_clips_and_zero_as_others_do():
    for library in ("torch", "optax", "paddle", "mlx"):
        first, second = clip(gradients_of([3, math.inf], [4.0]), "global-norm:1", library=library)[0]
        assert first[0] == second[0] == 0, library
    assert np.isnan(np.concatenate(clip(gradients_of([3, math.inf], [4.0]), "global-norm:1", library="keras")[0])).all()


def test_a_bias_is_one_unit_of_timm_s_adaptive_clipping():
    (bias,), report = clip(gradients_of([3.0, 4.0]), "agc:0.1", gradients_of([0.6, 0.8]), library="timm", unit_axis=0)
    np.testing.assert_allclose(bias, [0.06, 0.08])
    assert report.clipped


def test_what_is_not_finite_before_or_after_is_named_in_the_report():
    (large, small), report = clip(gradients_of([1e200, 1e200], [1.0]), "global-norm:1", library="keras")
    assert np.isnan(large).all()
    assert np.isnan(small).all()
    assert report.nonfinite == (0, 1)
    clipped, report = clip(gradients_of([1.0], [math.inf]), "value:2", library="torch")
    assert (clipped[1].item(), report.nonfinite, report.threshold) == (2, (1,), 2)
    report = clip(gradients_of([3.0], [4.0]), "global-norm:1", library="optax")[1]
    assert (report.nonfinite, report.clipped, round(report.norm_after, 9)) == ((), True, 1)


def test_nothing_is_clipped_by_none_whatever_the_library():
    gradients = gradients_of([math.nan, 3.0])
    assert clip(gradients, "none", library="keras")[0][0] is gradients[0]


@pytest.mark.parametrize(
    ("library", "rule", "words"),
    [
        ("torch", "norm:1", "torch has no norm, it has none, value, global-norm; type --as keras or paddle"),
        ("keras", "zscore", "no library has it"),
        ("tensorflow", "value:1", "'tensorflow' is unknown; allowed: torch, optax"),
        ("mlx", "agc:1", "type --as optax or timm"),
    ],
)
def test_what_a_library_has_not_is_refused_with_what_there_is(library, rule, words):
    with pytest.raises(OptionError) as caught:
        Clipper(rule, library)
    assert words in caught.value.typed()


@pytest.mark.parametrize(
    ("library", "rule", "words"),
    [
        ("keras", "value:0", "keras then clips nothing: type none for that; value:0.003 is usual"),
        ("keras", "global-norm:-1", "keras then clips nothing"),
        ("optax", "global-norm:0", "as optax clips, it would leave no gradient at all, and make NaN of one that is 0"),
        ("timm", "agc:-1", "as timm clips, it would turn every gradient round"),
        ("torch", "value:-1", "as torch clips, it would put itself in place of every entry"),
        ("paddle", "norm:0", "paddle refuses it, too"),
        ("mlx", "value:0", "mlx has no value"),
        ("keras", "norm:nan", "it is not a number"),
    ],
)
def test_a_threshold_of_zero_or_below_is_refused_with_what_the_library_does(library, rule, words):
    with pytest.raises(OptionError) as caught:
        clip(gradients_of([1.0]), rule, library=library)
    assert words in caught.value.typed()


def test_whatever_a_library_does_with_such_a_threshold_has_its_sentence():
    edges = [one for library in LIBRARIES.values() for one in library.rules.values()]
    assert {one.at_zero for one in edges} | {one.below_zero for one in edges} == AS_IN.keys()


def test_adaptive_clipping_needs_parameters_and_paddle_no_half_precision():
    with pytest.raises(OptionError, match="needs the gradients' parameters"):
        clip(gradients_of([1.0]), "agc:1", library="optax")
    with pytest.raises(OptionError, match="paddle clips no float16"):
        clip([np.ones(2, "float16")], "norm:1", library="paddle")


@pytest.mark.parametrize("library", ["torch", "timm", "lightning", "accelerate"])
def test_a_gradient_without_numbers_is_left_as_it_is(library):
    empty, clipped = clip([np.zeros((0, 3)), np.ones(4)], "global-norm:1", library=library)[0]
    assert empty.shape == (0, 3)
    assert np.linalg.norm(clipped) == pytest.approx(1)
