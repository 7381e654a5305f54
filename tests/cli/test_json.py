"""The JSON is strict, complete, validates against its schema, and is the same for the same seed."""

import json
import math
import re

import jsonschema
import pytest

import gradcheck
from gradcheck.spec import FAMILIES, NETWORK_OPTIONS
from gradcheck.spec.options.option import rows
from gradcheck.spec.options.simulation import SimulateOptions

OPTIONS = {
    "plain": "--depth 5 --width 16",
    "default": "",
    "one layer": "--depth 1 --width 8",
    "one unit": "--depth 3 --width 1 --activation relu",
    "one example": "--depth 3 --width 8 --batch-size 1",
    "many widths": "--width 9,7,5",
    "seeds": "--depth 6 --width 16 --seeds 3",
    "single precision": "--depth 6 --width 16 --dtype float32",
    "gaussian": "--depth 4 --width 16 --data gaussian",
    "norm, skips": "--depth 6 --width 16 --norm batch --residual --residual-scale 0.5",
    "biases": "--depth 4 --width 16 --init normal --weight-std 0.1 --bias-std 0.5",
    "exploding": "--depth 12 --width 16 --activation relu --init he --gain 3",
    "dead": "--depth 4 --width 16 --activation step",
    "dead, seeds": "--depth 4 --width 16 --activation step --seeds 2",
    "overflow": "--depth 12 --width 16 --activation relu --init he --gain 1e50",
    "overflow at once": "--depth 2 --width 16 --activation linear --gain 1e308",
    "overflow, seeds": "--depth 12 --width 16 --activation relu --init he --gain 1e50 --seeds 2",
    "underflow": "--depth 150 --width 8 --activation linear --init orthogonal --gain 4e-4",
    "suggestions": "--depth 12 --width 16 --suggest",
    "no suggestions": "--depth 4 --width 16 --activation tanh --init lecun --suggest",
    "rnn": "--arch rnn --steps 8 --width 16 --recurrent-gain 0.5",
    "lstm, seeds": "--arch lstm --steps 4 --width 8 --seeds 2",
    "gru of noise": "--arch gru --steps 5 --width 8 --data gaussian --dtype float32",
    "rnn, overflow": "--arch rnn --width 8 --activation linear --recurrent-gain 1e30",
}

NUMBERS = [
    "preactivation_std", "activation_rms", "input_cosine", "effective_rank", "dead_fraction", "saturated_fraction",
    "gradient_rms", "log10_gradient_rms", "gradient_ratio", "log10_gradient_ratio", "local_gain",
    "weight_norm", "weight_gradient_norm", "log10_weight_gradient_norm",
]  # fmt: skip

PROMISED = {
    "": [
        "schema_version", "gradcheck_version", "command", "config", "layers", "output", "regions", "summary", "verdict",
    ],
    "layers": ["index", "name", "fan_in", "fan_out", *NUMBERS, "status", "flag"],
    "output": ["loss", "logit_rms", "weight_gradient_norm"],
    "regions": ["flag", "first_layer", "last_layer", "worst_layer", "log10_worst_ratio"],
    "summary": ["gradient_span", "mean_local_gain", "effective_rank_last"],
    "verdict": ["status", "trainable", "score", "reasons", "causes"],
}  # fmt: skip

every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
drawn_thrice = pytest.mark.parametrize(
    "options", ["--depth 6 --width 16", "--depth 4 --width 16 --activation relu --norm layer --batch-size 5"]
)


@pytest.fixture(scope="module")
def schema(printed, strictly):
    return strictly(printed("schema simulate"))


