"""What fixes a transformer: changes that keep it one, and do what they say when they are typed."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import gradcheck
from gradcheck.errors import OptionError
from gradcheck.families.transformer import TRANSFORMER
from gradcheck.simulation.cures import MOST
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec import FREE_SCALE, INITIALIZERS, PLACEMENTS, RESIDUAL_SCALES, TransformerSpec

SMALL = {"arch": "transformer", "model_width": 16, "heads": 2, "tokens": 6}

NETWORKS = {
    "norms behind the branches": {"blocks": 24, "init": "xavier_uniform", "norm_placement": "post"},
    "no norms": {"blocks": 12, "norm": "none"},
    "no norms and a gain": {"blocks": 8, "norm": "none", "gain": 2.0},
    "a large standard deviation": {"blocks": 8, "norm": "none", "init": "normal", "weight_std": 0.7},
    "an overflow": {"blocks": 4, "norm": "none", "gain": 1e30},
    "an encoder of several draws": {"blocks": 12, "norm": "none", "causal": False, "seeds": 2, "seed": 3},
    "weightless layers": {"blocks": 4, "norm": "none", "gain": 2.0, "layers": "weightless"},
    "a preset": {
        "preset": "transformer-base", "blocks": 6, "vocabulary": 256, "norm": "none", "arch": None, "init": "he",
    },
    "patches": {
        "blocks": 6, "norm": "none", "gain": 1.5, "patch": 8, "tied": False, "tokens": None, "data": "digits",
    },
}  # fmt: skip


#: Of the same kinds as others: simulated where slow proofs are run.
ALIKE = {
    "norms behind the branches",
    "a large standard deviation",
    "no norms and a gain",
    "an encoder of several draws",
    "weightless layers",
}


@pytest.fixture(
    scope="module", params=[NETWORKS.keys() - ALIKE, pytest.param(ALIKE, marks=pytest.mark.slow)], ids=["", "alike"]
)
def reports(request):
    """Name ↦ the report on the transformer, of each kind one."""
    return {name: gradcheck.simulate(suggest=True, **SMALL | NETWORKS[name]) for name in request.param}


@pytest.fixture(scope="module")
def suggested(reports):
    """(name, report, suggestion) of every suggestion."""
    return [(name, report, one) for name, report in reports.items() for one in report.suggestions]


@pytest.fixture(scope="module")
def every_change():
    """A transformer's options ↦ every change that fixes it, not the best few."""

    def changes(**options):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gradcheck.simulation.cures.MOST", 99)
            patch.setattr("gradcheck.simulation.cures.FRESH_SEEDS", 1)
            report = gradcheck.simulate(suggest=True, **SMALL | options)
        assert report.verdict.status != "healthy"
        return [one.changes for one in report.suggestions]

    return changes


@pytest.fixture(scope="module")
def cures_of_a_collapse(every_change):
    return every_change(**NETWORKS["norms behind the branches"])


# ---- what is suggested


def test_every_transformer_that_is_not_healthy_gets_a_few_suggestions(reports):
    for name, report in reports.items():
        assert report.verdict.status != "healthy", name
        assert 0 < len(report.suggestions) <= MOST, name


def test_suggestions_are_healthy_likely_to_train_and_the_best_comes_first_fewer_blocks_last(reports):
    for name, report in reports.items():
        assert {one.status for one in report.suggestions} == {"healthy"}, name
        assert all(one.score >= 0.5 for one in report.suggestions), name
        order = [
            ("blocks" in one.changes, one.first_loss is not None, -min(round(one.score, 2), 0.95))
            for one in report.suggestions
        ]
        assert order == sorted(order), name  # above 95 % all are as likely: the smallest change decides there


def test_each_command_when_typed_gives_exactly_what_was_reported(suggested, typed):
    for name, _, one in suggested:
        outcome = Experiment.from_options(typed(one.command)).outcome()
        assert (outcome.diagnosis.verdict.status, outcome.diagnosis.verdict.score) == (one.status, one.score), name
        assert outcome.summary.gradient_span == one.gradient_span, name
        assert outcome.summary.effective_rank_last == one.effective_rank_last, name


def test_changes_and_command_tell_the_same(suggested, typed):
    for transformer, report, one in suggested:
        config = Experiment.from_options(typed(one.command)).to_dict()
        assert {name: config[name] for name in one.changes} == one.changes, transformer
        implied = {"weight_std"}  # an initialisation of its own scale has none
        kept = set(config) - set(one.changes) - implied
        assert {name: config[name] for name in kept} == {name: report.config[name] for name in kept}, transformer


