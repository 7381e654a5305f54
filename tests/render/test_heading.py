import gradcheck
from gradcheck.base.record import Frozen
from gradcheck.render.heading import what_was_run
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec.presets import PRESETS


def config_of(**options):
    return Frozen(Experiment.from_options(options).to_dict())


def test_the_heading_says_what_was_run_and_leaves_out_what_goes_without_saying():
    for options, line in [
        ({}, "sigmoid · xavier · 2 layers of 8 · digits, batch 16 · seed 0"),
        ({"depth": 1}, "sigmoid · xavier · 1 layer of 8 · digits, batch 16 · seed 0"),
        ({"gain": 1.5}, "sigmoid · xavier × 1.5 · 2 layers of 8 · digits, batch 16 · seed 0"),
        (
            {"init": "normal", "weight_std": 0.05, "gain": 2},
            "sigmoid · normal 0.05 × 2 · 2 layers of 8 · digits, batch 16 · seed 0",
        ),
        ({"norm": "layer"}, "sigmoid · xavier · layer norm · 2 layers of 8 · digits, batch 16 · seed 0"),
        ({"residual": True}, "sigmoid · xavier · residual · 2 layers of 8 · digits, batch 16 · seed 0"),
        (
            {"residual": True, "residual_scale": 0.1},
            "sigmoid · xavier · residual × 0.1 · 2 layers of 8 · digits, batch 16 · seed 0",
        ),
        ({"seed": 3, "seeds": 4}, "sigmoid · xavier · 2 layers of 8 · digits, batch 16 · seeds 3 to 6"),
        ({"dtype": "float32"}, "sigmoid · xavier · 2 layers of 8 · digits, batch 16 · seed 0 · float32"),
        ({"data": "gaussian"}, "sigmoid · xavier · 2 layers of 8 · gaussian, batch 16 · seed 0"),
        ({"width": (8, 4)}, "sigmoid · xavier · 2 layers of 8,4 · digits, batch 16 · seed 0"),
        ({"width": (8, 8)}, "sigmoid · xavier · 2 layers of 8 · digits, batch 16 · seed 0"),
        (
            {"depth": 6, "width": (8, 4, 2, 3, 4, 5)},
            "sigmoid · xavier · 6 layers of 8,4,2,3,4,5 · digits, batch 16 · seed 0",
        ),
        (
            {"depth": 7, "width": (8, 4, 2, 3, 4, 5, 6)},
            "sigmoid · xavier · 7 layers of 2 to 8 · digits, batch 16 · seed 0",
        ),
    ]:
        config = config_of(**({"depth": 2, "width": 8, "batch_size": 16} | options))
        assert what_was_run(config) == line, options


def test_given_weights_take_the_place_of_the_initialisation(tmp_path):
    path = tmp_path / "w.npz"
    gradcheck.simulate(depth=2, width=8, save_weights=path)
    line = what_was_run(gradcheck.simulate(weights=path).config)
    assert line == f"sigmoid · weights of {path} · 2 layers of 8 · digits, batch 64 · seed 0"


def test_the_heading_of_a_recurrence_says_how_many_steps_of_what():
    for options, line in [
        ({"arch": "rnn"}, "tanh rnn · xavier · 64 steps of width 8 · digits, batch 16 · seed 0"),
        ({"arch": "rnn", "activation": "relu"}, "relu rnn · xavier · 64 steps of width 8 · digits, batch 16 · seed 0"),
        ({"arch": "lstm"}, "lstm · xavier · 64 steps of width 8 · digits, batch 16 · seed 0"),
        ({"arch": "gru", "steps": 1}, "gru · xavier · 1 step of width 8 · digits, batch 16 · seed 0"),
        (
            {"arch": "lstm", "forget_bias": 4.0, "steps": 8},
            "lstm · xavier · forget bias 4 · 8 steps of width 8 · digits, batch 16 · seed 0",
        ),
        ({"arch": "lstm", "forget_bias": 1.0}, "lstm · xavier · 64 steps of width 8 · digits, batch 16 · seed 0"),
        (
            {"arch": "gru", "gain": 1.5, "recurrent_gain": 0.5, "init": "orthogonal"},
            "gru · orthogonal × 1.5, recurrent × 0.5 · 64 steps of width 8 · digits, batch 16 · seed 0",
        ),
    ]:
        config = config_of(**({"width": 8, "batch_size": 16} | options))
        assert what_was_run(config) == line, options


