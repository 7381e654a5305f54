import pytest

from gradcheck.errors import OptionError
from gradcheck.spec import NETWORK_OPTIONS, TransformerSpec, network_spec
from gradcheck.spec.presets import PRESETS, with_preset


def spec_of(**options):
    return network_spec(with_preset(options))


def test_a_preset_describes_a_transformer_that_survives_the_way_to_a_dict_and_back():
    for name in PRESETS:
        spec = spec_of(preset=name)
        assert isinstance(spec, TransformerSpec), name
        assert network_spec(spec.to_dict()) == spec, name


def test_a_preset_names_its_options_as_the_commands_do_its_initialisation_and_a_source_with_a_year():
    for name in PRESETS:
        preset = PRESETS[name]
        assert set(preset.options) <= set(NETWORK_OPTIONS), name
        assert "init" in preset.options, name
        assert any(f"20{year}" in preset.source for year in range(17, 25)), name
        assert preset.published[-1] in "MB", name
        assert float(preset.published[:-1]) > 0, name


def test_any_option_overrides_that_of_a_preset_and_leaves_the_others():
    for name in PRESETS:
        one, other = spec_of(preset=name), spec_of(preset=name, blocks=3, activation="tanh", gain=0.5)
        assert other == type(one)(**(vars(one) | {"blocks": 3, "activation": "tanh", "gain": 0.5})), name
        assert other != one, name


def test_gpt3_with_its_norms_behind_the_branches_is_gpt3_but_for_them():
    post = spec_of(preset="gpt3", norm_placement="post")
    assert (post.norm_placement, post.blocks, post.model_width, post.weight_std) == ("post", 96, 12288, 0.02)
    assert spec_of(preset="gpt3").norm_placement == "pre"


def test_another_initialisation_drops_the_presets_standard_deviation():
    for name in PRESETS:
        spec = spec_of(preset=name, init="he")
        assert (spec.init, spec.weight_std) == ("he", None), name


@pytest.mark.parametrize("init", ["normal", None])
def test_the_presets_own_initialisation_keeps_its_standard_deviation(init):
    assert spec_of(preset="gpt2", init=init).weight_std == 0.02


def test_another_initialisation_may_have_a_standard_deviation_of_its_own():
    assert spec_of(preset="gpt2", init="uniform", weight_std=0.3).weight_std == 0.3
    assert spec_of(preset="gpt2", weight_std=0.3).weight_std == 0.3


def test_an_option_that_is_none_overrides_nothing():
    assert spec_of(preset="gpt2", blocks=None, init=None, arch=None) == spec_of(preset="gpt2")


def test_without_a_preset_options_stay_as_they_are():
    options = {"arch": "mlp", "depth": 3, "preset": None}
    completed = with_preset(options)
    assert completed == options
    assert completed is not options


def test_a_preset_is_not_changed_by_what_overrides_it():
    before = dict(PRESETS["gpt2"].options)
    with_preset({"preset": "gpt2", "init": "he", "blocks": 1})
    assert PRESETS["gpt2"].options == before


def test_an_unknown_preset_is_refused_with_the_nearest_one():
    with pytest.raises(OptionError) as caught:
        with_preset({"preset": "gpt-4"})
    assert str(caught.value).startswith("preset='gpt-4' is unknown; did you mean 'gpt3'? allowed: gpt2, gpt2-xl, ")


@pytest.mark.parametrize("arch", ["mlp", "lstm"])
def test_a_preset_is_a_transformer_and_nothing_else(arch):
    with pytest.raises(OptionError, match=f"preset gpt2 is a transformer: drop arch {arch}"):
        with_preset({"preset": "gpt2", "arch": arch})
    assert spec_of(preset="gpt2", arch="transformer") == spec_of(preset="gpt2")


#: Blocks, width, heads, hidden units, vocabulary, as the papers' tables have them.
TABLES = {
    "gpt2": (12, 768, 12, 3072, 50257),
    "gpt2-xl": (48, 1600, 25, 6400, 50257),
    "gpt3": (96, 12288, 96, 49152, 50257),
    "llama-7b": (32, 4096, 32, 11008, 32000),
    "llama-70b": (80, 8192, 64, 28672, 32000),
    "bert-base": (12, 768, 12, 3072, 30522),
    "vit-b": (12, 768, 12, 3072, 1000),
    "transformer-base": (6, 512, 8, 2048, 37000),
}


def test_a_presets_sizes_are_those_of_the_paper():
    for name in PRESETS:
        spec = spec_of(preset=name)
        assert (spec.blocks, spec.model_width, spec.heads, spec.mlp_width, spec.vocabulary) == TABLES[name], name
