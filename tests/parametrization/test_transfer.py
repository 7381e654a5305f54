"""The published parametrisations, and wrong ones."""

import itertools

import pytest

import gradcheck
from gradcheck import GradcheckError, transfer
from gradcheck.parametrization import networks
from gradcheck.parametrization.laws import PARAMETRIZATIONS
from gradcheck.parametrization.next_step import next_command
from gradcheck.spec.transfer import transfer_specs

SMALL = {"width": (32, 64, 128), "activation": "tanh", "seeds": 3, "steps": 3}
TRANSFORMER = {
    "arch": "transformer",
    "width": (32, 64, 128),
    "tokens": 16,
    "depth": 1,
    "activation": "gelu",
    "steps": 2,
}


@pytest.mark.parametrize(
    ("arch", "optimizer"), [({}, "sgd"), (TRANSFORMER, "adam")], ids=["mlp by sgd", "transformer by adam"]
)
@pytest.mark.parametrize(("param", "status"), [("mup", "transfers"), ("standard", "grows"), ("ntk", "shrinks")])
def test_mup_transfers_standard_grows_and_the_ntk_is_lazy(param, status, optimizer, arch):
    assert transfer(param=param, optimizer=optimizer, **{**SMALL, **arch}).verdict.status == status


@pytest.fixture
def scrambled(monkeypatch):
    """A role and a change of its law ↦ mup in which that one law is wrong."""

    def scramble(role, **wrong):
        mup = PARAMETRIZATIONS["mup"]
        law = mup.laws[role]._replace(**wrong)
        changed = mup._replace(laws={**mup.laws, role: law})
        monkeypatch.setattr(networks, "PARAMETRIZATIONS", {**PARAMETRIZATIONS, "mup": changed})

    return scramble


@pytest.mark.parametrize(
    ("role", "wrong", "layers", "advice"),
    [
        ("input", {"adam": -1}, ["layer 1"], "multiply the learning rate of layer 1 by width"),
        ("hidden", {"adam": 0}, ["layer 2", "layer 3"], "divide the learning rate of layers 2 and 3 by width"),
        ("hidden", {"adam": -2}, ["layer 2", "layer 3"], "multiply the learning rate of layers 2 and 3 by width"),
        ("output", {"multiplier": 0}, ["logits"], "divide the learning rate of logits by width"),
        ("hidden", {"variance": -2}, ["layer 2"], "multiply the initial standard deviation of layer 2 by width^0.5"),
    ],
)  # fmt: skip
def test_one_wrong_law_is_found_and_its_matrix_named(role, wrong, layers, advice, scrambled):
    scrambled(role, **wrong)
    verdict = transfer(**SMALL).verdict
    assert verdict.status != "transfers"
    assert advice in [cause.advice for cause in verdict.causes]
    assert list(next(cause.layers for cause in verdict.causes if cause.advice == advice)) == layers


def test_a_hidden_rate_that_is_too_small_is_seen_in_what_its_matrix_gains_alone(scrambled):
    scrambled("hidden", adam=-1.5)
    courses = {(one.layer, one.quantity): one.course for one in transfer(**SMALL).layers}
    assert courses["layer 2", "change"] == "keeps"
    assert courses["layer 2", "update"] == "shrinks"


def test_scores_divided_by_the_root_are_found(monkeypatch):
    wrong = PARAMETRIZATIONS["mup"]._replace(scores=-0.5)
    monkeypatch.setattr(networks, "PARAMETRIZATIONS", {**PARAMETRIZATIONS, "mup": wrong})
    verdict = transfer(**{**SMALL, **TRANSFORMER}).verdict
    assert [cause.code for cause in verdict.causes] == ["scores-align"]
    assert verdict.causes[0].layers == ("1 scores",)


@pytest.mark.parametrize(("param", "status"), [("mup", "transfers"), ("standard", "grows")])
def test_in_depth_mup_transfers_and_standard_grows(param, status):
    assert transfer(param=param, depth=(4, 8, 16), width=32, seeds=2, steps=2).verdict.status == status


def test_relu_branches_add_up_in_depth_whatever_their_scale():
    assert transfer(depth=(4, 16, 64), width=32, seeds=2, steps=1, activation="relu").verdict.status == "grows"


def test_the_loss_of_each_width_is_there_and_a_tick_for_each_network():
    ticks = []
    report = transfer(width=(4, 8), seeds=2, steps=2, tick=lambda: ticks.append(1))
    assert [(one.scale, len(one.losses)) for one in report.losses] == [(4, 3), (8, 3)]
    assert len(ticks) == 4


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"width": 64}, "--width 64 is one width: to compare, give several"),
        ({"width": (8, 16), "depth": (2, 4)}, "--depth and --width have several values"),
        ({"depth": (2, 4), "param": "ntk"}, "--param ntk says nothing of the depth"),
        ({"depth": (2, 4), "residual": False}, "--residual is what several depths are compared with"),
        ({"heads": 2}, "--heads 2 goes with --arch transformer"),
        ({"arch": "transformer", "residual": False}, "--residual streams are what a transformer is made of"),
        ({"arch": "transformer", "width": (8, 9)}, "--heads 4 can't share --width 9; allowed: 1"),
        ({"width": ()}, "--width is empty"),
        ({"width": (8, 0)}, "--width 0 "),
        ({"width": (4, 8), "norm": "batch", "batch_size": 1}, "--batch-size 1 has no variance for --norm batch"),
    ],
)
def test_what_cant_be_compared_says_what_can(options, problem):
    with pytest.raises(GradcheckError) as caught:
        gradcheck.transfer(**options)
    assert caught.value.typed().startswith(problem)


@pytest.mark.parametrize("scales", [{"depth": (1, 2)}, {"depth": (2, 4), "width": 8}, {"width": (4, 8)}])
def test_the_next_command_compares_the_same_networks_or_more(scales):
    report = transfer(**scales, steps=1, seeds=1)
    words = next_command(report).split()
    given = {name.removeprefix("--"): one for name, one in itertools.pairwise(words) if name.startswith("--")}
    sizes = {name: [*map(int, given[name].split(","))] for name in ("width", "depth") if name in given}
    spec, _ = transfer_specs({"activation": given.get("activation"), **sizes})
    assert set(report.scales) <= set(spec.scales)
