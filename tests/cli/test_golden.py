"""Whole documents, character by character; conftest.py says how to write them anew."""

from pathlib import Path

import pytest

DEEP = "simulate --no-suggest"

#: So short and benign a training that no rounding error grows to a digit that is shown.
DEMO = "clip-demo --network mlp --depth 2 --width 16 --activation tanh --epochs 2 --batch-size 128"

#: Few updates, for the same reason.
RATE = "rate --depth 2 --width 16 --activation tanh --init lecun --updates 12"

#: Networks that are small, and trained in double precision: the digits that are shown are the same everywhere.
WIDTHS = "transfer --width 32,64,128 --activation tanh --steps 2 --seeds 2 --dtype float64"

DOCUMENTS = {
    "vanishing_80.txt": (DEEP, {}),
    "vanishing_140.txt": (DEEP, {"COLUMNS": "140"}),
    "vanishing_40.txt": (DEEP, {"COLUMNS": "40"}),
    "vanishing_ascii.txt": (DEEP, {"LANG": "C", "PYTHONIOENCODING": "ascii"}),
    "vanishing_colour.txt": ("simulate --no-suggest --depth 8 --width 32", {"FORCE_COLOR": "1", "TERM": "xterm"}),
    "vanishing_suggestions.txt": ("simulate --depth 20 --width 32", {}),
    "suggestions_40.txt": ("simulate --depth 20 --width 32", {"COLUMNS": "40"}),
    "exploding.txt": ("simulate --no-suggest --depth 12 --width 32 --activation relu --init he --gain 3", {}),
    "nonfinite.txt": ("simulate --no-suggest --depth 14 --width 32 --activation relu --init he --gain 1e50", {}),
    "dead.txt": ("simulate --no-suggest --depth 6 --width 32 --activation step", {}),
    "collapsed.txt": ("simulate --no-suggest --depth 30 --width 16 --activation relu --init he --seed 1", {}),
    "exploding_saturated.txt": ("simulate --no-suggest --depth 12 --width 32 --activation tanh --gain 30", {}),
    "healthy.txt": ("simulate --no-suggest --depth 12 --width 64 --activation tanh --init lecun", {}),
    "residual_seeds.txt": (
        "simulate --no-suggest --depth 8 --width 32 --residual --residual-scale 0.5 --norm layer --seeds 3 --seed 4"
        " --data gaussian --dtype float32",
        {},
    ),
    "number_formats.txt": ("simulate --no-suggest --depth 6 --width 32 --number-format fp16,fp8-e5m2,mxfp8", {}),
    "rnn.txt": ("simulate --no-suggest --arch rnn --width 32 --recurrent-gain 0.7", {}),
    "lstm_suggestions.txt": ("simulate --arch lstm --forget-bias -3 --width 32 --steps 16", {}),
    "transformer.txt": (
        "simulate --arch transformer --blocks 8 --model-width 16 --heads 2 --tokens 6 --norm none --gain 1.5",
        {},
    ),
    "explain.txt": ("explain", {}),
    "explain_vanishing.txt": ("explain vanishing", {}),
    "explain_vanishing_40_colour.txt": (
        "explain vanishing",
        {"COLUMNS": "40", "FORCE_COLOR": "1", "TERM": "xterm"},
    ),
    "explain_chain_rule.txt": ("explain chain-rule", {}),
    "explain_chain_rule_ascii.txt": ("explain chain-rule", {"LANG": "C", "PYTHONIOENCODING": "ascii"}),
    "vanishing.md": ("simulate --format markdown --depth 12 --width 32", {}),
    "clip_demo.txt": (f"{DEMO} --clip none --clip value:0.01 --clip global-norm:0.1 --clip agc", {}),
    "clip_demo_40.txt": (f"{DEMO} --clip value:0.01 --clip percentile:50", {"COLUMNS": "40"}),
    "clip_demo.md": (f"{DEMO} --format markdown --clip none --clip norm:0.1", {}),
    "rate.txt": (RATE, {}),
    "rate_140.txt": (f"{RATE} --optimizer adam --seeds 2", {"COLUMNS": "140"}),
    "rate_40.txt": (f"{RATE} --lr 5", {"COLUMNS": "40"}),
    "rate_none.txt": ("rate --depth 20 --width 16 --updates 6", {}),
    "rate.md": (f"{RATE} --format markdown", {}),
    "theory_80.txt": ("theory", {}),
    "theory_140.txt": ("theory --activation relu --init he --gain 1.1", {"COLUMNS": "140"}),
    "theory_40.txt": ("theory --activation gelu --init he --residual", {"COLUMNS": "40"}),
    "theory_ascii.txt": ("theory --activation elu --phase-diagram", {"LANG": "C", "PYTHONIOENCODING": "ascii"}),
    "theory_colour.txt": ("theory --activation step", {"FORCE_COLOR": "1", "TERM": "xterm"}),
    "theory_diagram.txt": ("theory --activation tanh --init lecun --gain 1.5 --bias-std 0.2 --phase-diagram", {}),
    "theory_batch_norm.txt": ("theory --activation relu --norm batch --depth 12", {}),
    "theory.md": ("theory --activation tanh --init lecun --gain 0.9 --format markdown", {}),
    "transfer.txt": (f"{WIDTHS} --param standard --optimizer sgd", {}),
    "transfer_40.txt": (f"{WIDTHS} --param ntk", {"COLUMNS": "40"}),
    "transfer.md": (f"{WIDTHS} --format markdown", {}),
    "suggestions.md": ("simulate --format markdown --depth 10 --width 32 --suggest", {}),
}

HEADERS = {"layers.csv": "", "layers_seeds.csv": "--seeds 2"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_is_the_one_that_is_kept(name, printed, golden):
    line, variables = DOCUMENTS[name]
    golden(name, printed(line, **variables))


@pytest.mark.parametrize("name", HEADERS)
def test_the_header_of_csv_is_the_one_that_is_kept(name, printed, golden):
    header, _ = printed(f"simulate --format csv --depth 2 --width 4 {HEADERS[name]}").split("\n", 1)
    golden(name, f"{header}\n")


def test_every_kept_document_is_compared():
    kept = {path.name for path in Path(__file__).with_name("golden").iterdir() if not path.name.startswith("probe")}
    assert kept == {*DOCUMENTS, *HEADERS}
