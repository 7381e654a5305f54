"""``gradcheck rate`` as its users meet it."""

import json

import pytest

import gradcheck as package

SMALL = "rate --depth 2 --width 8 --activation tanh --batch-size 32 --updates 6"


def test_the_command_prints_what_the_function_returns(printed):
    returned = package.rate(depth=2, width=8, activation="tanh", batch_size=32, updates=6)
    assert json.loads(printed(f"{SMALL} --json")) == returned.to_dict()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("--lr 1e6 --fail-on too-high", 1),
        ("--lr 1e6 --fail-on too-low", 0),
        ("--lr 1e-9 --fail-on too-low --fail-on too-high", 1),
        ("--lr 1e6", 0),
        ("--fail-on any", 0),
        ("--gain 1e200 --activation relu --fail-on no-rate", 1),
        ("--gain 1e200 --activation relu --fail-on any", 1),
        ("--gain 1e200 --activation relu --lr 0.1 --fail-on too-high", 1),
        ("--gain 1e200 --activation relu --fail-on too-high", 0),
    ],
)
def test_a_gate_fails_where_the_rate_is_what_it_asks_for(options, code, gradcheck):
    ended = gradcheck(f"{SMALL} {options}")
    assert (ended.returncode, ended.stderr) == (code, "")
    assert ended.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rate --arch transformer", "allowed: mlp, rnn, lstm, gru"),
        ("rate --lr 0", "--lr 0.0 is not"),
        ("rate --optimizer rmsprop", "--optimizer 'rmsprop' is unknown"),
        ("rate --fail-on vanishing", "--fail-on 'vanishing' is what gradcheck simulate and probe find"),
        ("rate --updates none", "--updates"),
    ],
)
def test_what_it_can_not_take_is_said_in_one_line(line, said, gradcheck):
    ended = gradcheck(line)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert said in ended.stderr
