"""``simulate --number-format``: the report, its remarks, and that nothing else changes."""

import jsonschema
import pytest

import gradcheck
from gradcheck.diagnosis.schema import json_schema
from gradcheck.errors import GradcheckError
from gradcheck.spec.names import NUMBER_FORMATS

DEEP = {"depth": 24, "width": 16, "batch_size": 16}


@pytest.fixture(scope="module")
def deep():
    """A network whose gradient is too small for fp16, however its loss is scaled."""
    return gradcheck.simulate(number_format=NUMBER_FORMATS, **DEEP)


def codes(report):
    return [cause.code for cause in report.verdict.causes]


def test_each_format_is_used_with_a_loss_scale_where_it_has_one_and_with_scales(deep):
    assert [(one.format, one.scaling, one.loss_scale) for one in deep.number_formats.formats] == [
        ("fp16", "loss", 65536), ("fp16", "tensor", None), ("bf16", "loss", 1), ("bf16", "tensor", None),
        ("fp8-e4m3", "tensor", None), ("fp8-e5m2", "tensor", None), ("mxfp8", "block", None),
    ]  # fmt: skip
    assert all([layer.name for layer in one.layers] == [layer.name for layer in deep.layers] for one in
               deep.number_formats.formats)  # fmt: skip


def test_a_vanishing_gradient_is_lost_to_fp16_and_kept_by_a_scale_of_each_tensor(deep):
    loss, tensor = deep.number_formats.formats[:2]
    assert loss.layers[0].gradients.to_zero == 1
    assert tensor.layers[0].gradients.to_zero < 0.001
    assert (loss.layers[-1].gradients.log2_scale, loss.layers[-1].weights.log2_scale) == (16, 0)


def test_what_is_lost_is_remarked_on_after_the_verdicts_own_reasons(deep):
    plain = gradcheck.simulate(**DEEP)
    count = len(plain.verdict.reasons)
    assert deep.verdict.reasons[:count] == plain.verdict.reasons
    assert set(codes(deep)[count:]) <= {"format-underflow", "format-overflow", "format-fits", "updates-lost"}
    (said,) = (one for one in deep.verdict.causes if one.code == "format-underflow" and "fp16" in one.text)
    assert said.text == "fp16 (loss scale 65,536): 100 % of the gradients at layer 1 round to zero"
    assert (said.layers, said.value, said.limit) == ((1, 1), 1.0, 0.01)


def test_no_verdict_and_no_other_number_depends_on_it(deep):
    plain = gradcheck.simulate(**DEEP)
    assert (deep.verdict.status, deep.verdict.score) == (plain.verdict.status, plain.verdict.score)
    assert deep.layers == plain.layers
    assert "number_formats" not in plain.to_dict()


def test_the_schema_has_what_the_report_has(deep):
    document = deep.to_dict()
    jsonschema.Draft202012Validator(json_schema("simulate")).validate(document)
    assert document["config"]["number_format"] == list(NUMBER_FORMATS)
    assert document["config"]["lr"] == 0.1
    assert document["number_formats"]["weights"] == "all"


def test_the_larger_the_rate_the_fewer_updates_are_lost():
    lost = [
        gradcheck.simulate(number_format="bf16", lr=rate, activation="tanh", **DEEP).number_formats.updates_lost
        for rate in (1e-3, 0.1, 10.0)
    ]
    assert lost[0] > lost[1] > lost[2]
    assert lost[0] > 0.9


def test_formats_are_named_in_other_words_and_in_lists():
    said = {"depth": 1, "width": 4, "batch_size": 4}
    for given in ("float16,E4M3", ["half", "fp8_e4m3"], ("fp16", "float8_e4m3fn", "fp16")):
        assert gradcheck.simulate(number_format=given, **said).config.number_format == ("fp16", "fp8-e4m3")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"number_format": "fp4"}, "number_format='fp4' is unknown; did you mean 'fp16'"),
        ({"number_format": []}, "number_format names no format: write fp16, or several"),
        ({"number_format": "bf16", "lr": 0.0}, "lr=0.0 is not a finite number above 0: it is a learning rate"),
        ({"lr": 0.1}, "lr is of the updates that number_format counts: name a format, or drop it"),
    ],
)
def test_errors_say_what_would_be_right(options, problem):
    with pytest.raises(GradcheckError, match=f"^{problem}"):
        gradcheck.simulate(**options)


def test_the_text_has_a_row_for_each_tensor_that_loses_anything(deep):
    lines = str(deep).split("\n")
    (start,) = (place for place, line in enumerate(lines) if line.startswith("  In number formats"))
    rows = [line.split() for line in lines[start + 2 :]]
    assert ["fp16", "loss", "65,536", "gradients", "100", "%", "0", "%", "1"] in rows
    assert ["bf16", "tensor", "all", "0", "%", "0", "%"] in rows
    assert all(len(line) <= 80 for line in lines[start:] if not line.startswith("  gradcheck"))


def test_the_page_for_a_browser_has_a_table_of_all_tensors_and_charts_of_what_is_lost(deep):
    pytest.importorskip("jinja2")
    from gradcheck.diagnosis.html import page_of

    page = page_of(deep)
    assert len(page.tables[-1].columns[0].cells) == 7 * 4 * 24
    titles = [chart.title for chart in page.charts]
    assert "Rounds to zero in fp16" in titles
    assert "Updates lost" in titles
    assert "number formats" not in "".join(page_of(gradcheck.simulate(depth=1, width=4)).tables[-1].title)
