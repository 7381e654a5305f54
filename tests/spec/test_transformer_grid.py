"""Grids of transformers: how their options are typed in lists and ranges, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.errors import OptionError
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec import ACTIVATIONS, GATED, NETWORK_OPTIONS, PLACEMENTS, POSITIONS, RESIDUAL_SCALES
from gradcheck.spec.grid import PARSERS, Grid
from gradcheck.spec.options.network import TRANSFORMER
from gradcheck.spec.options.sweep import VARIED
from gradcheck.spec.presets import PRESETS

SWITCHES = ("causal", "tied", "biases")
SIZES = ("blocks", "model_width", "heads", "kv_heads", "tokens", "vocabulary", "context", "patch")


def values(option, text):
    return Grid.from_text({option: text}).values[option]


def test_every_option_of_a_network_can_be_varied():
    assert set(NETWORK_OPTIONS) <= set(PARSERS)
    of_transformers = {name for name, row in VARIED.items() if row.group == TRANSFORMER}
    assert of_transformers == {"preset", *SIZES, *SWITCHES, "mlp_ratio", "norm_placement", "positions"}


# ---- lists and ranges


def test_a_list_holds_its_parts_in_order():
    for option, text, expected in [
        ("preset", "gpt2", ("gpt2",)),
        ("preset", ", ".join(PRESETS), tuple(PRESETS)),
        ("arch", "mlp,transformer", ("mlp", "transformer")),
        ("activation", "gelu, swiglu,geglu", ("gelu", "swiglu", "geglu")),
        ("norm_placement", ",".join(PLACEMENTS), PLACEMENTS),
        ("positions", ",".join(POSITIONS), POSITIONS),
        ("layers", "dense,weightless,auto", ("dense", "weightless", "auto")),
        ("mlp_ratio", "0.5, 2.6875,4", (0.5, 2.6875, 4.0)),
        ("mlp_ratio", "1:8:4log", (1.0, 2.0, 4.0, 8.0)),
        ("residual_scale", "0.5,gpt2", (0.5, "gpt2")),
        ("residual_scale", "deepnorm, gpt2", ("deepnorm", "gpt2")),
        ("residual_scale", "gpt2,0.1:0.3:0.1,-1", ("gpt2", 0.1, 0.2, 0.3, -1.0)),
        ("residual_scale", "1,gpt2,1.0,gpt2", (1.0, "gpt2")),
    ]:
        assert values(option, text) == expected, option


def test_a_switch_is_yes_no_or_both():
    for text, expected in (("both", (False, True)), ("yes", (True,)), ("no", (False,)), ("yes,no", (True, False))):
        for option in SWITCHES:
            assert values(option, text) == expected, (option, text)


def test_a_size_is_a_whole_number_or_a_range_of_them():
    for option in SIZES:
        assert values(option, "6:48:6,3") == (*range(6, 49, 6), 3), option


@given(st.lists(st.sampled_from(RESIDUAL_SCALES) | st.floats(-9, 9), min_size=1, max_size=5))
def test_residual_scales_of_either_kind_mix(scales):
    assert values("residual_scale", ",".join(map(str, scales))) == tuple(dict.fromkeys(scales))
    assert Grid({"residual_scale": scales}).values["residual_scale"] == tuple(dict.fromkeys(scales))


# ---- bad input


def test_bad_text_is_refused_with_the_option_and_what_would_be_right(error_of):
    for option, text, words in [
        ("preset", "gpt-4", "did you mean 'gpt3'"),
        ("preset", "", "allowed: gpt2, gpt2-xl"),
        ("preset", "gpt2,,bert-base", "'' is unknown"),
        ("activation", "swigul", "did you mean 'swiglu'"),
        ("norm_placement", "pre,before", "allowed: pre, post, both"),
        ("positions", "lerned", "did you mean 'learned'"),
        ("residual_scale", "gpt3", "'gpt3' is neither a number nor a range"),
        ("residual_scale", "deeper", "'deeper' is neither a number nor a range"),
        ("residual_scale", "nan", "finite"),
        ("residual_scale", "", "''"),
        ("causal", "maybe", "yes, no, both"),
        ("tied", "True", "yes, no, both"),
        ("biases", "", "yes, no, both"),
        ("mlp_ratio", "0", "above 0"),
        ("mlp_ratio", "nan", "finite"),
        ("mlp_ratio", "four", "neither a number nor a range"),
        *((option, "0", "at least 2" if option == "vocabulary" else "at least 1") for option in SIZES),
        *((option, "2.5", "neither a whole number nor a range") for option in SIZES),
        *((option, "9:3", "reversed") for option in SIZES),
    ]:
        refused = error_of(Grid.from_text, {option: text})
        assert refused.option == option, (option, text)
        assert str(refused).startswith((f"{option} ", f"{option}=")), (option, text)
        assert words in str(refused), (option, text)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("preset", "gpt4"), ("preset", None), ("activation", "glu"), ("norm_placement", "none"), ("positions", "all"),
        ("residual_scale", "gpt3"), ("residual_scale", None), ("causal", "yes"), ("tied", 1), ("biases", None),
        ("blocks", 1.0), ("heads", True), ("tokens", -1), ("patch", "8"), ("mlp_ratio", "4"), ("mlp_ratio", -1.0),
    ],
)  # fmt: skip
def test_bad_values_from_python_are_errors_of_their_option(option, value):
    with pytest.raises(OptionError) as refused:
        Grid({option: [value]})
    assert refused.value.option == option


def test_what_only_together_is_wrong_waits_for_its_row():
    assert len(Grid({"heads": [7], "model_width": [16], "residual_scale": ["deepnorm"], "norm_placement": "pre"})) == 1
    assert len(Grid({"arch": ["mlp", "transformer"], "activation": ["swiglu"], "context": [1], "tokens": [9]})) == 2


# ---- the grid itself


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "preset": st.lists(st.sampled_from([*PRESETS]), min_size=1, max_size=3),
            "blocks": st.lists(st.integers(1, 9), min_size=1, max_size=3),
            "activation": st.lists(st.sampled_from([*ACTIVATIONS, *GATED]), min_size=1, max_size=3),
            "norm_placement": st.lists(st.sampled_from(PLACEMENTS), min_size=1, max_size=3),
            "causal": st.lists(st.booleans(), min_size=1, max_size=2),
        },
    )
)
def test_rows_hold_their_options_in_the_order_of_a_networks(options):
    for row in Grid(options):
        assert list(row) == [name for name in NETWORK_OPTIONS if name in options]
        assert all(row[name] in options[name] for name in row)


def test_each_row_of_a_grid_of_presets_describes_a_network():
    grid = Grid.from_text({"preset": ",".join(PRESETS), "blocks": "1,2", "norm_placement": "pre,post,both"})
    configs = [Experiment.from_options(row).to_dict() for row in grid]
    assert len(configs) == len(grid) == 8 * 2 * 3
    assert [{name: config[name] for name in row} for config, row in zip(configs, grid, strict=True)] == [*grid]
