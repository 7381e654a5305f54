import inspect
import math

import numpy as np
import pytest

import gradcheck
from gradcheck.diagnosis.summary import Summary
from gradcheck.errors import InputError, OptionError
from gradcheck.simulation.experiment import Experiment, average_summary
from gradcheck.spec.options.network import DRAWN_ONLY
from gradcheck.spec.run import RunSpec

SMALL = {"depth": 3, "width": 8, "batch_size": 16}


def experiment(**options):
    return Experiment.from_options(SMALL | options)


@pytest.fixture
def weights(tmp_path):
    np.savez(tmp_path / "w.npz", W1=np.eye(64, 5), W2=np.eye(5, 7), W_out=np.eye(7, 12))
    return tmp_path / "w.npz"


# ---- options


@pytest.mark.parametrize(
    "options",
    [
        {"depth": 12, "width": 16, "activation": "relu", "norm": "layer"},
        {"depth": 12, "width": 16, "seeds": 2},
        {"activation": "linear", "init": "normal", "weight_std": 1e30, "depth": 16, "width": 8},
        {"activation": "step", "depth": 5, "width": 8},
        {"depth": 3, "width": 8, "batch_size": 1},
        {"arch": "lstm", "steps": 8, "width": 8},
        {"arch": "transformer", "blocks": 3, "model_width": 16, "heads": 2, "tokens": 12},
    ],
    ids=str,
)
def test_what_is_judged_alone_is_judged_as_in_the_whole_outcome(options):
    experiment = Experiment.from_options(options)
    whole, alone = experiment.outcome(), experiment.judged()
    verdict = whole.diagnosis.verdict
    assert alone.judgement == (whole.diagnosis.flags, verdict.status, verdict.score)
    assert alone.judgement.trainable == verdict.trainable
    np.testing.assert_array_equal(alone.summary, whole.summary)
    np.testing.assert_array_equal(alone.summaries, whole.summaries)
    gradients = (one.typical.column("log10_gradient_rms") for one in (alone, whole))
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_network_that_can_not_be_healthy_is_given_up(seeds):
    vanishing = Experiment.from_options({"depth": 30, "width": 16, "seeds": seeds})
    found = vanishing.judged(if_healthy=True)
    assert found.judgement.status != "healthy"
    assert found.judgement.score == 0
    gradient = found.typical.column("log10_gradient_rms")
    assert np.isnan(gradient[:10]).all()
    np.testing.assert_array_equal(gradient[-3:], vanishing.outcome().typical.column("log10_gradient_rms")[-3:])


def test_a_healthy_network_is_judged_as_ever_where_others_are_given_up():
    healthy = Experiment.from_options({"depth": 8, "width": 32, "activation": "tanh", "init": "lecun"})
    assert healthy.judged().judgement.status == "healthy"
    assert healthy.judged(if_healthy=True).judgement == healthy.judged().judgement


def test_no_more_is_measured_than_what_is_judged():
    layers = Experiment.from_options({"depth": 12, "width": 16}).judged().typical.layers
    assert all(math.isnan(one.input_cosine) and math.isnan(one.log10_preactivation_std) for one in layers)
    assert sum(not math.isnan(one.effective_rank) for one in layers) < len(layers)


def test_to_dict_has_every_option_of_simulate():
    options = set(inspect.signature(gradcheck.simulate).parameters) - {
        "save_weights", "suggest", "tick", "number_format", "lr", "trial", "trial_seconds",
    }  # fmt: skip
    assert set(experiment().to_dict()) == options


def test_to_dict_has_resolved_values():
    resolved = experiment(layers="auto", width=(4, 5, 6), init=None, gain=None).to_dict()
    assert (resolved["layers"], resolved["width"], resolved["init"], resolved["gain"]) == (
        "dense",
        [4, 5, 6],
        "xavier",
        1,
    )


def test_an_option_that_was_not_given_has_its_default():
    assert experiment(depth=None, width=None, gain=None, bias_std=None).network == gradcheck.NetworkSpec()


def test_a_list_of_widths_says_how_deep_the_network_is():
    assert experiment(depth=None, width=(4, 5, 6, 7)).network.depth == 4
    with pytest.raises(OptionError, match="width names 2 layers but depth is 3"):
        experiment(depth=3, width=(4, 5))


def test_given_weights_say_how_deep_and_wide_the_network_is(weights):
    given = Experiment.from_options({"weights": weights, "activation": "tanh"})
    assert (given.network.depth, given.network.widths, given.network.init) == (2, (5, 7), None)
    assert given.outputs == 12
    assert given.draw(0).widths == (64, 5, 7, 12)
    assert given.to_dict()["weights"] == str(weights)


