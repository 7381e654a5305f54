"""Whatever is wrong with the input is said in one line that teaches; nothing is written."""

import re

import pytest

NAMES = "linear, step, sigmoid, .*, mish"

OPTIONS = {
    # names
    "--activation sigmiod": f"--activation 'sigmiod' is unknown; did you mean 'sigmoid'.* allowed: {NAMES}",
    "--activation ''": f"--activation '' is unknown; allowed: {NAMES}",
    "--init xaviar": "--init 'xaviar' is unknown; did you mean 'xavier'.* allowed: xavier, xavier_uniform, he, .*",
    "--norm bach": "--norm 'bach' is unknown; did you mean 'batch'.* allowed: none, batch, layer, rms",
    "--arch rn": "--arch 'rn' is unknown; did you mean 'rnn'.* allowed: mlp, rnn, lstm, gru, transformer",
    "--format yaml": "--format 'yaml' is unknown; .*allowed: text, json, csv, markdown, html, github, junit",
    "--fail-on fire": "--fail-on 'fire' is unknown; .*"
    "allowed: vanishing, exploding, collapsed, dead, nonfinite, not-learning, any, saturated",
    "--data digit": "--data 'digit' is unknown; did you mean 'digits'.* allowed: digits, gaussian, text, or a .*file",
    # numbers
    "--depth 0": "--depth 0 is not .*at least 1: .*",
    "--depth -3": "--depth -3 is not .*at least 1: .*",
    "--depth many": ".*--depth.*'many' is not a whole number.*",
    "--width 0": "--width 0 is not .*at least 1: .*",
    "--width 8,0,8": "--width 0 is not .*at least 1: .*",
    "--width wide": "--width 'wide' is not a whole number, nor a comma list.*",
    "--gain 0": "--gain 0.* is not a finite number above 0: .*",
    "--gain -1": "--gain -1.* is not a finite number above 0: .*",
    "--gain nan": "--gain nan is not a finite number above 0: .*",
    "--bias-std -1": "--bias-std -1.* is not a finite number of at least 0: .*",
    "--batch-size 0": "--batch-size 0 is not .*at least 1: .*",
    "--seed -1": "--seed -1 is not .*at least 0: .*",
    "--seeds 0": "--seeds 0 is not .*at least 1: .*",
    "--vanish-below nan": "--vanish-below nan is not a finite number.*",
    # combinations
    "--weight-std 0.1": "--weight-std goes with --init normal, uniform, .* only; xavier .*--gain",
    "--init he --weight-std 0.1": "--weight-std goes with --init normal, uniform, .* only; he .*--gain",
    "--init normal": "--init normal needs --weight-std.*",
    "--batch-size 1 --norm batch": "--batch-size 1 has no variance for --norm batch: use 2 or more.*",
    "--batch-size 1798": "--batch-size 1798 is more than the 1797 examples of digits",
    "--data good.npy --batch-size 21": "--batch-size 21 is more than the 20 examples of good.npy",
    "--depth 3 --width 8,9": "--width names 2 layers but --depth is 3: .*",
    "--residual --width 8,9": "--residual .*all --width must be equal",
    "--arch rnn --depth 3": "--depth 3 goes with --arch mlp; rnn has one hidden layer, .*--steps",
    "--arch gru --norm layer": "--norm goes with --arch mlp; gru has none",
    "--arch rnn --residual": "--residual goes with --arch mlp; rnn has none",
    "--arch lstm --activation relu": "--activation relu goes with --arch rnn; lstm has sigmoid gates and tanh: .*",
    "--arch rnn --forget-bias 1": "--forget-bias goes with --arch lstm or gru; .*",
    "--arch rnn --width 8,9": "--width is one number with --arch rnn: .*",
    "--arch rnn --steps 0": "--steps 0 is not .*at least 1: .*",
    "--arch rnn --steps 7": "--steps 7 can't cut the 64 numbers .* of digits evenly; allowed: 1, 2, 4, 8, 16, 32, 64",
    "--arch rnn --recurrent-gain 0": "--recurrent-gain 0.* is not a finite number above 0: .*",
    "--steps 8": "--steps 8 goes with --arch rnn, lstm, gru; mlp has no time steps",
    "--recurrent-gain 2": "--recurrent-gain 2.* goes with --arch rnn, lstm, gru; .*",
    "--json --format csv": "--json is short for --format json, but --format is csv: drop one",
    "--labels": "--labels .*digits is none.*",
    # data
    "--data missing.npy": "missing.npy: no such file",
    "--data empty.csv": "empty.csv: is empty; allowed: .*",
    "--data header.csv": "header.csv: has a header but no examples",
    "--data nothing.npy": r"nothing.npy: is empty \(shape \(0, 6\)\); allowed: .*",
    "--data ragged.csv": "ragged.csv: is ragged.*columns changed from 3 to 2.*",
    "--data words.csv": "words.csv: .*not numeric.*two.*",
    "--data words.npy": "words.npy: .*allowed: real numbers",
    "--data flat.npy": r"flat.npy: .*\(20,\); allowed: examples by features",
    "--data constant.npy": "constant.npy: can't be standardised: all values are equal",
    "--data hole.npy": r"hole.npy: holds NaN or infinity \(first in example 4\).*",
    "--data hole.csv": r"hole.csv: holds NaN or infinity \(first in example 1\).*",
    "--data pickled.npz": "pickled.npz: holds pickled Python objects.*; save plain arrays",
    "--data torn.npz": "torn.npz: can't be read as .npz.*",
    "--data no_x.npz": r"no_x.npz: has no array x \(it has: inputs\); save it as x=.*",
    "--data half_labels.npz": "half_labels.npz: label .*5 of example 0 is not a class; allowed: whole numbers from 0.*",
    "--data negative_labels.npz": "negative_labels.npz: label -1 of example .*; allowed: whole numbers from 0.*",
    "--data few_labels.npz": "few_labels.npz: has 7 labels for 20 examples; allowed: one label per example",
    "--data half_labels.csv --labels --batch-size 2": "half_labels.csv: label 0.5 of example 1 is not a class; .*",
    # weights
    "--weights missing.npz": "missing.npz: no such file",
    "--weights good.npy": "--weights good.npy is of an unknown kind; allowed: .npz, .safetensors",
    "--weights broken_chain.npz": "broken_chain.npz: W2 takes 5 inputs but W1 gives 4; .*",
    "--weights wrong_features.npz": "wrong_features.npz: .*takes 60 inputs but the data has 64 features.*",
    "--weights few_outputs.npz": "few_outputs.npz: .*gives 9 outputs but the data has 10 classes.*",
    "--weights one_matrix.npz": "one_matrix.npz: holds 1 .*; allowed: at least one hidden layer and a read-out",
    "--weights wrong_bias.npz": r"wrong_bias.npz: b1 has the shape \(5,\); W1 needs \(4,\)",
    "--weights image.npz": r"image.npz: kernel has the shape \(64, 3, 3\).*; allowed: .*",
    "--weights weights.npz --depth 3": "--depth goes with drawn weights, not with --weights weights.npz: drop one",
    "--weights weights.npz --init he": "--init goes with drawn weights, not with --weights weights.npz: drop one",
    "--weights weights.npz": "--save-weights writes drawn weights, but --weights weights.npz gives them: drop one",
    "--arch gru --weights lstm.npz": "lstm.npz: W_h has the shape .*, 4 gates, as an lstm has: use --arch lstm",
    "--arch rnn --weights weights.npz": "weights.npz: has no W_x; allowed: W_x, b, W_h, .*",
    "--arch lstm --weights lstm.npz --steps 3": "--steps 3 of 8 numbers each, as .*64 of digits; allowed: 8",
    "--arch lstm --weights lstm.npz --forget-bias 2": "--forget-bias goes with drawn weights, not with .*: drop one",
    "--seeds 2": "--save-weights writes one draw, but --seeds is 2: .*",
    # typing
    "--widht 8": ".*--widht.*--width.*",
    "8": ".*8.*",
    "--depth": ".*--depth needs a value.*",
}


