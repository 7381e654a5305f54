import numpy as np
import pytest

from gradcheck import catalogue
from gradcheck.engine.activations import ACTIVATIONS as KNOWN
from gradcheck.engine.initializers import Law
from gradcheck.errors import OptionError
from gradcheck.families import drawn_network
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec import (
    ACTIVATIONS,
    FRAMEWORKS,
    FREE_SCALE,
    GATED,
    INITIALIZERS,
    NORMS,
    RECURRENT,
    WEIGHTLESS,
    RecurrentSpec,
)
from gradcheck.spec.names import CUT
from gradcheck.spec.presets import PRESETS

NAMES = {
    "presets": tuple(PRESETS),
    "activations": (*ACTIVATIONS, *GATED),
    "inits": (*INITIALIZERS, *FRAMEWORKS),
    "norms": NORMS,
}

SUFFIXES = {"M": 1e6, "B": 1e9}

#: The original's two stacks have 65M; as a language model one of them is left.
OF_TWO_STACKS = "transformer-base"


@pytest.fixture
def entries():
    """A kind ↦ its entries by name."""
    return lambda kind: {entry["name"]: entry for entry in catalogue(kind)}


def test_everything_that_an_option_takes_is_listed_once_in_its_order():
    for kind in NAMES:
        assert tuple(entry["name"] for entry in catalogue(kind)) == NAMES[kind], kind


def test_every_entry_has_the_same_facts_and_a_source_on_one_line():
    for kind in NAMES:
        first, *others = catalogue(kind)
        assert [list(entry) for entry in others] == [list(first)] * len(others), kind
        start, *_, end = first
        assert (start, end) == ("name", "source"), kind
        for entry in (first, *others):
            assert entry["source"].strip() == entry["source"] != "", kind
            assert entry["source"].isprintable(), kind


def test_a_list_is_the_callers_own():
    for kind in NAMES:
        catalogue(kind)[0]["name"] = "changed"
        assert catalogue(kind)[0]["name"] != "changed", kind


@pytest.mark.parametrize("kind", ["preset", "", "losses"])
def test_an_unknown_kind_is_refused_with_those_that_there_are(kind):
    with pytest.raises(OptionError) as caught:
        catalogue(kind)
    assert str(caught.value).startswith(f"kind={kind!r} is unknown")
    assert str(caught.value).endswith("allowed: presets, activations, inits, norms")


# ---- presets


def test_a_presets_entry_has_the_sizes_that_it_runs_with(entries):
    for name in PRESETS:
        entry, experiment = entries("presets")[name], Experiment.from_options({"preset": name})
        config = experiment.to_dict()
        for option in ("blocks", "model_width", "heads", "activation", "residual_scale"):
            assert entry[option] == config[option], name
        assert entry["kv_heads"] == (config["kv_heads"] or config["heads"]), name
        assert entry["mlp_width"] == round(config["mlp_ratio"] * config["model_width"]), name
        assert entry["norm"] == f"{config['norm']} {config['norm_placement']}", name
        assert entry["init"] == (f"normal {config['weight_std']}" if config["weight_std"] else config["init"]), name


def test_a_presets_parameters_are_those_that_its_report_states(entries):
    for name in [name for name in PRESETS if name != "vit-b"]:  # its patches come with the data
        assert entries("presets")[name]["parameters"] == Experiment.from_options({"preset": name}).parameters, name


def test_a_presets_parameters_are_as_many_as_published(entries):
    for name in [name for name in PRESETS if name != OF_TWO_STACKS]:
        entry = entries("presets")[name]
        published = float(entry["published"][:-1]) * SUFFIXES[entry["published"][-1]]
        assert entry["parameters"] == pytest.approx(published, rel=0.04), name


def test_a_preset_of_one_of_two_stacks_says_so_and_has_about_half_the_parameters(entries):
    entry = entries("presets")[OF_TWO_STACKS]
    assert "one of its two stacks" in entry["source"]
    assert entry["published"] == "65M"
    assert 0.5 * 65e6 < entry["parameters"] < 0.65 * 65e6


def test_no_more_than_every_head_has_keys_of_its_own(entries):
    kv_heads = {name: (entry["heads"], entry["kv_heads"]) for name, entry in entries("presets").items()}
    assert kv_heads["llama-70b"] == (64, 8)
    assert all(own == heads for name, (heads, own) in kv_heads.items() if name != "llama-70b")


# ---- activations, initialisations


def test_an_activations_entry_has_its_steepest_slope_and_its_kinks(entries):
    for name in ACTIVATIONS:
        entry = entries("activations")[name]
        assert entry["steepest"] == KNOWN[name].steepest, name
        assert entry["kinks"] == list(KNOWN[name].kinks), name


@pytest.mark.parametrize(("name", "gate"), [("geglu", "gelu"), ("swiglu", "silu")])
def test_a_gated_activation_says_what_gates_it_and_where_it_can_stand(name, gate, entries):
    entry = entries("activations")[name]
    assert (entry["steepest"], entry["kinks"]) == (None, [])
    assert entry["source"].startswith(f"{gate} of one half times the other, in a transformer")


def test_the_standard_deviation_is_that_of_a_drawn_matrix(entries):
    for name in [name for name in INITIALIZERS if name not in FREE_SCALE]:
        drawn = Law(name).weight(3, 1, 512, 512)
        assert entries("inits")[name]["std_of_512x512"] == pytest.approx(drawn.std(), rel=5e-3), name


@pytest.mark.parametrize("name", FREE_SCALE)
def test_an_initialisation_whose_scale_is_given_has_no_standard_deviation(name, entries):
    assert entries("inits")[name]["std_of_512x512"] is None


def test_the_law_is_that_of_the_drawn_entries(entries):
    for name in INITIALIZERS:
        drawn = Law(name).weight(3, 1, 64, 64)
        kurtosis = ((drawn - drawn.mean()) ** 4).mean() / drawn.var() ** 2  # 3 of a normal law, 1.8 of a uniform one
        orthonormal = np.allclose(drawn.T @ drawn, np.eye(64))
        cut = "truncated" if name in CUT or np.abs(drawn).max() < 2.4 * drawn.std() else "normal"
        assert entries("inits")[name]["law"] == ("frame" if orthonormal else cut if kurtosis > 2 else "uniform"), name


@pytest.mark.slow
def test_a_frameworks_layers_have_the_deviation_that_is_drawn(entries):
    for name in FRAMEWORKS:
        entry = entries("inits")[name]
        layers = {one["layer"]: one for one in entry["layers"]}
        assert entry["std_of_512x512"] == layers["dense"]["std_of_512x512"], name
        assert entry["source"].startswith(f"{entry['version']}: "), name
        for arch in [arch for arch in RECURRENT if f"{arch} input" in layers]:
            spec = RecurrentSpec(arch=arch, init=name, width=512, steps=1)
            (W_x, _), (W_h, _), _ = (dense for _, dense in drawn_network(spec, 512, 2, 0).maps)
            assert layers[f"{arch} input"]["std_of_512x512"] == pytest.approx(W_x.std(), rel=5e-3), (name, arch)
            assert layers[f"{arch} recurrent"]["std_of_512x512"] == pytest.approx(W_h.std(), rel=5e-3), (name, arch)
            assert layers[f"{arch} input"]["forget_bias"] == spec.forget_bias, (name, arch)


def test_those_that_weightless_layers_can_draw_from_are_marked(entries):
    assert {name for name, entry in entries("inits").items() if entry["weightless"]} == {*WEIGHTLESS, "gpt2"}