def test_given_weights_take_the_place_of_a_recurrences_initialisation(tmp_path):
    path = tmp_path / "w.npz"
    gradcheck.simulate(arch="lstm", steps=8, width=8, forget_bias=3.0, save_weights=path)
    line = what_was_run(gradcheck.simulate(arch="lstm", weights=path).config)
    assert line == f"lstm · weights of {path} · 8 steps of width 8 · digits, batch 64 · seed 0"


TRANSFORMER = (
    "transformer decoder, gelu · xavier · layer norm pre · 2 blocks of 16, 2 heads · text, batch 1 of 6 tokens"
)


def test_the_heading_of_a_transformer_says_what_kind_how_many_blocks_and_what_is_unusual():
    for options, line in [
        ({}, f"{TRANSFORMER} · seed 0"),
        ({"causal": False}, f"{TRANSFORMER.replace('decoder', 'encoder')} · seed 0"),
        ({"activation": "swiglu"}, f"{TRANSFORMER.replace('gelu', 'swiglu')} · seed 0"),
        ({"norm_placement": "post"}, f"{TRANSFORMER.replace('pre', 'post')} · seed 0"),
        (
            {"norm": "rms", "norm_placement": "both"},
            f"{TRANSFORMER.replace('layer norm pre', 'rms norm both')} · seed 0",
        ),
        ({"norm": "none"}, f"{TRANSFORMER.replace('layer norm pre', 'no norm')} · seed 0"),
        ({"residual_scale": "gpt2"}, f"{TRANSFORMER.replace('pre', 'pre, residual gpt2')} · seed 0"),
        ({"residual_scale": 0.25}, f"{TRANSFORMER.replace('pre', 'pre, residual × 0.25')} · seed 0"),
        (
            {"residual_scale": "deepnorm", "norm_placement": "post"},
            f"{TRANSFORMER.replace('pre', 'post, residual deepnorm')} · seed 0",
        ),
        (
            {"norm": "none", "residual_scale": -2},
            f"{TRANSFORMER.replace('layer norm pre', 'no norm, residual × -2')} · seed 0",
        ),
        (
            {"blocks": 1, "heads": 1},
            f"{TRANSFORMER.replace('2 blocks', '1 block').replace('2 heads', '1 head')} · seed 0",
        ),
        (
            {"init": "normal", "weight_std": 0.02, "gain": 3},
            f"{TRANSFORMER.replace('xavier', 'normal 0.02 × 3')} · seed 0",
        ),
        ({"batch_size": 3, "seeds": 2}, f"{TRANSFORMER.replace('batch 1', 'batch 3')} · seeds 0 to 1"),
        ({"layers": "weightless"}, f"{TRANSFORMER} · seed 0 · weightless"),
        ({"layers": "weightless", "dtype": "float32"}, f"{TRANSFORMER} · seed 0 · float32 · weightless"),
        ({"layers": "dense"}, f"{TRANSFORMER} · seed 0"),
    ]:
        small = {"arch": "transformer", "blocks": 2, "model_width": 16, "heads": 2, "tokens": 6}
        assert what_was_run(Experiment.from_options(small | options).to_dict()) == line, options


def test_a_wide_perceptron_whose_matrices_are_not_stored_is_said_to_be_weightless():
    wide = {"depth": 2, "width": 1024, "init": "he", "batch_size": 16}
    line = "sigmoid · he · 2 layers of 1024 · digits, batch 16 · seed 0"
    assert what_was_run(Experiment.from_options(wide).to_dict()) == f"{line} · weightless"
    assert what_was_run(Experiment.from_options(wide | {"layers": "dense"}).to_dict()) == line


def test_the_heading_of_a_preset_has_its_name_and_what_it_is():
    for name in PRESETS:
        line = what_was_run(Experiment.from_options({"preset": name}).to_dict())
        kind = "encoder" if name in ("bert-base", "vit-b") else "decoder"
        placement = "post" if name in ("bert-base", "transformer-base") else "pre"
        assert line.startswith(f"{name} {kind}, "), name
        assert f" norm {placement}" in line, name
        assert (", residual gpt2 · " in line) == name.startswith("gpt"), name


def test_a_preset_with_another_option_keeps_its_name():
    line = what_was_run(Experiment.from_options({"preset": "gpt2", "blocks": 1, "init": "orthogonal"}).to_dict())
    assert line == (
        "gpt2 decoder, gelu · orthogonal · layer norm pre, residual gpt2 · 1 block of 768, 12 heads · "
        "text, batch 1 of 32 tokens · seed 0 · weightless"
    )
