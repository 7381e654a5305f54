"""Decimals after a comma."""

import pytest


def test_decimals_may_follow_a_comma(told):
    lines = [f"Epoch {at}/50; loss={3 - at / 16:.4f}; grad_norm=1,234; lr=0,001" for at in range(1, 31)]
    report = told(*(line.replace(".", ",") for line in lines))
    assert report.curves.loss.value == tuple(pytest.approx(3 - at / 16) for at in range(1, 31))
    assert report.curves.grad_norm.value[0] == 1.234


def test_a_comma_before_three_digits_alone_is_one_of_thousands(told):
    report = told(*(f"step {at}: loss=1,{900 - at}; seen 12,800 samples" for at in range(30)))
    assert report.curves.loss.value[0] == 1900


@pytest.mark.parametrize("line", ["devices=0,1", "losses: 0,12,3", "loss: 0, 12", "loss=12,800"])
def test_other_commas_are_none_of_a_decimal(line, told):
    report = told(line, *(f"step {at}: loss=1.5; seen 1,{at + 10:02d}" for at in range(30)))
    assert report.curves.loss.value == (1.5,) * 30