@pytest.fixture(scope="module")
def refused(gradcheck, user_files):
    """Options ↦ how their run ended."""
    line = "simulate --output out.txt --save-weights drawn.npz"
    return lambda options: gradcheck(f"{line} {options}", cwd=user_files)


def test_bad_input_is_one_line_on_stderr_and_nothing_is_written(refused, user_files):
    for options in OPTIONS:
        ended = refused(options)
        assert re.fullmatch(f"error: ({OPTIONS[options]})\n", ended.stderr), options
        assert (ended.returncode, ended.stdout) == (2, ""), options
        assert not (user_files / "out.txt").exists(), options
        assert not (user_files / "drawn.npz").exists(), options


@pytest.mark.parametrize(
    ("line", "problem"),
    [("simulat", ".*'simulat'.*"), ("--colour", ".*--colour.*"), ("schema simulat", ".*'simulat'.*simulate.*")],
)
def test_an_unknown_command_is_one_line_on_stderr(line, problem, gradcheck):
    ended = gradcheck(line)
    assert re.fullmatch(f"error: {problem}\n", ended.stderr)
    assert (ended.returncode, ended.stdout) == (2, "")


def test_schema_names_no_option_that_does_not_exist(gradcheck):
    assert "--command" not in gradcheck("schema simulat").stderr


