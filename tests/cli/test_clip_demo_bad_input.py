"""What ``gradcheck clip-demo`` can't take is said in one line that teaches; nothing is written."""

import re

import pytest

OPTIONS = {
    # rules
    "--clip norm:-1": "--clip norm:-1 has no finite threshold above 0: it would turn every gradient round, .*",
    "--clip norm:0": "--clip norm:0 has no finite threshold above 0: it would leave no gradient at all; .*",
    "--clip norm:nan": "--clip norm:nan has no finite threshold above 0: .*",
    "--clip global-norm:inf": "--clip global-norm:inf .*: it would clip nothing: type none for that; .*",
    "--clip percentile:101": "--clip percentile:101 is no percentile; allowed: above 0, up to 100 .*",
    "--clip none:3": "--clip 'none:3': none takes no threshold; type none",
    "--clip norms": "--clip 'norms' is unknown; did you mean 'norm'.* allowed: none, .*, suggest",
    "--clip global_norms:1": "--clip 'global_norms' is unknown; did you mean 'global-norm'.*",
    "--clip norm=1": "--clip 'norm=1' is unknown; did you mean 'norm'.*",
    "--clip 1.0": "--clip 1.0 is a threshold without its rule; type global-norm:1.0",
    "--clip ''": "--clip '' is unknown; allowed: none, .*",
    "--clip norm:": "--clip 'norm:' has no number after the colon; type norm:.*",
    "--clip norm:one": "--clip 'norm:one' has no number after the colon; type norm:.*",
    "--clip norm 1.0": ".*1.0.*",
    "--clip none --clip sugest": "--clip 'sugest' is unknown; did you mean 'suggest'.*",
    # training
    "--lr 0": "--lr 0.* is not a finite number above 0: .*",
    "--lr -1": "--lr -1.* is not a finite number above 0: .*",
    "--lr nan": "--lr nan is not a finite number above 0: .*",
    "--lr fast": ".*--lr.*'fast' is not a number.*",
    "--momentum 1": "--momentum 1 would never forget a step; .*",
    "--momentum -0.5": "--momentum -0.5 is not a finite number of at least 0: .*",
    "--epochs 0": "--epochs 0 is not .*at least 1: .*",
    "--epochs 1.5": ".*--epochs.*'1.5' is not a whole number.*",
    "--nonfinite foo": "--nonfinite 'foo' is unknown; allowed: skip, stop, zero, apply",
    "--batch-size 2000": "--batch-size 2000 is more than the 1797 examples of digits",
    "--batch-size 0": "--batch-size 0 is not .*at least 1: .*",
    # sequences
    "--sequence row": "--sequence 'row' is unknown; did you mean 'rows'.* allowed: rows, pixels",
    "--sequence rows --network mlp": "--sequence rows is a way to read the digits with --network rnn, lstm, gru; .*",
    "--sequence rows --steps 8": "--sequence rows means 8 steps: drop it, or --steps",
    "--sequence pixels --data gaussian": "--sequence pixels is a way to read the digits .*--steps.*",
    "--steps 7": "--steps 7 can't cut the 64 numbers of an example of digits evenly; allowed: 1, 2, 4, .*",
    "--steps 8 --network mlp": "--steps 8 goes with --arch rnn, lstm, gru; mlp has no time steps",
    # networks
    "--network cnn": "--(network|arch) 'cnn' is unknown; did you mean 'rnn'.* allowed: mlp, rnn, lstm, gru",
    "--depth 3": "--depth 3 goes with --(network|arch) mlp; rnn has one hidden layer.*",
    "--norm layer": "--norm goes with --(network|arch) mlp; rnn has none",
    "--residual": "--residual goes with --(network|arch) mlp; rnn has none",
    "--width 8,8": "--width .*",
    "--width wide": "--width 'wide' is not a whole number, nor a comma list.*",
    "--network mlp --recurrent-gain 2": "--recurrent-gain .*goes with --(network|arch) rnn, lstm, gru; .*",
    "--network lstm --activation relu": "--activation relu goes with --(network|arch) rnn; lstm has .*",
    "--forget-bias 1": "--forget-bias goes with --(network|arch) lstm or gru; .*",
    "--network mlp --norm batch --batch-size 1": "--batch-size 1 has no variance for --norm batch: .*",
    "--init normal": "--init normal needs --weight-std.*",
    "--weights weights.npz": "weights.npz: has no W_x; .*",
    "--weights missing.npz": "missing.npz: no such file",
    "--network mlp --weights weights.npz --width 4": "--width goes with drawn weights, not with --weights .*: drop one",
    "--data missing.npy": "missing.npy: no such file",
    "--data good.npy --batch-size 21": "--batch-size 21 is more than the 20 examples of good.npy",
    "--seed -1": "--seed -1 is not .*at least 0: .*",
    "--dtype float16": "--dtype 'float16' is unknown; .*allowed: float64, float32",
    # the command line
    "--format jsonl": "--format 'jsonl' is unknown; .*allowed: text, json, csv, markdown, html",
    "--json --format csv": "--json is short for --format json, but --format is csv: drop one",
    "--fail-on exploding": "--fail-on 'exploding' is what gradcheck simulate and probe find; allowed: diverged.*",
    "--seeds 3": ".*--seeds.*--seed.*",
    "--clips none": ".*--clips.*--clip.*",
    "rnn": ".*rnn.*",
}  # fmt: skip


@pytest.fixture(scope="module")
def refused(gradcheck, user_files):
    """Options ↦ how their run ended."""
    return lambda options: gradcheck(f"clip-demo --output demo.txt {options}", cwd=user_files)


def test_bad_input_is_one_line_on_stderr_and_nothing_is_written(refused, user_files):
    for options in OPTIONS:
        ended = refused(options)
        assert re.fullmatch(f"error: ({OPTIONS[options]})\n", ended.stderr), options
        assert (ended.returncode, ended.stdout) == (2, ""), options
        assert not (user_files / "demo.txt").exists(), options


def test_huge_gradients_are_no_traceback(gradcheck):
    line = "clip-demo --network mlp --activation relu --init he --gain 1e60 --depth 4 --width 8 --lr 1e-300 --epochs 5"
    ended = gradcheck(f"{line} --batch-size 256 --clip zscore --clip agc")
    assert (ended.returncode, ended.stderr) == (0, "")