@pytest.mark.parametrize("option", DRAWN_ONLY)
def test_options_of_drawn_weights_are_refused_beside_given_ones(option, weights):
    value = {"init": "he"}.get(option, 1)
    with pytest.raises(OptionError, match=f"{option} goes with drawn weights"):
        Experiment.from_options({"weights": weights, option: value})


def test_given_weights_must_fit_the_data(tmp_path):
    np.savez(tmp_path / "w.npz", W1=np.eye(63, 5), W_out=np.eye(5, 10))
    with pytest.raises(InputError, match="takes 63 inputs but the data has 64 features"):
        Experiment.from_options({"weights": tmp_path / "w.npz"})


def test_a_batch_of_one_has_no_variance_to_norm_by():
    with pytest.raises(OptionError, match="batch_size=1 has no variance for norm batch"):
        experiment(norm="batch", batch_size=1)
    assert experiment(norm="layer", batch_size=1).network.norm == "layer"


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"layers": "sparse"}, "layers"),
        ({"dtype": "float16"}, "dtype"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seeds": 0}, "seeds"),
    ],
)
def test_a_bad_run_is_refused_by_the_name_of_its_option(options, flag):
    with pytest.raises(OptionError, match=f"{flag}="):
        RunSpec(**options)


# ---- networks


def test_widths_lead_from_the_features_to_one_output_a_class():
    one = experiment(width=(4, 5, 6), depth=None)
    assert one.draw(0).widths == (64, 4, 5, 6, 10)
    assert one.outputs == 10


def test_work_counts_the_multiplications_of_all_forward_passes():
    assert experiment(seeds=2).work == 2 * 16 * (64 * 8 + 8 * 8 + 8 * 8 + 8 * 10)


def test_changed_alters_the_network_and_nothing_else():
    one = experiment()
    other = one.changed(norm="layer")
    assert other.network.norm == "layer"
    assert (other.data, other.run, other.thresholds) == (one.data, one.run, one.thresholds)
    assert other.dataset is one.dataset
    assert one.network.norm == "none"


def test_a_layers_draw_depends_on_its_seed_and_place_only():
    shallow, deep = experiment(depth=4), experiment(depth=9)
    np.testing.assert_array_equal(shallow.draw(3).linear(4).weight, deep.draw(3).linear(4).weight)
    assert not np.array_equal(shallow.draw(3).linear(4).weight, shallow.draw(4).linear(4).weight)
    assert not np.array_equal(shallow.draw(3).linear(4).weight, shallow.draw(3).linear(3).weight)


def test_gain_and_weight_std_scale_the_draws():
    base, scaled = experiment(), experiment(gain=2.5)
    np.testing.assert_allclose(scaled.draw(0).linear(2).weight, 2.5 * base.draw(0).linear(2).weight, rtol=1e-14)
    normal = experiment(init="normal", weight_std=0.03, width=200, gain=2.0)
    assert normal.draw(0).linear(2).weight.std() == pytest.approx(0.06, rel=0.02)


def test_bias_std_scales_the_biases():
    assert experiment().draw(0).linear(1).bias is None
    assert experiment(bias_std=0.5, width=2000).draw(0).linear(1).bias.std() == pytest.approx(0.5, rel=0.1)


def test_given_weights_are_the_same_for_every_seed(weights):
    given = Experiment.from_options({"weights": weights})
    np.testing.assert_array_equal(given.draw(0).linear(2).weight, np.eye(5, 7))
    np.testing.assert_array_equal(given.draw(5).linear(3).weight, np.eye(7, 12))


def test_a_presets_tokens_give_way_to_the_patches_of_the_data():
    given = Experiment.from_options({"preset": "vit-b", "data": "digits", "patch": 16, "batch_size": 2})
    assert given.network.tokens == 5
    with pytest.raises(OptionError, match="tokens=197 are not the 4 patches of digits and a class token; allowed: 5"):
        Experiment.from_options({"preset": "vit-b", "data": "digits", "patch": 16, "tokens": 197})


def test_text_is_no_patches():
    with pytest.raises(OptionError, match="data text is tokens, and patch takes vectors: drop one"):
        Experiment.from_options({"preset": "vit-b", "data": "text"})


def test_each_layer_on_both_ways_tells_the_share_of_all_draws_that_is_done():
    shares = []
    experiment(seeds=2).outcome(shares.append)
    assert len(shares) == 2 * (3 + 3)
    assert shares == sorted(shares)
    assert (shares[5], shares[-1]) == (0.5, 1.0)


# ---- outcomes


