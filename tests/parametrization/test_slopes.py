import math

import numpy as np
import pytest

from gradcheck.parametrization.slopes import SCATTER, Point, fit

SCALES = (16, 64, 256)


def points(size, seeds=3):
    return [Point(scale, seed, size(scale, seed)) for scale in SCALES for seed in range(seeds)]


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 0.5])
def test_a_power_has_its_exponent(exponent):
    assert fit(points(lambda scale, seed: 3 * scale**exponent)).exponent == pytest.approx(exponent, abs=1e-12)


def test_the_line_is_that_of_numpy(rng):
    made = points(lambda scale, seed: scale**0.3 * np.exp(rng.standard_normal()))
    x, y = np.log([one.scale for one in made]), np.log([one.size for one in made])
    assert fit(made).exponent == pytest.approx(np.polyfit(x, y, 1)[0])


def test_the_error_is_how_far_slopes_of_other_draws_are_apart(rng):
    slopes = [fit(points(lambda scale, seed: np.exp(0.4 * rng.standard_normal()))) for _ in range(500)]
    errors = math.sqrt(np.mean([one.error**2 for one in slopes]))
    assert np.std([one.exponent for one in slopes]) == pytest.approx(errors, rel=0.1)


def test_what_is_larger_for_a_seed_at_all_widths_is_no_error_of_the_slope(rng):
    alike = points(lambda scale, seed: scale**0.5)
    apart = points(lambda scale, seed: scale**0.5 * 100**seed)
    assert fit(apart) == pytest.approx(fit(alike))


def test_a_few_seeds_that_are_alike_by_luck_still_have_an_error():
    spread = np.square(np.log(SCALES) - np.log(SCALES).mean()).sum()
    assert fit(points(lambda scale, seed: 1.0)).error == pytest.approx(SCATTER / math.sqrt(3 * spread))


def test_of_one_seed_the_error_is_the_distance_to_the_line_and_of_two_widths_nothing_tells_it():
    bent = [Point(16, 0, 1.0), Point(64, 0, 8.0), Point(256, 0, 1.0)]
    assert fit(bent).error > 0.5
    assert math.isnan(fit(bent[:2]).error)


def test_an_interval_holds_the_exponent_in_19_of_20_draws(rng):
    slopes = [fit(points(lambda scale, seed: np.exp(0.4 * rng.standard_normal()), seeds=2)) for _ in range(500)]
    held = np.mean([not (one.beyond(0) or one.reversed.beyond(0)) for one in slopes])
    assert held == pytest.approx(0.95, abs=0.03)


def test_what_is_not_finite_grows_without_end():
    assert fit([Point(16, 0, 1.0), Point(64, 0, math.inf)]).exponent == math.inf
    assert fit([Point(16, 0, 1.0), Point(64, 0, math.nan)]).exponent == math.inf


def test_what_is_zero_in_some_networks_only_follows_no_power():
    assert math.isnan(fit([Point(16, 0, 0.0), Point(64, 0, 1.0)]).exponent)
    assert fit([Point(16, 0, 0.0), Point(64, 0, 0.0)]).exponent == 0
