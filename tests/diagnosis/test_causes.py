"""What decided is a code with numbers; the sentence is made of them."""

import math

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.schema import json_schema
from gradcheck.diagnosis.sentences.codes import CODES
from gradcheck.engine.transformer import POINTS

GRADIENTS = st.lists(st.floats(-400, 400) | st.just(-math.inf), min_size=1, max_size=6)

#: Code ↦ gradients of a network that has it, and its layers, value and limit.
FOUND = {
    "forward-overflow": ([0.0, None], {}, [2, 2], None, None),
    "forward-nan": ([0.0, None], {"obstacle": "nan"}, [2, 2], None, None),
    "stand-in-loss": ([0.0, None], {}, [1, 1], None, None),
    "forward-zero": ([-1.0, 0.0], {"columns": {"log10_activation_rms": [0.0, -math.inf]}}, [2, 2], None, None),
    "dead": ([-math.inf, -math.inf, 0.0], {"columns": {"dead_fraction": [1.0, 1.0, 0.5]}}, [1, 2], 2, None),
    "vanishing": ([-5.0, -4.0, 0.0], {}, [1, 2], 1e-5, 1e-3),
    "exploding": ([5.0, 4.0, 0.0], {}, [1, 2], 1e5, 1e3),
    "vanishing-scattered": ([-5.0, 0.0] * 4, {}, [1, 7], 4, 1e-3),
    "exploding-scattered": ([5.0, 0.0] * 4, {}, [1, 7], 4, 1e3),
    "gradient-overflow": ([math.inf, 0.0], {}, [1, 1], None, None),
    "gradient-zero": ([-math.inf, 0.0], {}, [1, 1], 0.0, None),
    "span": ([-1.0, -31.5, 0.0], {}, [2, 3], 31.5, 2.3),
    "rank": ([-1.0, 0.0], {"columns": {"effective_rank": [1.25, 1.5]}}, [2, 2], 1.5, 1.8),
    "weight-span": (
        [-1.0, 0.0], {"columns": {"log10_weight_gradient_norm": [-4.0, 0.0]}}, None, 4.0, 2.3,
    ),
}  # fmt: skip


def causes_of(report, code):
    return [cause.to_dict() for cause in report.verdict.causes if cause.code == code]


def test_a_cause_has_its_layers_its_value_and_its_limit(report_of):
    for code in FOUND:
        gradients, more, layers, value, limit = FOUND[code]
        [cause] = causes_of(report_of(gradients, **more), code)
        assert (cause["layers"], cause["limit"]) == (layers, limit), code
        assert cause["value"] == pytest.approx(value), code


@pytest.fixture(scope="module")
def verdict_schema():
    return jsonschema.Draft202012Validator(json_schema()["properties"]["verdict"])


@given(GRADIENTS, st.integers(0, 2), st.sampled_from(["mlp", "rnn"]))
def test_reasons_are_the_texts_of_the_causes_and_fit_the_schema(report_of, verdict_schema, gradients, missing, arch):
    report = report_of([*gradients, *[None] * missing], arch=arch)
    assert report.verdict.reasons == tuple(cause.text for cause in report.verdict.causes)
    assert report.verdict.causes
    verdict_schema.validate(report.to_dict()["verdict"])


def test_a_transformers_causes_count_flow_points(report_of):
    [cause] = causes_of(report_of([-5.0] + [0.0] * (2 * len(POINTS) - 1), arch="transformer"), "vanishing")
    assert cause["layers"] == [1, 1]
    assert cause["text"].startswith("block 1 attention gets less than 1/1000")


def test_every_code_says_what_it_means():
    assert all(one.meaning for one in CODES.values())


@pytest.mark.parametrize(
    ("code", "value", "limit", "passed"),
    [
        ("span", 1.0, 2.3, True), ("span", 3.0, 2.3, False), ("span", None, 2.3, False),
        ("rank", 5.0, 1.8, True), ("rank", 1.0, 1.8, False), ("trial-learns", 0.1, 0.5, True),
        ("trial-fails", 0.9, 0.5, False), ("no-underflow", None, None, True), ("memory", 20, None, False),
    ],
)  # fmt: skip
def test_a_check_that_went_well_is_told_from_what_speaks_against_a_network(code, value, limit, passed):
    assert Cause(code, None, value, limit).passed is passed
