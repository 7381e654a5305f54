"""A healthy gradient of a wrong model is no green light."""

import pytest

from gradcheck.diagnosis.label import in_a_line, label_of, remark
from gradcheck.diagnosis.remarks import ASKED_FOR, DOUBTS


@pytest.mark.parametrize("code", DOUBTS)
def test_what_doubts_the_model_is_seen_in_word_and_colour(code):
    assert label_of("healthy", ["span", code]) == ("healthy, but", "yellow")
    assert in_a_line("healthy", ["span", code]) == f"healthy, but {code}"


def test_a_verdict_that_is_ill_or_beyond_doubt_keeps_its_name_and_its_colour():
    assert label_of("healthy", ["span", "rank"]) == ("healthy", "green")
    assert label_of("vanishing", ["ratio", "softmax-over-batch"]) == ("vanishing", "cyan")
    assert in_a_line("healthy", ["span"]) == "healthy"
    assert in_a_line("vanishing", ["softmax-over-batch"]) == "vanishing"


def test_what_a_build_can_fail_on_is_named_before_other_doubts():
    assert remark(["inputs-large", "span", ASKED_FOR[2]]) == ASKED_FOR[2]
    assert remark(["span", "inputs-large"]) == "inputs-large"
    assert remark(["span"]) is None
