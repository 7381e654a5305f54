"""A log that is diagnosed while it grows: when, what is new, and what is done about it."""

from itertools import pairwise

import pytest

from gradcheck import diagnose
from gradcheck.errors import OptionError
from gradcheck.logs.records import header_line, record_line
from gradcheck.logs.watching import Watch, as_metrics, checked_reaction, react

LAYERS = ["0.weight", "2.weight", "4.weight"]


def found_in(norms, every=20, weakest=1.0):
    """What a watch finds, by the step at which it does."""
    watch = Watch(every)
    watch.take(header_line(LAYERS))
    for step, norm in enumerate(norms):
        layers = [norm * weakest, norm, norm]
        watch.take(record_line(step, {"grad_norm": layers}, loss=1 / (1 + 0.01 * step), grad_norm=2 * norm))
        for finding in watch.look(step, grad_norm=2 * norm):
            yield step, finding


def test_a_healthy_run_has_no_finding():
    assert list(found_in([1.0 + 0.1 * (step % 3) for step in range(300)])) == []


def test_what_is_found_is_told_once():
    found = [(step, finding.kind) for step, finding in found_in([1.0] * 200, weakest=1e-6)]
    assert found == [(20, "vanishing")]


def test_a_finding_is_told_as_diagnose_tells_it_of_the_same_log():
    norms = [1.0] * 30 + [1.3**step for step in range(31)]
    rows = [{"step": step, "loss": 1 / (1 + 0.01 * step), "grad_norm": norm} for step, norm in enumerate(norms)]
    watch = Watch(60)
    for row in rows:
        watch.take(record_line(row["step"], None, loss=row["loss"], grad_norm=row["grad_norm"]))
    told = watch.diagnose()
    assert [finding.kind for finding in told] == ["exploding"]
    assert "it clips" in told[0].advice[0]
    assert told == [one for one in diagnose(rows).findings if one.severity != "note"]


def test_a_number_that_isnt_finite_is_looked_at_at_once():
    norms = [1.0] * 7 + [float("inf")] + [1.0] * 3
    assert next((step, finding.kind) for step, finding in found_in(norms)) == (7, "nonfinite")


def test_steps_that_a_loss_scale_skips_are_no_finding_until_it_has_fallen_too_far():
    watch, told = Watch(), []
    for step in range(40):
        norm = float("nan") if step >= 2 else 1.0
        scale = 2.0 ** min(16, 18 - step)
        watch.take(record_line(step, {"grad_norm": [norm]}, loss=1.0, grad_norm=norm, loss_scale=scale))
        told += [(step, one.kind, one.severity) for one in watch.look(step, grad_norm=norm, loss=1.0)]
    assert told == [(9, "nonfinite", "error")]


def test_diagnoses_become_rarer_as_a_run_grows(monkeypatch):
    monkeypatch.setattr(Watch, "diagnose", lambda self: ["looked"])
    watch = Watch(20)
    looked = [step for step in range(1000) if watch.look(step)]
    assert looked[:5] == [20, 120, 220, 320, 420]
    assert len(looked) < 10
    assert all(after - before <= 0.3 * after for before, after in pairwise(looked[3:]))


def test_a_finding_is_a_metric_that_says_where_it_begins():
    ((_, finding),) = found_in([1.0] * 50, weakest=1e-6)
    assert as_metrics(finding) == {"gradcheck/vanishing": finding.first_step}


def test_stop_warns_and_stops_at_an_error_only():
    ((_, finding),) = found_in([1.0] * 50, weakest=1e-6)
    with pytest.warns(RuntimeWarning, match=r"gradcheck found vanishing: .* \(gradcheck diagnose run.jsonl\)"):
        assert react(finding, "stop", "run.jsonl")
    warning = type(finding)(**{**vars(finding), "severity": "warning"})
    with pytest.warns(RuntimeWarning, match="gradcheck found"):
        assert not react(warning, "stop", "run.jsonl")
    assert not react(finding, "warn", "run.jsonl", silent=True)


def test_a_function_says_whether_to_stop():
    ((_, finding),) = found_in([1.0] * 50, weakest=1e-6)
    assert react(finding, lambda one: "stop" if one.kind == "vanishing" else None, "run.jsonl")
    assert not react(finding, print, "run.jsonl")


def test_what_can_t_be_done_is_refused():
    with pytest.raises(OptionError, match="on_finding=3 is none of 'warn', 'stop', or a function"):
        checked_reaction(3)
