"""``gradcheck transfer`` as its users meet it."""

import csv
import io
import re

import pytest

SMALL = "transfer --width 16,32,64 --steps 2 --seeds 2 --activation tanh"
STANDARD = f"{SMALL} --param standard"


@pytest.fixture(scope="module")
def document(printed, strictly):
    """A command line ↦ its JSON."""
    return lambda line: strictly(printed(f"{line} --json"))


def test_all_formats_tell_of_the_same_layers(printed, document):
    layers = list(dict.fromkeys(one["layer"] for one in document(STANDARD)["layers"]))
    assert layers == ["layer 1", "layer 2", "layer 3", "logits"]
    records = list(csv.DictReader(io.StringIO(printed(f"{STANDARD} --format csv"))))
    assert list(dict.fromkeys(one["layer"] for one in records)) == layers
    assert {"size_at_16", "size_at_64", "slope", "course"} <= set(records[0])
    assert [name for name in layers if f"\n| {name} |" in printed(f"{STANDARD} --format markdown")] == layers
    text = printed(f"{STANDARD} --format text")
    assert [name for name in layers if re.search(rf"^  {name} ", text, re.MULTILINE)] == layers


def test_the_verdict_its_reasons_and_what_to_change_are_said(printed, document):
    verdict, text = document(STANDARD)["verdict"], printed(STANDARD, COLUMNS="200")
    assert verdict["status"] == "grows"
    for said in (*verdict["reasons"], verdict["learning_rate"], *(one["advice"] for one in verdict["causes"])):
        assert said in text
    assert (
        text.rstrip().splitlines()[-1] == "  gradcheck transfer --width 16,32,64 --activation tanh --steps 2 --seeds 2"
    )


def test_the_command_that_is_printed_compares_the_same_networks_in_mup(printed, document):
    command = printed(STANDARD).rstrip().splitlines()[-1].removeprefix("  gradcheck ")
    config, theirs = (document(line)["config"] for line in (command, STANDARD))
    assert config == theirs | {"param": "mup"}


def test_what_transfers_is_tried_on_wider_networks_next(printed):
    assert "--width 16,32,64,256" in printed(SMALL).rstrip().splitlines()[-1]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (STANDARD, 0),
        (f"{STANDARD} --fail-on grows", 1),
        (f"{STANDARD} --fail-on any", 1),
        (f"{SMALL} --fail-on any", 0),
        (f"{SMALL} --param ntk --fail-on shrinks", 1),
        (f"{SMALL} --param ntk --fail-on grows", 0),
        (f"{SMALL} --optimizer sgd --lr 1e6 --fail-on diverges", 1),
        (f"{SMALL} --optimizer sgd --lr 1e6 --fail-on shrinks", 1),
        (f"{STANDARD} --fail-on diverges", 0),
    ],
)
def test_the_exit_code_says_what_was_asked(line, code, gradcheck):
    assert gradcheck(f"{line} --quiet").returncode == code


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("transfer --width 64", "error: --width 64 is one width: to compare, give several, as in 64,256,1024\n"),
        (
            "transfer --width 64,b",
            "error: --width '64,b' is no comma list of whole numbers; allowed: as in --width 64,256,1024\n",
        ),
        ("transfer --param mu", "error: --param 'mu' is unknown; did you mean 'mup'? allowed: mup, standard, ntk\n"),
        (
            "transfer --data text",
            "error: --data text is a sequence of tokens: it goes with --arch transformer\n",
        ),
    ],
)
def test_a_slip_is_one_line(line, said, gradcheck):
    ended = gradcheck(line)
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", said)


def test_networks_that_diverge_show_their_losses_and_a_lower_rate(printed):
    said = printed(f"{SMALL} --optimizer sgd --lr 1e6").splitlines()
    place = next(n for n, line in enumerate(said) if line.split() == ["width", "loss", "step", "1", "step", "2"])
    assert said[place - 1] == "  loss before the first step and after each, the mean over 2 seeds"
    assert (
        said[-1]
        == "  gradcheck transfer --width 16,32,64 --activation tanh --optimizer sgd --steps 2 --seeds 2 --lr 0.1"
    )


@pytest.mark.parametrize(
    ("arch", "searched"),
    [("mlp", "gradcheck rate searches the best one"), ("transformer", "gradcheck rate takes none")],
)
def test_the_rate_to_try_is_named_in_the_advice_and_in_the_command(arch, searched, printed):
    text = printed(f"transfer --arch {arch} --width 8,16 --lr 50 --steps 1 --seeds 1", COLUMNS="140")
    assert "lower the learning rate at the base, --lr 0.003: " in text
    assert searched in text
    assert text.splitlines()[-1].endswith(" --lr 0.003")


def test_a_terminal_without_block_characters_gets_letters(printed):
    assert printed(SMALL, LANG="C", PYTHONIOENCODING="ascii").isascii()