def test_changes_are_real_options_with_real_values_that_differ_from_the_transformers(suggested):
    options = {"norm", "norm_placement", "residual_scale", "init", "weight_std", "gain", "blocks"}
    for transformer, report, one in suggested:
        assert one.changes, transformer
        assert set(one.changes) <= options, transformer
        for name, value in one.changes.items():
            assert value is not None, (transformer, name)
            assert value != report.config[name], (transformer, name)


def test_no_two_suggestions_are_the_same(reports):
    for name, report in reports.items():
        commands = [one.command for one in report.suggestions]
        assert len(commands) == len(set(commands)), name


def test_a_transformer_that_collapses_is_brought_back_by_its_published_cures(cures_of_a_collapse):
    for cure in ({"norm_placement": "pre"}, {"residual_scale": "gpt2"}, {"residual_scale": "deepnorm"}):
        assert cure in cures_of_a_collapse
    assert {"init": "normal", "weight_std": 0.02} in cures_of_a_collapse


def test_norms_come_in_at_every_place_where_there_are_none(every_change):
    changes = every_change(**NETWORKS["no norms"])
    assert {"norm": "layer"} in changes
    assert {"norm": "layer", "norm_placement": "both"} in changes
    assert {"norm": "layer", "norm_placement": "post"} in changes


def test_a_half_a_quarter_and_an_eighth_of_the_blocks_are_tried(cures_of_a_collapse):
    tried = [change["blocks"] for change in cures_of_a_collapse if "blocks" in change]
    assert set(tried) <= {3, 6, 12}
    assert 3 in tried


def test_fewer_blocks_are_no_cure_for_an_overflow(every_change):
    changes = every_change(**NETWORKS["an overflow"])
    assert changes
    assert all("blocks" not in change for change in changes)


def test_a_healthy_transformer_needs_none():
    report = gradcheck.simulate(suggest=True, blocks=2, **SMALL)
    assert report.verdict.status == "healthy"
    assert report.suggestions == ()


# ---- every change, simulated or not


@st.composite
def specs(draw):
    """Any transformer, however it starts."""
    init = draw(st.sampled_from([*INITIALIZERS, "torch", "flax", "jax-vit"]))
    try:
        return TransformerSpec(
            blocks=draw(st.integers(1, 99)),
            model_width=16,
            heads=2,
            norm=draw(st.sampled_from(["layer", "rms", "none"])),
            norm_placement=draw(st.sampled_from(PLACEMENTS)),
            residual_scale=draw(st.sampled_from(RESIDUAL_SCALES) | st.floats(-9, 9)),
            init=init,
            weight_std=draw(st.just(0.02) | st.floats(0.01, 9)) if init in FREE_SCALE else None,
            gain=draw(st.just(1.0) | st.floats(0.1, 9)),
        )
    except OptionError:  # deepnorm is for norms behind the branches
        assume(False)


@pytest.fixture(scope="session")
def changes_of():
    """A spec ↦ every change of it that is tried, of fewer blocks too if so asked."""
    return lambda spec, shallower=True: list(TRANSFORMER.changes(spec, 1, shallower))


@settings(max_examples=20)
@given(specs())
def test_every_change_makes_another_transformer_that_there_can_be(changes_of, spec):
    changed = [replace(spec, **change) for change in changes_of(spec)]  # which checks it
    assert changed
    assert spec not in changed


@settings(max_examples=20)
@given(specs())
def test_the_norms_can_be_put_at_every_other_place_and_branches_scaled_as_published(changes_of, spec):
    changed = [replace(spec, **change) for change in changes_of(spec)]
    normed = {one.norm_placement for one in changed if (one.norm, one.init, one.gain) == (
        "layer" if spec.norm == "none" else spec.norm, spec.init, spec.gain,
    )}  # fmt: skip
    assert normed >= set(PLACEMENTS) - ({spec.norm_placement} if spec.norm != "none" else set())
    scales = {one.residual_scale for one in changed} | {spec.residual_scale}
    assert "gpt2" in scales
    assert ("deepnorm" in scales) == (spec.norm_placement == "post" and spec.norm != "none")


@settings(max_examples=20)
@given(specs())
def test_fewer_blocks_are_tried_only_where_they_may_help(changes_of, spec):
    fewer = [change["blocks"] for change in changes_of(spec) if "blocks" in change]
    assert fewer == [spec.blocks // part for part in (2, 4, 8) if spec.blocks >= part]
    assert not any("blocks" in change for change in changes_of(spec, shallower=False))


@settings(max_examples=20)
@given(specs())
def test_a_change_alters_one_thing(changes_of, spec):
    together = ({"norm", "norm_placement", "residual_scale"}, {"init", "weight_std", "gain"}, {"blocks"})
    for change in changes_of(spec):
        assert sum(bool(set(change) & one) for one in together) == 1
