"""What clipping did, and would have done."""

import json

import numpy as np
import pytest

from gradcheck.clipping import Clipper
from gradcheck.logs.findings.clips import Threshold, replays, thresholds, usual_threshold
from gradcheck.logs.findings.criteria import find_all
from gradcheck.logs.findings.finding import NOTE
from gradcheck.logs.reading import read_log
from gradcheck.logs.records import header_line
from gradcheck.logs.series import Series

NORMS = np.exp(0.4 * np.random.default_rng(0).standard_normal(300))


def rows(norms=NORMS, **more):
    return [{"step": step, "grad_norm": norm, **more} for step, norm in enumerate(norms.tolist())]


def test_the_thresholds_are_percentiles_of_the_norms(series_of):
    table = thresholds(series_of(rows()))
    assert [one.percentile for one in table] == [50, 75, 90, 95, 99]
    for one in table:
        assert one.norm == pytest.approx(np.percentile(NORMS, one.percentile))
        assert one.clipped_fraction == pytest.approx((one.norm < NORMS).mean())
        assert one.kept == pytest.approx(np.minimum(1, one.norm / NORMS).mean())
        assert one.until_step is None


def test_a_long_log_has_a_percentile_more(series_of):
    assert thresholds(series_of(rows(np.tile(NORMS, 4))))[-1].percentile == 99.9


def test_the_norms_of_an_explosion_are_no_model_for_a_threshold(series_of):
    norms = np.concatenate([NORMS, NORMS[:60] * 10 ** np.linspace(0, 8, 60)])
    series = series_of(rows(norms))
    found = find_all(series)
    assert [one.kind for one in found] == ["exploding"]
    before = thresholds(series, found)
    assert before[-1].until_step == found[0].first_step
    assert before[-1].norm < 1.1 * np.percentile(NORMS, 99)


def test_too_few_norms_have_no_thresholds(series_of):
    assert thresholds(series_of(rows(NORMS[:19]))) == replays(series_of(rows(NORMS[:19]))) == []


@pytest.mark.parametrize("unit", [1.0, 1e-12, 1e12])
def test_a_replay_does_what_the_rule_does_in_training(unit, series_of):
    for replay in replays(series_of(rows(unit * NORMS))):
        clipper = Clipper(replay.rule)
        reports = [clipper([np.array([norm])])[1] for norm in NORMS]
        limits = [one.threshold for one in reports if one.threshold is not None]
        assert replay.clipped_fraction == np.mean([one.clipped for one in reports])
        assert replay.kept == pytest.approx(np.mean([one.kept for one in reports]), rel=1e-4)
        np.testing.assert_allclose([replay.lowest, replay.highest], [unit * min(limits), unit * max(limits)], rtol=1e-4)


@pytest.mark.parametrize("limit", [1e-3, 1e3])
def test_a_threshold_is_known_from_a_column_the_header_or_the_user(limit, series_of, found, tmp_path):
    kind = ["always-clipped" if limit < 1 else "never-clipped"]
    assert [one.kind for one in found(rows(max_norm=limit))] == kind
    assert [one.kind for one in found(rows(), limit)] == kind
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows())
    (tmp_path / "run").write_bytes(header_line([], rule="global-norm", threshold=limit) + lines)
    assert [one.kind for one in find_all(Series(read_log(tmp_path / "run")))] == kind
    assert found(rows()) == []


def test_norms_behind_clipping_tell_it_too(found):
    clipped = [row | {"grad_norm_after": row["grad_norm"] / 3} for row in rows()]
    (always,) = found(clipped)
    assert always.kind == "always-clipped"
    assert always.numbers["kept"] == pytest.approx(1 / 3)


def test_clipping_now_and_then_is_no_finding(found):
    assert found(rows(), float(np.percentile(NORMS, 90))) == []


def test_a_threshold_of_another_rule_is_not_taken_for_a_norm(tmp_path):
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows())
    (tmp_path / "run").write_bytes(header_line([], rule="value", threshold=1e-3) + lines)
    assert find_all(Series(read_log(tmp_path / "run"))) == []


@pytest.mark.parametrize(("percent", "kinds"), [(100.0, ["always-clipped"]), (40.0, []), (300.0, [])])
def test_a_log_s_own_count_of_clipped_steps_is_a_note(percent, kinds, found):
    notes = found(rows(clip=percent))
    assert [one.kind for one in notes] == kinds
    assert {one.weight for one in notes} <= {NOTE}


def test_against_spikes_no_threshold_is_itself_a_spike():
    norms = {50.0: 1.5, 95.0: 2.1, 99.0: 120.0}
    table = [
        Threshold(percentile=percentile, norm=norm, clipped_fraction=0.1, kept=0.9, until_step=None)
        for percentile, norm in norms.items()
    ]
    assert usual_threshold("spikes", table).norm == 2.1
    assert usual_threshold("never-clipped", table).norm == 120.0
