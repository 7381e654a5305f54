import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.render.documents import as_json

GRADIENTS = st.lists(st.floats(-150, 150) | st.just(-math.inf), min_size=1, max_size=6)


def strict(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


@given(GRADIENTS, st.sampled_from([0, -6000, 6000]), st.integers(0, 2))
def test_json_is_strict_and_gives_the_report_back_to_the_last_digit(report_of, gradients, magnitude, missing):
    report = report_of([*(magnitude + gradient for gradient in gradients), *[None] * missing])
    assert strict(as_json(report)) == report.to_dict()


def test_json_is_ascii_and_ends_with_a_line(report_of):
    text = as_json(report_of([0.0], data="größe\udcff.npy"))
    assert text.isascii()
    assert text.endswith("}\n")


def test_json_is_indented_for_those_who_read_it(healthy):
    assert as_json(healthy).splitlines()[1] == '  "schema_version": 1,'


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_refused(report_of, value):
    report = report_of([0.0], noise=value)
    with pytest.raises(ValueError, match="not JSON compliant"):
        as_json(report)
