"""Numbers of classes that a loss may be a guess among."""

import math

import pytest

from gradcheck import diagnose
from gradcheck.logs.findings.guesses import GUESSES, guess_numbers, guessed_classes


@pytest.mark.parametrize(("level", "classes"), [(10.82, 50000), (math.log(50257), 50257), (10.70, 0), (2.3026, 10)])
def test_a_level_is_that_of_the_nearest_usual_number_or_of_none(level, classes):
    assert guessed_classes(level, 0.005) == classes


def test_the_numbers_ascend():
    assert list(GUESSES) == sorted(set(GUESSES))


def test_vocabularies_whose_logarithms_are_alike_are_all_named():
    assert guess_numbers(math.log(50257), 0.005) == {"classes": 50257, "fewest_classes": 50257, "most_classes": 50432}


def test_a_language_model_that_guesses_is_told_its_vocabulary(rng):
    losses = math.log(50304) + 0.01 * rng.standard_normal(100)
    (found,) = diagnose([{"step": 10 * row, "loss": loss} for row, loss in enumerate(losses.tolist())]).findings
    assert "classes, as of a vocabulary" in found.message
