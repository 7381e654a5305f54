"""Records with known exponents."""

import itertools

import numpy as np
import pytest

from gradcheck.parametrization.coordinates import Coordinate, Size


@pytest.fixture
def records(rng):
    """Exponents of a layer's start, change and update ↦ its records, whose sizes scatter by 5 %."""

    def make(start=0.0, change=0.0, update=None, *, layer="layer 1", kind="hidden", scales=(64, 256, 1024), seeds=3):
        def size(scale, exponent):
            value = scale**exponent * np.exp(0.05 * rng.standard_normal())
            return Size(0.8 * value, value)

        made = []
        for scale, seed, step in itertools.product(scales, range(seeds), range(4)):
            moved = (size(scale, change), None if update is None else size(scale, update)) if step else (None, None)
            made.append(Coordinate(scale, seed, step, layer, kind, size(scale, start), *moved))
        return made

    return make