def test_an_outcome_has_one_flow_and_one_summary_a_draw():
    several = experiment(seeds=3, seed=4)
    outcome = several.outcome()
    assert len(outcome.flows) == len(outcome.summaries) == 3
    assert outcome.flows[1] == experiment(seed=5).flow(5)
    single = experiment(seed=4).outcome()
    assert single.typical is single.flows[0]
    assert single.summary is single.summaries[0]


def test_average_summary_takes_the_mean_spans_and_the_geometric_means_of_gain_and_ranks():
    draws = [Summary(1.0, 0.5, 2.0, 0.0, 1.0), Summary(2.0, 2.0, 4.0, 3.0, 2.0), Summary(6.0, 8.0, 8.0, 6.0, 4.0)]
    assert average_summary(draws) == pytest.approx((3.0, 2.0, 4.0, 3.0, 2.0, math.nan), rel=1e-14, nan_ok=True)


def test_average_summary_of_one_is_that_one():
    one = Summary(1.0, 0.1, 3.0)
    assert average_summary([one]) is one


def test_average_summary_does_not_overflow_on_the_way():
    summary = average_summary([Summary(1.0, 1e200, 9.0, 1.0, 9.0)] * 4)
    assert summary == pytest.approx((1.0, 1e200, 9.0, 1.0, 9.0, math.nan), rel=1e-12, nan_ok=True)


def test_average_summary_keeps_what_is_infinite_or_missing():
    summary = average_summary([Summary(1.0, 0.5, 2.0), Summary(math.inf, math.nan, 2.0)])
    assert summary.gradient_span == math.inf
    assert math.isnan(summary.mean_local_gain)
    assert summary.effective_rank_last == pytest.approx(2.0)


# ---- recurrences

RECURRENT = {"arch": "lstm", "width": 8, "batch_size": 16}


def recurrence(**options):
    return Experiment.from_options(RECURRENT | options)


@pytest.fixture
def recurrent_weights(tmp_path):
    np.savez(tmp_path / "w.npz", W_x=np.eye(4, 20), W_h=np.eye(5, 20), W_out=np.eye(5, 12))
    return tmp_path / "w.npz"


def test_every_architecture_has_the_same_options():
    assert list(recurrence().to_dict()) == list(experiment().to_dict())


def test_a_recurrence_is_as_long_as_its_data_unless_told_otherwise():
    assert recurrence().network.steps == 64
    assert recurrence(steps=16).network.steps == 16
    assert recurrence(steps=16).draw(0).recurrence.input.weight.shape == (4, 32)


def test_a_list_of_widths_is_refused_by_the_option_that_was_given():
    with pytest.raises(OptionError, match="width is one number with arch lstm: it has one hidden layer"):
        recurrence(width=(4, 5))


def test_given_recurrent_weights_say_how_wide_and_how_long_the_network_is(recurrent_weights):
    given = Experiment.from_options({"arch": "lstm", "weights": recurrent_weights})
    assert (given.network.width, given.network.steps, given.network.init, given.outputs) == (5, 16, None, 12)
    for seed in (0, 5):
        (_, W_x), (_, W_h), (_, W_out) = given.draw(seed).maps
        np.testing.assert_array_equal(W_x.weight, np.eye(4, 20))
        np.testing.assert_array_equal(W_h.weight, np.eye(5, 20))
        np.testing.assert_array_equal(W_out.weight, np.eye(5, 12))


@pytest.mark.parametrize("option", DRAWN_ONLY)
def test_options_of_drawn_weights_are_refused_beside_given_recurrent_ones(option, recurrent_weights):
    value = {"init": "he"}.get(option, 1)
    with pytest.raises(OptionError, match=f"{option} goes with drawn weights"):
        Experiment.from_options({"arch": "lstm", "weights": recurrent_weights, option: value})


def test_work_counts_the_multiplications_of_all_steps():
    assert recurrence(steps=16, seeds=2).work == 2 * 16 * (16 * (4 + 8) * 32 + 8 * 10)


def test_each_step_on_both_ways_tells_the_share_that_is_done():
    shares = []
    recurrence(steps=16, seeds=2).outcome(shares.append)
    assert len(shares) == len(set(shares)) == 2 * 2 * 16


def test_single_precision_reaches_the_recurrence():
    flows = [recurrence(dtype=dtype).flow(0) for dtype in ("float32", "float64")]
    single, double = (flow.column("log10_gradient_rms") for flow in flows)
    np.testing.assert_allclose(single, double, atol=1e-3)
    assert not np.array_equal(single, double)


def test_weights_beyond_the_range_of_floats_are_measured_without_a_warning():
    options = {"preset": "gpt2", "blocks": 1, "tokens": 4, "model_width": 8, "heads": 2, "weight_std": 1.7e308}
    assert gradcheck.simulate(**options, suggest=False).verdict.status == "nonfinite"
