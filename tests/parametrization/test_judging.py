import itertools
import math

import pytest

from gradcheck import GradcheckError
from gradcheck.parametrization.causes import find_reasons
from gradcheck.parametrization.coordinates import Coordinate, Size
from gradcheck.parametrization.judging import judge


def course(judgement, layer, quantity):
    return next(one.course for one in judgement.slopes if (one.layer, one.quantity) == (layer, quantity))


def codes(judgement):
    return [one.code for one in find_reasons(judgement)]


def test_what_keeps_its_size_transfers(records):
    judgement = judge([*records(update=0), *records(start=-0.5, layer="logits", kind="output")])
    assert judgement.status == "transfers"
    assert codes(judgement) == ["keeps"]


@pytest.mark.parametrize(
    ("exponents", "code"),
    [
        ({"start": 0.5}, "start-grows"),
        ({"start": -0.5}, "start-shrinks"),
        ({"change": 0.5, "update": 0.5}, "update-grows"),
        ({"change": 0, "update": -1}, "update-shrinks"),
        ({"change": 0.5, "update": 0}, "change-grows"),
        ({"change": 1}, "change-grows"),
    ],
)
def test_every_wrong_exponent_is_found_and_named(exponents, code, records):
    judgement = judge([*records(**exponents), *records(layer="logits", kind="output", start=-0.5)])
    assert judgement.status == ("grows" if code.endswith("grows") else "shrinks")
    assert code in codes(judgement)


def test_features_that_stand_still_while_the_logits_move_are_lazy(records):
    judgement = judge([*records(change=-0.5, update=-0.5), *records(layer="logits", kind="output")])
    assert (judgement.status, codes(judgement)) == ("shrinks", ["lazy"])
    (reason,) = find_reasons(judgement)
    assert reason.power == 0.5


def test_logits_may_start_small_but_have_to_move(records):
    still_fine = judge([*records(), *records(start=-0.5, layer="logits", kind="output")])
    assert course(still_fine, "logits", "start") == "keeps"
    assert judge([*records(), *records(change=-0.5, layer="logits", kind="output")]).status == "shrinks"


def test_scores_that_start_at_one_size_will_grow_unless_the_network_is_lazy(records):
    wrong = {"start": 0, "change": 0, "layer": "scores", "kind": "scores"}
    assert codes(judge([*records(), *records(**wrong)])) == ["scores-align"]
    assert judge([*records(), *records(**{**wrong, "start": -0.5})]).status == "transfers"
    lazy = judge([*records(change=-0.5), *records(**wrong), *records(layer="logits", kind="output")])
    assert codes(lazy) == ["lazy"]


def of_change(size, scales=(64, 256, 1024, 4096)):
    """Records of a layer whose change has a given size at each width and step."""
    return [
        Coordinate(scale, seed, step, "layer 1", "hidden", Size(1, 1), Size(0, size(scale, step)) if step else None)
        for scale, seed, step in itertools.product(scales, range(3), range(4))
    ]


def test_what_fades_with_the_width_is_no_fault():
    fading = of_change(lambda scale, step: math.hypot(1, 3 * (scale / 64) ** -0.5))
    assert judge(fading).status == "transfers"


def test_what_begins_to_outgrow_the_rest_is_a_fault():
    assert judge(of_change(lambda scale, step: 1 + (scale / 1024) ** 1.0)).status == "grows"


def test_a_fault_of_the_first_step_counts_though_training_saturates_later():
    judgement = judge(of_change(lambda scale, step: scale if step == 1 else 1.0))
    assert judgement.status == "grows"
    assert [one.since for one in judgement.slopes if one.quantity == "change"] == [1]


def test_what_is_not_finite_grows():
    judgement = judge(of_change(lambda scale, step: math.inf if scale == 4096 else 1.0))
    assert judgement.status == "grows"
    assert "not-finite" in codes(judgement)


def test_what_never_moves_leaves_the_verdict_open():
    judgement = judge(of_change(lambda scale, step: 1e-9))
    assert (judgement.status, codes(judgement)) == ("unclear", ["still"])


def test_a_slope_beyond_the_limit_by_less_than_its_error_is_unclear(records):
    judgement = judge(of_change(lambda scale, step: scale**0.26))
    assert (judgement.status, codes(judgement)) == ("unclear", ["unclear"])


def test_records_that_cant_be_compared_say_what_is_missing(records):
    with pytest.raises(GradcheckError, match="at least two widths"):
        judge(records(scales=(64,)))
    with pytest.raises(GradcheckError, match="layer logits is not recorded at scale 64, seed 0, step 0"):
        judge([*records(), *records(layer="logits")[1:]])


def test_logits_that_move_alone_say_nothing_of_hidden_layers_that_stand_still(records):
    still = [one if one.change is None else one._replace(change=Size(0.0, 0.0)) for one in records()]
    judgement = judge([*still, *records(layer="logits", kind="output")])
    assert (judgement.status, codes(judgement)) == ("unclear", ["still"])
