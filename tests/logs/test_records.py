import json
import math

import numpy as np
import pytest

from gradcheck.errors import InputError
from gradcheck.logs.columns import Column
from gradcheck.logs.records import FORMAT, GLOBAL_QUANTITIES, LAYER_QUANTITIES, MARK, header_line, record_line

HEADER = header_line(["fc1.weight", "fc2.weight"], every=10, rule="global-norm", threshold=1.5)


def rows(*records):
    return HEADER + b"".join(records)


def test_a_header_is_one_line_of_json_with_the_version_first():
    assert HEADER.endswith(b"\n")
    assert next(iter(json.loads(HEADER))) == MARK
    assert json.loads(HEADER)[MARK] == FORMAT


def test_a_record_of_every_quantity_comes_back(series):
    layers = {name: [1.0 + place, 2.5] for place, name in enumerate(LAYER_QUANTITIES)}
    values = {name: float(place) for place, name in enumerate(GLOBAL_QUANTITIES) if name != "step"}
    read = series(rows(record_line(7, layers, **values)))
    assert read.steps.tolist() == [7]
    for name, value in values.items():
        assert read.values(name).tolist() == [value]
    for name, expected in layers.items():
        names, numbers = read.layers_with(name)
        assert (names, numbers.tolist()) == (["fc1.weight", "fc2.weight"], [expected])
    assert read.clip == ("global-norm", 1.5)


def test_numbers_that_are_not_finite_are_strict_json_and_come_back(series):
    line = record_line(3, {"grad_norm": [math.nan, math.inf]}, loss=math.nan, grad_norm=-math.inf)
    assert json.loads(line, parse_constant=pytest.fail)["loss"] == "NaN"
    found = series(rows(line)).table.nonfinite
    assert found.first_step == 3
    assert found.values == {
        Column("loss"): -math.inf, Column("grad_norm"): -math.inf,
        Column("grad_norm", "fc1.weight"): -math.inf, Column("grad_norm", "fc2.weight"): math.inf,
    }  # fmt: skip


def test_a_parameter_without_a_gradient_has_no_number(series):
    read = series(rows(*(record_line(step, {"grad_norm": [None, 1.0]}) for step in range(4))))
    assert np.isnan(read.layers_with("grad_norm")[1][:, 0]).all()
    assert read.table.nonfinite is None


def test_a_resumed_run_may_write_another_header(series):
    other = header_line(["fc2.weight", "fc1.weight"])
    read = series(rows(record_line(1, {"grad_norm": [1.0, 2.0]})) + other + record_line(2, {"grad_norm": [4.0, 3.0]}))
    assert read.layers_with("grad_norm")[1].tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_records_with_other_layers_than_the_header_are_left_out_and_told(read):
    log = read(rows(record_line(1, {"grad_norm": [1.0]}), record_line(2, {"grad_norm": [1.0, 2.0]})))
    assert log.table.rows_read == 1
    assert log.problems.lines() == ["line 2 has other layers than the header: left out"]


def test_a_later_format_is_refused_with_its_number(read):
    with pytest.raises(InputError, match=f"later version of gradcheck .format {FORMAT + 1}, here {FORMAT}"):
        read(json.dumps({MARK: FORMAT + 1, "layers": []}).encode() + b"\n")
