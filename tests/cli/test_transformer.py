"""``gradcheck simulate`` of transformers as its users meet it: every format, the schema, threads, exit codes."""

import csv
import io
import json

import jsonschema
import numpy as np
import pytest

import gradcheck as package
from gradcheck.spec.presets import PRESETS

SMALL = "--arch transformer --blocks 2 --model-width 16 --heads 2 --tokens 6"

#: 256 · 16 embeddings and 6 · 16 positions; two blocks of 12 · 16² weights, 9 · 16 biases and two norms of 2 · 16;
#: the norm behind them.
PARAMETERS = 262 * 16 + 2 * (12 * 16**2 + 9 * 16 + 2 * 2 * 16) + 2 * 16

NAMES = [f"block {block} {point}" for block in (1, 2) for point in ("attention", "mlp", "residual")]

OPTIONS = {
    "small": SMALL,
    "seeds": f"{SMALL} --seeds 3",
    "weightless": f"{SMALL} --layers weightless",
    "weightless, seeds": f"{SMALL} --layers weightless --seeds 2 --init orthogonal",
    "single precision": f"{SMALL} --dtype float32 --batch-size 3",
    "gates, groups, rotary": f"{SMALL} --activation swiglu --kv-heads 1 --positions rotary --norm rms --no-biases",
    "encoder": f"{SMALL} --no-causal --norm-placement post --residual-scale deepnorm",
    "patches": f"{SMALL.replace('--tokens 6', '--patch 8')} --no-tied --data digits --batch-size 2",
    "exploding": f"{SMALL} --norm none --gain 30",
    "overflow": f"{SMALL} --norm none --gain 1e50",
    "dead": f"{SMALL} --activation step --seeds 2",
    "one token": f"{SMALL.replace('--tokens 6', '--tokens 1')}",
    "suggestions": f"{SMALL} --norm none --gain 30 --suggest",
    "preset": "--preset gpt2 --blocks 2",
}

every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)

#: What a flow point without weights, or without an activation, has no number for.
OF_WEIGHTS = {"weight_norm", "weight_gradient_norm", "log10_weight_gradient_norm"}
OF_ACTIVATIONS = {"dead_fraction", "saturated_fraction"}


@pytest.fixture(scope="module")
def schema(printed, strictly):
    return strictly(printed("schema simulate"))


# ---- JSON


@every_option
def test_the_document_validates_against_the_printed_schema(options, report, schema):
    jsonschema.Draft202012Validator(schema).validate(report(options))


def test_flow_points_are_counted_through_and_named_by_block(report):
    for options in OPTIONS.values():
        layers = report(options)["layers"]
        assert [layer["index"] for layer in layers] == [1, 2, 3, 4, 5, 6], options
        assert [layer["name"] for layer in layers] == NAMES, options


def test_a_number_that_a_flow_point_cannot_have_is_null_and_its_status_is_ok(report):
    for name in ("small", "seeds", "weightless", "weightless, seeds", "encoder", "patches"):
        for layer in report(OPTIONS[name])["layers"]:
            missing = {key.removesuffix("_low").removesuffix("_high") for key, value in layer.items() if value is None}
            point = layer["name"].split()[-1]
            expected = {"attention": OF_ACTIVATIONS, "mlp": set(), "residual": OF_WEIGHTS | OF_ACTIVATIONS}[point]
            last = {"local_gain"} if layer["index"] == 6 else set()
            assert missing == expected | last, name
            assert (layer["status"], layer["flag"]) == ("ok", "ok"), name


def test_behind_an_overflow_nothing_is_ok(report):
    layers = report(OPTIONS["overflow"])["layers"]
    first = next(layer["index"] for layer in layers if layer["flag"] == "nonfinite")
    assert {layer["status"] for layer in layers[first - 1 :]} == {"overflow"}
    assert report(OPTIONS["overflow"])["verdict"]["reasons"][0].startswith(f"{NAMES[first - 1]} is the first")


def test_the_summary_counts_the_parameters(report):
    for options, count in [
        (SMALL, PARAMETERS),
        (f"{SMALL} --layers weightless", PARAMETERS),
        (f"{SMALL} --seeds 3", PARAMETERS),
        ("--preset gpt2 --blocks 2", 124_439_808 - 10 * (12 * 768**2 + 13 * 768)),
    ]:
        assert report(options)["summary"]["parameters"] == count, options


def test_the_config_has_every_option_of_a_transformer_and_names_its_preset(report):
    config = report(OPTIONS["preset"])["config"]
    assert config == package.simulate(preset="gpt2", blocks=2).config
    assert (config["preset"], config["blocks"], config["residual_scale"]) == ("gpt2", 2, "gpt2")
    assert (config["layers"], report(SMALL)["config"]["layers"]) == ("weightless", "dense")
    assert report(SMALL)["config"]["preset"] is None


