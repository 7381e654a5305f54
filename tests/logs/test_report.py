"""The report on a log, whatever the log holds."""

import contextlib
import json
import math

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcheck
from gradcheck.errors import InputError, OptionError
from gradcheck.logs.formats import as_csv, as_github, as_jsonl, as_markdown
from gradcheck.logs.report import diagnose
from gradcheck.logs.text import as_text
from gradcheck.render.documents import as_json
from gradcheck.render.page import Page

SCHEMA = jsonschema.Draft202012Validator(gradcheck.json_schema("diagnose"))

EXTREMES = [
    0.0,
    -0.0,
    1e-320,
    5e-324,
    1e308,
    1.7e308,
    -1e308,
    -1.0,
    1.0,
    math.nan,
    math.inf,
    -math.inf,
    None,
    "NaN",
    "x",
]

NAMES = (
    "step", "loss", "lr", "loss_scale", "max_norm", "grad_norm", "grad_norm_after", "grad_norm/a", "grad_norm/b",
    "grad_norm/c", "weight_norm/a", "update_norm/a", "update_ratio/b", "dead_fraction/c", "activation_rms/a",
)  # fmt: skip

numbers = st.one_of(st.sampled_from(EXTREMES), st.floats(), st.floats(0.1, 10), st.integers(0, 10**400))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Records ↦ a file of them."""
    path = tmp_path_factory.mktemp("logs") / "run.jsonl"

    def write(records):
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return write


def check(report):
    document = as_json(report)
    SCHEMA.validate(json.loads(document, parse_constant=pytest.fail))
    for shown in (as_csv, as_jsonl, as_markdown, as_github):
        assert isinstance(shown(report), str)
    for width in (1, 30, 80):
        assert as_text(report, Page(width)).strip()


@settings(max_examples=15)
@given(draws=st.data())
def test_no_numbers_break_a_report(draws, written):
    names = draws.draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    steps = draws.draw(st.integers(1, 45))
    values = draws.draw(st.lists(numbers, min_size=1, max_size=30))
    records = [{name: values[(7 * row + 3 * place) % len(values)] for place, name in enumerate(names)}
               for row in range(steps)]  # fmt: skip
    with contextlib.suppress(InputError):  # neither a loss nor a gradient among the names
        check(diagnose(written(records)))


@pytest.mark.parametrize("value", EXTREMES)
def test_a_constant_log_of_any_value_has_a_report(value, written):
    rows = [dict.fromkeys(NAMES, value) | {"step": step} for step in range(40)]
    if value in (None, "x"):  # then nothing could be judged, and a verdict would be a lie
        with pytest.raises(InputError, match="has no number under"):
            diagnose(written(rows))
    else:
        check(diagnose(written(rows)))


def test_a_column_without_a_number_is_named_in_a_warning(written):
    report = diagnose(written([{"step": step, "loss": 1.0, "grad_norm": "tensor(2.0)"} for step in range(40)]))
    assert "no number under grad_norm could be read" in report.warnings


@pytest.mark.parametrize("steps", [[1] * 40, [math.nan] * 40, [-5.5 * step for step in range(40)], [1e300] * 40])
def test_steps_that_make_no_sense_have_a_report(steps, written):
    check(diagnose(written([{"step": step, "grad_norm": 10.0**row} for row, step in enumerate(steps)])))


def test_a_log_without_gradients_says_that_only_the_loss_is_judged(written):
    report = diagnose(written([{"step": step, "loss": 10.0 ** max(0, step - 50)} for step in range(80)]))
    assert report.verdict.status == "exploding"
    assert "the loss grows" in report.findings[0].message
    assert any("only the loss is judged" in warning for warning in report.warnings)


def test_the_curves_keep_the_highest_of_each_part_and_what_is_not_finite(written):
    records = [{"step": step, "loss": 1.0, "grad_norm": 1.0} for step in range(3000)]
    records[1234]["grad_norm"] = 50.0
    records[2000]["loss"] = math.inf
    curves = diagnose(written(records)).curves
    assert len(curves.grad_norm.step) == len(curves.grad_norm.value) == 240
    assert max(curves.grad_norm.value) == 50.0
    assert curves.loss.value.count(None) == 1


def test_a_resumed_run_is_told(written):
    records = [{"step": step, "loss": 1.0, "grad_norm": 1.0} for step in [*range(50), *range(30, 60)]]
    assert diagnose(written(records)).warnings == (
        "the steps go back once: where a step occurs twice, the later row counts",
    )


@pytest.mark.parametrize("max_norm", [0.0, -1.0, math.nan, math.inf, "1"])
def test_a_threshold_that_means_nothing_is_refused(max_norm, written):
    with pytest.raises(OptionError, match="max_norm"):
        diagnose(written([{"loss": 1.0}]), max_norm=max_norm)


def test_the_part_that_is_read_is_told(written, monkeypatch):
    monkeypatch.setattr("gradcheck.logs.lines.CHUNK", 2**15)
    monkeypatch.setattr("gradcheck.logs.files.TICK_ROWS", 1)
    shares = []
    diagnose(written([{"step": step, "loss": 1.0} for step in range(10_000)]), tick=shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 3
    assert 0 < shares[0] <= shares[-1] <= 1


def test_numbers_of_a_validation_are_named_and_not_judged():
    rows = [{"step": s, "loss": 0.9**s, "val_acc": 0.5, "val_loss": 0.5 + s, "val_time": 3.0} for s in range(30)]
    report = gradcheck.diagnose(rows)
    assert (report.verdict.status, report.log.validation) == ("healthy", ("val_loss", "val_acc"))
    assert "not judged: val_loss and 1 more" in str(report)
    assert "not judged" not in str(gradcheck.diagnose([{"step": s, "loss": 0.9**s} for s in range(30)]))
