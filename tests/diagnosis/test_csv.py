import csv
import io

import gradcheck
from gradcheck.diagnosis.formats import as_csv


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def assert_same(cell, value):
    """A cell that is read back with the type of its value is that value."""
    assert (cell == "") == (value is None)
    assert value is None or type(value)(cell) == value


def test_what_is_read_back_are_the_layers_to_the_last_digit():
    for options in (
        {},
        {"seeds": 3},
        {"activation": "step"},
        {"activation": "linear", "init": "normal", "weight_std": 1e99},
    ):
        report = gradcheck.simulate(depth=6, width=8, batch_size=16, **options)
        rows = rows_of(as_csv(report))
        assert len(rows) == 6, options
        for row, layer in zip(rows, report.layers, strict=True):
            assert list(row) == list(layer), options
            for name, cell in row.items():
                assert_same(cell, layer[name])


def test_a_line_ends_as_unix_lines_do_and_the_header_comes_first(healthy):
    text = as_csv(healthy)
    assert text.startswith("index,name,fan_in,fan_out,preactivation_std,")
    assert text.endswith("\n")
    assert "\r" not in text
    assert len(text.splitlines()) == 5


def test_a_network_of_one_layer_has_one_line(report_of):
    assert [row["index"] for row in rows_of(as_csv(report_of([0.0])))] == ["1"]


def test_a_number_that_is_not_finite_is_an_empty_cell_whose_status_says_why(report_of):
    *_, last = rows_of(as_csv(report_of([0.0, None])))
    assert (last["gradient_rms"], last["log10_gradient_rms"], last["status"]) == ("", "", "overflow")