def records(value):
    """Yield every object of a document."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from records(inner)


def test_the_schema_is_one(schema):
    jsonschema.Draft202012Validator.check_schema(schema)


def test_schema_without_a_command_is_that_of_simulate(printed):
    assert printed("schema") == printed("schema simulate")


@every_option
def test_the_document_validates_against_the_printed_schema(options, report, schema):
    jsonschema.Draft202012Validator(schema).validate(report(options))


@pytest.mark.parametrize("broken", ["gradient_rms", "status", "flag", "surplus"])
def test_the_schema_refuses_a_layer_that_is_not_as_promised(broken, report, schema):
    document = json.loads(json.dumps(report(OPTIONS["plain"])))
    document["layers"][0][broken] = "so-so"
    assert not jsonschema.Draft202012Validator(schema).is_valid(document)


def test_the_promised_keys_are_there_in_order(report):
    for options in OPTIONS.values():
        document = report(options)
        for place, keys in PROMISED.items():
            value = document[place] if place else document
            for record in value if isinstance(value, list) else [value]:
                assert [key for key in record if key in keys] == keys, options


def test_keys_are_snake_case(report):
    for options in OPTIONS.values():
        keys = [key for record in records(report(options)) for key in record]
        assert [key for key in keys if not re.fullmatch(r"[a-z][a-z0-9_]*", key)] == [], options


def test_the_document_is_ascii_and_ends_with_one_line_break(printed):
    for options in OPTIONS.values():
        text = printed(f"simulate --json {options}")
        assert text.isascii(), options
        assert text.endswith("}\n"), options


def test_floats_are_written_in_full(printed):
    def check(text):
        assert repr(float(text)) == text
        return float(text)

    for options in OPTIONS.values():
        json.loads(printed(f"simulate --json {options}"), parse_float=check)


def test_the_numbers_that_are_missing_are_accounted_for(report):
    for options in OPTIONS.values():
        undefined = {"input_cosine", "effective_rank"} if "--batch-size 1" in options else {"input_cosine"}
        for layer in report(options)["layers"]:
            missing = {key.removesuffix("_low").removesuffix("_high") for key, value in layer.items() if value is None}
            assert layer["status"] != "ok" or missing <= undefined | {"local_gain"}, options


def test_a_layer_without_finite_numbers_is_flagged_so(report):
    for options in OPTIONS.values():
        for layer in report(options)["layers"]:
            missing = layer["gradient_rms"] is layer["log10_gradient_rms"] is None
            assert (layer["flag"] == "nonfinite") == missing, options
            assert (layer["flag"] == "nonfinite") <= (layer["status"] in ("overflow", "nan")), options


def test_layers_are_counted_and_named_from_one(report):
    for options in OPTIONS.values():
        document = report(options)
        name, count = ("step", "steps") if "--arch" in options else ("hidden", "depth")
        indices = range(1, document["config"][count] + 1)
        found = [(layer["index"], layer["name"]) for layer in document["layers"]]
        assert found == [(i, f"{name} {i}") for i in indices], options


@pytest.mark.parametrize("options", [options for options in OPTIONS.values() if "--arch" not in options])
def test_layers_fit_together(options, report):
    layers = report(options)["layers"]
    assert [layer["fan_out"] for layer in layers[:-1]] == [layer["fan_in"] for layer in layers[1:]]
    assert layers[0]["fan_in"] == 64


def test_logarithms_stay_finite_where_the_numbers_underflow(report):
    layers = report(OPTIONS["underflow"])["layers"]
    assert layers[0]["gradient_rms"] is None
    assert layers[0]["status"] == "underflow"
    assert layers[0]["log10_gradient_ratio"] == pytest.approx(149 * math.log10(4e-4), rel=1e-9)
    assert all(layer["log10_gradient_rms"] is not None for layer in layers)


def test_the_layer_that_overflows_first_is_named(report):
    document = report(OPTIONS["overflow"])
    first = next(layer["index"] for layer in document["layers"] if layer["flag"] == "nonfinite")
    assert document["verdict"]["status"] == "nonfinite"
    assert document["verdict"]["reasons"][0].startswith(f"layer {first} ")
    assert document["output"]["loss"] is None


def test_the_step_that_overflows_first_is_named(report):
    document = report(OPTIONS["rnn, overflow"])
    first = next(layer["index"] for layer in document["layers"] if layer["flag"] == "nonfinite")
    assert 1 < first < 64
    assert document["verdict"]["reasons"][0].startswith(f"step {first} ")


#: Options that are not asked for.
OF_FORMATS = {"number_format", "lr"}


def test_every_option_is_in_the_config_with_its_value(report):
    for options in OPTIONS.values():
        config = report(options)["config"]
        assert set(config) == set(rows(SimulateOptions)), options
        missing = {name for name, value in config.items() if value is None}
        family = FAMILIES[config["arch"]]
        of_others = {name for name in NETWORK_OPTIONS[1:] if not family.owners(name) and family.fixed.get(name) is None}
        of_others |= {"forget_bias"} if config["arch"] == "rnn" else set()
        assert missing - {"weight_std"} == {"weights", "save_weights", "preset", *OF_FORMATS} | of_others, options
        assert (config["weight_std"] is None) == ("--weight-std" not in options), options


def test_the_config_resolves_what_was_left_open(report):
    config = report("")["config"]
    assert (config["depth"], config["width"], config["init"], config["gain"]) == (50, 128, "xavier", 1)
    assert (config["bias_std"], config["weight_std"], config["suggest"]) == (0, None, False)
    assert report(OPTIONS["many widths"])["config"]["depth"] == 3


def test_suggestions_are_there_when_they_are_asked_for(report):
    assert report(OPTIONS["suggestions"])["suggestions"]
    assert report(OPTIONS["no suggestions"])["suggestions"] == []
    assert "suggestions" not in report(OPTIONS["plain"])


def test_json_is_short_for_format_json(printed):
    assert printed("simulate --depth 2 --width 4 --json") == printed("simulate --depth 2 --width 4 --format json")


def test_a_seed_gives_the_same_bytes_in_every_process(python, printed):
    transformer = "simulate --json --seed 7 --arch transformer --blocks 2 --model-width 16 --heads 2 --tokens 6"
    lines = (
        "simulate --json --depth 5 --width 16 --seed 7 --seeds 2 --suggest --dtype float32 --norm batch",
        f"{transformer} --suggest --seeds 2",
        f"{transformer} --layers weightless --dtype float32",
        "clip-demo --json --width 8 --epochs 1 --batch-size 256",
    )
    run = "import sys\nfrom gradcheck.cli import run\nfor line in sys.argv[1:]:\n"
    run += "    sys.argv = ['gradcheck', *line.split()]\n    run()"
    assert python("-c", run, *lines, PYTHONHASHSEED="1").stdout == "".join(map(printed, lines))


def test_another_seed_gives_other_numbers(report):
    one, other = (report(f"--depth 5 --width 16 --seed {seed}")["layers"] for seed in (7, 8))
    assert all(a["gradient_rms"] != b["gradient_rms"] for a, b in zip(one, other, strict=True))


def test_the_command_prints_what_the_function_returns(printed):
    found = gradcheck.simulate(depth=5, width=16, seed=3)
    assert f"{json.dumps(found.to_dict(), indent=2)}\n" == printed("simulate --json --depth 5 --width 16 --seed 3")


@drawn_thrice
def test_the_extremes_are_those_of_the_single_draws(options, report):
    together = report(f"{options} --seed 4 --seeds 3")
    single = [report(f"{options} --seed {seed}") for seed in (4, 5, 6)]
    for place in ("output", "summary"):
        check_bands(together[place], [one[place] for one in single])
    for index, layer in enumerate(together["layers"]):
        check_bands(layer, [one["layers"][index] for one in single])


def check_bands(together, single):
    names = [name for name in together if f"{name}_low" in together]
    assert names == [name for name, value in single[0].items() if value is None or isinstance(value, float)]
    for name in names:
        draws = [one[name] for one in single]
        if None in draws:
            continue
        low, high = together[f"{name}_low"], together[f"{name}_high"]
        assert (low, high) == (min(draws), max(draws))
        assert low - abs(low) * 1e-12 <= together[name] <= high + abs(high) * 1e-12


@drawn_thrice
def test_several_draws_are_averaged_in_logarithms(options, report):
    together = report(f"{options} --seed 4 --seeds 3")["layers"]
    single = [report(f"{options} --seed {seed}")["layers"] for seed in (4, 5, 6)]
    for index, layer in enumerate(together):
        mean = sum(one[index]["log10_gradient_rms"] for one in single) / 3
        assert layer["log10_gradient_rms"] == pytest.approx(mean, rel=1e-12)
        assert layer["gradient_rms"] == pytest.approx(10**mean, rel=1e-12)


def test_one_draw_has_no_extremes(report):
    assert not any(key.endswith(("_low", "_high")) for record in records(report("")) for key in record)


@pytest.mark.parametrize("thresholds", ["--vanish-below 1e-99", "--vanish-below 0.5"])
def test_thresholds_decide_on_the_flags(thresholds, report):
    layers = report(f"{OPTIONS['plain']} {thresholds}")["layers"]
    limit = float(thresholds.split()[1])
    assert [layer["flag"] == "vanishing" for layer in layers] == [layer["gradient_ratio"] < limit for layer in layers]
