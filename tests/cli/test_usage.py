"""What a command line may have meant: each slip is one line that says what to type instead."""

import re
import shlex

import pytest

from gradcheck.cli.app import COMMANDS, EXAMPLES

#: What is typed ↦ what the one line says of it.
SLIPS = {
    "simulate --layers 20": "--layers '20' .*; the number of hidden layers is --depth 20",
    "simulate --depth 10:50:10": "--depth takes one value in simulate; .* gradcheck compare --depth 10:50:10",
    "theory --gain 0.5,1": "--gain takes one value in theory; .* gradcheck compare --gain 0.5,1",
    "simulate --depth --width 8": "--depth needs a value before --width",
    "simulate --activation --width": "--activation needs a value before --width",
    "compare --residual --seeds": "--residual needs a value before --seeds, as in yes, no or both",
    "simulate --depth": "--depth needs a value",
    "compare --depth 8 --residual": "--residual needs a value, as in yes, no or both",
    "probe models:build --framework jax --input 8x8": "--framework 'jax'.* torch, keras, flax, equinox",
    "rate models:build": "models:build has no place .*: gradcheck probe models:build --batch .* --rate",
    "simulate 10": "10 has no place in gradcheck simulate: .* gradcheck compare --depth 10,50",
    "compare --depth 10 50": "NEW 50 needs an earlier report: .*; several values .* by commas without spaces, as in .*",
    "clip-demo --clip 1.0": "--clip 1.0 is a threshold without its rule; type global-norm:1.0",
    "clip-demo --clip norm:1 --clip 5": "--clip 5 is a threshold without its rule; .*",
    "simulate --dpeth 3": "--dpeth is no option of gradcheck simulate; did you mean '--depth'\\? .*",
    "simulate --lr 0.1": "--lr is of the updates that --number-format counts: name a format, or drop it",
    "simulate --norm-position pre": ".*did you mean '--norm-placement'\\? .*",
    "simulate --normplacement pre": ".*did you mean '--norm-placement'\\? .*",
    "simulate --momentum 0.9": "--momentum is no option of gradcheck simulate; .* of gradcheck clip-demo; .*",
    "simulate --kwargs 1": "--kwargs .*; it is an option of gradcheck probe; gradcheck simulate --help lists all",
    "simulate --device cuda": "--device is no option .*; a simulation runs on the CPU.*",
    "--nope": "--nope is no option of gradcheck; gradcheck --help lists all",
    "diagnose": "FILE is missing: .*; for example: gradcheck diagnose run.jsonl; - reads standard input",
    "gpt2": "there is no command 'gpt2'; .*: gradcheck simulate --preset gpt2",
    "help": "there is no command 'help'; gradcheck --help lists the commands, .*",
    "vanishing": "there is no command 'vanishing'; .*: gradcheck explain vanishing",
    "run.jsonl": "there is no command 'run.jsonl'; .*: gradcheck diagnose run.jsonl",
    "models:build": "there is no command 'models:build'; .*: gradcheck probe models:build",
    "models.py": "there is no command 'models.py'; to look at a model in it: gradcheck probe models:build",
    "diagnose a.csv b.csv c.csv": "c.csv has no place in gradcheck diagnose: it reads one log, or compares two; .*",
    "explain vanishing gradients": "gradients has no place .*, as in gradcheck explain chain-rule",
    "simulate depth=5": "depth=5 has no place in gradcheck simulate; write --depth 5",
    "simulate -depth 5": "-d is no option of gradcheck simulate; write --depth; gradcheck simulate --help lists all",
    "--depth 5": "--depth is no option of gradcheck; .*: gradcheck simulate --depth …; gradcheck --help lists all",
    "-v": "-v is no option of gradcheck; the version is --version; .*",
    "simulate --act relu": "--act is no option of gradcheck simulate; did you mean '--activation'\\? .*",
    "simulate --initialization he": "--initialization .*; did you mean '--init'\\? .*",
    "simulate --num_layers 5": "--num_layers is no option .*; layers are counted by --depth; .*",
    "simulate --model gpt2": "--model is no option .* --preset, your own model .* gradcheck probe; .*",
    "simulate --init glort": "--init 'glort' is unknown; did you mean 'glorot'\\? allowed: .*",
    "simulate --batch 3": "--batch is no option .*; did you mean '--batch-size'\\? .*",
    "simulate --residual no": "no has no place .*: --residual takes no value, and its opposite is --no-residual",
    "simulate --depth 1e3": "--depth '1e3' is not a whole number; write 1000",
    "version": "there is no command 'version'; gradcheck --version prints it",
    "--simulate": "--simulate is no option of gradcheck; write gradcheck simulate; .*",
    "list activation": "list 'activation' is unknown; did you mean 'activations'\\? allowed: .*",
    "schema simulat": "schema 'simulat' is unknown; did you mean 'simulate'\\? allowed: .*",
    "compare --depth 2,3 --group-by dept": "--group-by dept .*; did you mean 'depth'\\? allowed: depth",
    "clip_demo": "there is no command 'clip_demo'; did you mean 'clip-demo'\\? allowed: simulate, .*",
    "wxyz": "there is no command 'wxyz'; allowed: simulate, .*",
}  # fmt: skip


@pytest.mark.parametrize("line", SLIPS)
def test_a_slip_is_one_line_that_says_what_to_type(line, gradcheck):
    ended = gradcheck(line)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.fullmatch(f"error: {SLIPS[line]}\n", ended.stderr)


@pytest.mark.parametrize(
    ("line", "reader"),
    [("diagnose runn.jsonl", "can't be read: no such file or directory"), ("simulate --data dta.npy", "no such file"),
     ("compare --baseline od.json", "can't be read: no such file or directory")],
)  # fmt: skip
def test_a_file_that_is_not_there_may_be_one_that_is(line, reader, gradcheck, tmp_path):
    for name in ("run.jsonl", "data.npy", "old.json"):
        (tmp_path / name).touch()
    ended = gradcheck(line, cwd=tmp_path)
    word = line.split()[-1]
    there = {"runn.jsonl": "run.jsonl", "dta.npy": "data.npy", "od.json": "old.json"}[word]
    assert (ended.returncode, ended.stderr) == (2, f"error: {word}: {reader}; did you mean '{there}'?\n")


def test_the_help_of_every_command_starts_with_examples(printed):
    assert EXAMPLES.keys() == COMMANDS.keys()
    for command, examples in EXAMPLES.items():
        shown = printed(f"{command} --help")
        assert shown.index(f"  {examples[0]}\n") < shown.index("Options:" if "Options:" in shown else "Output:"), (
            command
        )


def test_every_example_can_be_typed():
    from typer.main import get_command

    from gradcheck.cli.app import app

    for command, examples in EXAMPLES.items():
        for example in examples:
            words = shlex.split(example.partition(" > ")[0])
            assert words[:2] == ["gradcheck", command]
            get_command(app).commands[command].make_context(command, words[2:])