def test_suggestions_are_whole_commands(report):
    suggestions = report(OPTIONS["suggestions"])["suggestions"]
    assert suggestions
    assert all(one["command"].startswith(f"gradcheck simulate {SMALL}") for one in suggestions)


# ---- the other formats


def test_the_text_has_a_line_a_kind_of_flow_point_and_a_row_a_flow_point(printed):
    text = printed(f"simulate {SMALL} --no-suggest")
    assert text.startswith("transformer decoder, gelu · xavier · layer norm pre · 2 blocks of 16, 2 heads ·\ntext, ")
    assert "\n             block 1 2   log10 " in text
    for point in ("attention", "mlp", "residual"):
        assert f"\n  {point:<9}  " in text
        assert f"\n  1 {point:<9} " in text
    assert "tokens stay apart" in text


def test_the_text_of_a_wide_transformer_says_that_it_is_weightless(printed):
    assert "weightless" in printed("simulate --preset gpt2 --blocks 2 --no-suggest").split("\n\n")[0]
    assert "weightless" not in printed(f"simulate {SMALL} --no-suggest")


@pytest.mark.parametrize("options", ["", "--seeds 2"])
def test_csv_has_the_numbers_of_the_json(options, printed, report):
    rows = list(csv.DictReader(io.StringIO(printed(f"simulate {SMALL} {options} --format csv"))))
    layers = report(f"{SMALL} {options}")["layers"]
    assert len(rows) == 6
    for row, layer in zip(rows, layers, strict=True):
        assert list(row) == list(layer)
        assert row == {name: "" if value is None else str(value) for name, value in layer.items()}


def test_markdown_has_a_row_a_flow_point(printed):
    lines = printed(f"simulate {SMALL} --format markdown").splitlines()
    assert lines[0].startswith("**healthy** - transformer decoder, gelu · xavier · ")
    assert "| block | gradient | ratio | gain | activation | rank | flag |" in lines
    rows = [line.split(" | ")[0] for line in lines if line.startswith(("| 1 ", "| 2 "))]
    assert rows == [name.replace("block", "|") for name in NAMES]


# ---- the same numbers


def test_another_seed_gives_other_numbers(report):
    for options in (SMALL, f"{SMALL} --layers weightless"):
        one, other = (report(f"{options} --seed {seed}")["layers"] for seed in (7, 8))
        assert all(a["gradient_rms"] != b["gradient_rms"] for a, b in zip(one, other, strict=True))


def test_a_wide_transformer_has_the_same_bytes_on_any_number_of_threads(process, printed):
    line = "simulate --preset gpt2 --blocks 1 --json"
    assert '"layers": "weightless"' in printed(line)
    assert process(line, OPENBLAS_NUM_THREADS="2", OMP_NUM_THREADS="3").stdout == printed(line)


def test_the_command_prints_what_the_function_returns(printed):
    found = package.simulate(arch="transformer", blocks=2, model_width=16, heads=2, tokens=6)
    assert f"{json.dumps(found.to_dict(), indent=2)}\n" == printed(f"simulate --json {SMALL}")


def test_the_users_own_tokens_are_read(gradcheck, strictly, tmp_path):
    np.save(tmp_path / "ids.npy", np.arange(90) % 7)
    ended = gradcheck(f"simulate --json {SMALL} --data ids.npy --vocabulary 7", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert strictly(ended.stdout)["config"]["data"] == "ids.npy"


# ---- exit codes, help


@pytest.mark.parametrize(
    ("options", "cause", "code"),
    [
        (SMALL, "any", 0),
        (OPTIONS["exploding"], "any", 1),
        (OPTIONS["exploding"], "exploding", 1),
        (OPTIONS["exploding"], "vanishing", 0),
        (OPTIONS["overflow"], "nonfinite", 1),
        (OPTIONS["dead"], "dead", 1),
        ("--preset gpt2 --blocks 2", "any", 0),
    ],
)
def test_fail_on_looks_at_the_verdict_and_at_every_flow_point(options, cause, code, gradcheck):
    ended = gradcheck(f"simulate --quiet {options} --fail-on {cause}")
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "")


def test_the_help_names_each_preset(printed):
    for name in PRESETS:
        shown = " ".join(printed("simulate --help").split())
        assert name in shown.partition("--preset NAME")[2].partition("--arch")[0].replace(".", " ").split(), name
        assert name in printed("list presets").split(), name
