"""What a transformer can't be is said in one line that teaches; nothing is written."""

import re

import pytest

from gradcheck.errors import OptionError
from gradcheck.simulation.experiment import Experiment

SMALL = "--arch transformer --blocks 2 --model-width 16 --heads 2 --tokens 6"

PRESETS = "gpt2, gpt2-xl, gpt3, llama-7b, llama-70b, bert-base, vit-b, transformer-base"

INITS = "xavier, he, lecun, normal, orthogonal"

#: Refused in processes of their own.
OPTIONS = {
    f"{SMALL} --depth 3": "--depth 3 goes with --arch mlp; a transformer has --blocks, --model-width and .*",
    "--residual-scale gpt2": "--residual-scale 'gpt2' is not a finite number: .*",
    "--preset gpt-4": f"--preset 'gpt-4' is unknown; did you mean 'gpt3'. allowed: {PRESETS}",
    "--preset gpt2 --arch mlp": "--preset gpt2 is a transformer: drop --arch mlp",
    "--preset gpt2 --heads 7": "--heads 7 can't share --model-width 768; allowed: 1, 2, 3, 4, 6, 8, 12, .*",
    f"{SMALL} --heads 7": "--heads 7 can't share --model-width 16; allowed: 1, 2, 4, 8, 16",
    f"{SMALL} --norm batch": "--norm 'batch' is unknown; allowed: none, layer, rms",
    f"{SMALL} --residual-scale foo": "--residual-scale 'foo' is unknown; allowed: gpt2, deepnorm, or a number",
    f"{SMALL} --residual-scale deepnorm": "--residual-scale deepnorm is made for --norm-placement post, with a norm",
    f"{SMALL} --context 3": "--context 3 is less than --tokens 6: .*",
    f"{SMALL} --layers weightless --init he_uniform": "--layers weightless is not possible here: --init he_uniform is "
    f"not normal, and only of {INITS} the law without a matrix is known; take auto or dense",
    "--layers weightless --arch rnn": "--layers weightless is not possible here: the steps of --arch rnn share .*; "
    "take auto or dense",
    "--layers weightless --depth 2 --save-weights drawn.npz": "--layers weightless .*--save-weights writes .*",
    f"{SMALL} --weights w.npz": "--weights goes with --arch mlp, rnn, lstm or gru; a transformer's weights are drawn",
    f"{SMALL} --save-weights drawn.npz": "--save-weights goes with --arch mlp, rnn, lstm or gru; a transformer's .*",
    f"{SMALL} --data digits": "--data digits holds no token ids; a transformer reads text, or a .npy of ids .*",
    f"{SMALL} --data missing.npy": "missing.npy: no such file",
    f"{SMALL} --data good.npy": "good.npy: .* is not a token id; allowed: whole numbers from 0, .*--patch N.*",
}  # fmt: skip

#: Refused in the same way, before anything is simulated.
MORE = {
    f"{SMALL} --width 8": "--width 8 goes with --arch mlp, rnn, lstm, gru; a transformer has .*",
    f"{SMALL} --steps 3": "--steps 3 goes with --arch rnn, lstm, gru; a transformer has .*",
    f"{SMALL} --recurrent-gain 2": "--recurrent-gain 2.0 goes with --arch rnn, lstm, gru; a transformer has .*",
    f"{SMALL} --no-residual": "--residual False goes with --arch mlp; a transformer has .*",
    "--blocks 3": "--blocks 3 goes with --arch transformer; mlp has none",
    "--arch lstm --heads 3": "--heads 3 goes with --arch transformer; lstm has none",
    "--no-causal": "--causal False goes with --arch transformer; mlp has none",
    "--activation swiglu": "--activation 'swiglu' is unknown; .*allowed: linear, .*, mish",
    "--preset gpt2 --tokens 2000": "--context 1024 is less than --tokens 2000: .*",
    "--preset gpt2 --vocabulary 9": "--vocabulary 9 has no id 226, which text holds; raise it",
    "--preset vit-b --data text": "--data text is tokens, and --patch takes vectors: drop one",
    f"{SMALL} --kv-heads 3": "--kv-heads 3 can't share the 2 --heads evenly",
    f"{SMALL} --norm-placement behind": "--norm-placement 'behind' is unknown; allowed: pre, post, both",
    f"{SMALL} --positions rotery": "--positions 'rotery' is unknown; did you mean 'rotary'. allowed: learned, .*, none",
    f"{SMALL} --mlp-ratio 0": "--mlp-ratio 0.0 is not a finite number above 0: .*",
    f"{SMALL} --blocks 0": "--blocks 0 is not a whole number of at least 1: .*",
    f"{SMALL} --tokens 0": "--tokens 0 is not a whole number of at least 1: .*",
    f"{SMALL} --vocabulary 1": "--vocabulary 1 is not a whole number of at least 2: .*",
    f"{SMALL} --residual-scale nan": "--residual-scale nan is not a finite number: .*",
    f"{SMALL} --layers light": "--layers 'light' is unknown; .*allowed: auto, dense, weightless",
    f"{SMALL} --residual-scale deepnorm --norm-placement post --norm none": "--residual-scale deepnorm is made for .*",
    f"{SMALL} --no-biases --bias-std 1": "--bias-std is the standard deviation of biases, but --no-biases leaves .*",
    f"{SMALL} --heads 16 --positions rotary": "--positions rotary turns pairs of numbers, but a head has 1: .*",
    f"{SMALL} --patch 8": "--tied ties the read-out to the embedding of tokens, but --patch has none: --no-tied",
    f"{SMALL} --patch 7 --no-tied --data digits": "--patch 7 can't cut the 64 numbers of an example of digits",
    f"{SMALL} --patch 8 --no-tied --data digits": "--tokens 6 are not the 8 patches of digits and .*; allowed: 9",
    f"{SMALL} --init normal": "--init normal needs --weight-std.*",
    f"{SMALL} --batch-size 99999": "--batch-size 99999 is more than the 3925 sequences of 6 tokens in text",
    "--data text": "--data text .*",
}  # fmt: skip


@pytest.fixture(scope="module")
def refused(gradcheck, user_files):
    """Options ↦ how their run ended."""
    return lambda line: gradcheck(f"simulate --output out.txt {line}", cwd=user_files)


def test_bad_input_is_one_line_on_stderr_and_nothing_is_written(refused, user_files):
    for options in OPTIONS:
        ended = refused(options)
        assert re.fullmatch(f"error: ({OPTIONS[options]})\n", ended.stderr), options
        assert (ended.returncode, ended.stdout) == (2, ""), options
        assert not (user_files / "out.txt").exists(), options
        assert not (user_files / "drawn.npz").exists(), options


def test_other_bad_input_is_an_error_with_one_such_line(typed):
    for options in MORE:
        with pytest.raises(OptionError) as caught:
            Experiment.from_options(typed(f"gradcheck simulate {options}"))
        assert re.fullmatch(MORE[options], caught.value.typed()), options
