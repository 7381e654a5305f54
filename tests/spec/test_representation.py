import math
import re

import pytest

from gradcheck.engine.initializers import INITIALIZERS, gaussian, haar_frame
from gradcheck.errors import OptionError
from gradcheck.spec import (
    FRAMEWORKS,
    FREE_SCALE,
    LAYERS,
    RECURRENT,
    WEIGHTLESS,
    NetworkSpec,
    RecurrentSpec,
    TransformerSpec,
)
from gradcheck.spec.representation import TIMES_THE_ROWS, WIDE, cheaper, chosen_layers, why_dense

LARGE = {"init": "he", "width": 4096, "depth": 2}


@pytest.fixture
def refusal():
    """What is asked for and needed ↦ the error that weightless layers are refused with."""

    def error(network, **needs):
        with pytest.raises(OptionError) as caught:
            chosen_layers("weightless", network, 1, **needs)
        return caught.value

    return error


def test_the_inits_that_can_do_without_a_matrix_are_those_of_normal_entries_and_of_frames():
    whole = (name for name, one in INITIALIZERS.items() if math.isinf(one.limit))
    by_sample = {name for name in whole if INITIALIZERS[name].sample in (gaussian, haar_frame)}
    assert set(WEIGHTLESS) == by_sample
    assert len(WEIGHTLESS) == len(by_sample)


@pytest.mark.parametrize("init", INITIALIZERS)
def test_only_those_inits_are_taken(init, refusal):
    network = NetworkSpec(**LARGE | {"init": init, "weight_std": 0.1 if init in FREE_SCALE else None})
    if init in WEIGHTLESS:
        assert chosen_layers("auto", network, 32) == chosen_layers("weightless", network, 32) == "weightless"
        assert why_dense(network) == ""
    else:
        assert chosen_layers("auto", network, 32) == "dense"
        error = refusal(network)
        assert error.option == "layers"
        assert f"init {init} is not normal" in str(error)
        for name in WEIGHTLESS:
            assert re.search(rf"\b{name}\b", str(error))


def test_of_the_frameworks_only_the_law_of_gpt2_is_normal():
    for init in FRAMEWORKS:
        for network in (NetworkSpec(**LARGE | {"init": init}), TransformerSpec(init="gpt2")):
            expected = "weightless" if network.init == "gpt2" else "dense"
            assert chosen_layers("auto", network, 1) == expected, init
    with pytest.raises(OptionError, match="init keras is not normal"):
        chosen_layers("weightless", NetworkSpec(**LARGE | {"init": "keras"}), 32)


@pytest.mark.parametrize("arch", RECURRENT)
def test_a_recurrence_shares_its_weights(arch, refusal):
    network = RecurrentSpec(arch=arch, steps=4, width=4096, init="he")
    assert chosen_layers("auto", network, 1) == "dense"
    assert f"the steps of arch {arch} share their weights" in str(refusal(network))


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        ({"given": True}, "weights gives the matrices"),
        ({"stored": "save_weights writes the matrices"}, "save_weights writes the matrices"),
        ({"stored": "training changes them", "given": True}, "training changes them"),
    ],
)
def test_matrices_that_are_there_or_needed_are_kept(needs, reason, refusal):
    network = NetworkSpec(**LARGE)
    assert chosen_layers("auto", network, 1, **needs) == "dense"
    assert reason in str(refusal(network, **needs))


def test_a_refusal_says_what_why_and_what_to_take_instead(refusal):
    text = str(refusal(NetworkSpec(**LARGE), given=True))
    assert text == ("layers weightless is not possible here: weights gives the matrices; take auto or dense")
    assert set(LAYERS) == {"auto", "dense", "weightless"}


def test_dense_can_always_be_had():
    for network in (NetworkSpec(**LARGE), RecurrentSpec(arch="rnn", steps=4)):
        for needs in ({}, {"given": True}, {"stored": "they are trained"}):
            assert chosen_layers("dense", network, 1, **needs) == "dense", (needs, network)


def test_weightless_layers_can_be_had_where_they_are_dearer():
    assert chosen_layers("weightless", NetworkSpec(init="he", width=4, depth=2), 1000) == "weightless"


def test_the_cheaper_one_is_weightless_from_a_width_and_a_multiple_of_the_batch_on():
    for width, batch, choice in [
        (WIDE, 1, "weightless"),
        (WIDE - 1, 1, "dense"),
        (WIDE, WIDE // TIMES_THE_ROWS, "weightless"),
        (WIDE, WIDE // TIMES_THE_ROWS + 1, "dense"),
        (4 * WIDE, 4 * WIDE // TIMES_THE_ROWS, "weightless"),
        (4 * WIDE, 4 * WIDE // TIMES_THE_ROWS + 1, "dense"),
    ]:
        network = NetworkSpec(init="he", width=width, depth=2)
        assert chosen_layers("auto", network, batch) == choice, width
        assert cheaper(network, batch) == (choice == "weightless"), width


def test_the_narrowest_hidden_layer_decides():
    wide, narrow = NetworkSpec(init="he", width=(1024, 1024), depth=2), NetworkSpec(init="he", width=(1024, 8), depth=2)
    assert (chosen_layers("auto", wide, 8), chosen_layers("auto", narrow, 8)) == ("weightless", "dense")


def test_every_token_of_a_transformer_is_a_row():
    network = TransformerSpec(blocks=1, model_width=WIDE, heads=8, tokens=WIDE // TIMES_THE_ROWS // 2, init="he")
    assert [chosen_layers("auto", network, batch) for batch in (1, 2, 3)] == ["weightless", "weightless", "dense"]