def test_a_bad_name_is_shown_without_its_control_characters(gradcheck):
    ended = gradcheck("simulate --data", "\x1b[31mred\r\x07.npy")
    assert ended.returncode == 2
    assert not [character for character in ended.stderr.removesuffix("\n") if not character.isprintable()]
    assert "red" in ended.stderr


def test_a_name_that_is_not_unicode_is_still_one_line(gradcheck):
    ended = gradcheck("simulate --data", b"\xff.npy".decode(errors="surrogateescape"))
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "no such file" in ended.stderr


def test_quiet_does_not_silence_errors(gradcheck):
    ended = gradcheck("simulate --quiet --depth 0")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("options", ["--data good.npz", "--data good.npy", "--data labelled.csv --labels"])
def test_good_files_are_none_of_this(options, gradcheck, user_files, strictly):
    ended = gradcheck(f"simulate --json --depth 2 --width 4 --batch-size 9 {options}", cwd=user_files)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert strictly(ended.stdout)["layers"][0]["fan_in"] == 6


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("--activation swish", "silu"),
        ("--init kaiming", "he"),
        ("--init Glorot_Uniform", "xavier_uniform"),
        ("--norm layernorm", "layer"),
    ],
)
def test_names_of_other_libraries_are_understood(typed, name, report):
    option = typed.split()[0].removeprefix("--")
    assert report(f"--depth 2 --width 8 --batch-size 8 {typed}")["config"][option] == name


def test_so_are_they_in_a_sweep(printed):
    assert "silu" in printed(
        "compare --depth 2 --width 8 --batch-size 8 --seeds 1 --workers 1 --activation swish,relu --format csv"
    )


def test_a_list_of_names_points_to_the_command_that_compares_them(gradcheck):
    for line in ("simulate --activation relu,tanh", "theory --activation relu,tanh"):
        ended = gradcheck(line)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "to compare several: gradcheck compare --activation relu,tanh" in ended.stderr


def test_a_ratio_beyond_any_size_is_refused(gradcheck):
    ended = gradcheck("simulate --preset gpt2 --mlp-ratio 1e308")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: --mlp-ratio 1e+308 of --model-width 768 is beyond any size\n"
