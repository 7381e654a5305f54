"""The help is complete, and the command line and the function are one interface."""

import inspect
import re

import pytest
import typer

import gradcheck
from gradcheck.cli.app import app
from gradcheck.cli.simulate import simulate

COMMANDS = typer.main.get_command(app).commands

#: The network options that are promised, with the default that the help states.
NETWORK = {
    "arch": "mlp",
    "depth": "50",
    "steps": "one a number",
    "width": "128",
    "activation": "sigmoid; tanh of an rnn",
    "init": "xavier",
    "gain": "1",
    "recurrent-gain": "1",
    "forget-bias": "1 of an lstm, 0 of a gru",
    "weight-std": None,
    "bias-std": "0",
    "norm": "none",
    "residual": "no-residual",
    "residual-scale": "1",
    "data": "digits",
    "batch-size": "64",
    "weights": None,
    "save-weights": None,
    "layers": "auto",
    "seed": "0",
    "seeds": "1",
    "dtype": "float64",
}

#: What only a transformer has, with the default that the help states.
TRANSFORMER = {
    "preset": None, "blocks": "12", "model-width": "768", "heads": "12", "kv-heads": "all", "mlp-ratio": "4",
    "tokens": "32", "norm-placement": "pre", "causal": "causal", "positions": "learned", "tied": "tied",
    "biases": "biases", "vocabulary": "256", "context": "as --tokens", "patch": None,
}  # fmt: skip

#: The rest of what is promised.
OTHERS = ["vanish-below", "explode-above", "max-span", "min-rank", "format", "json", "output", "fail-on",
          "all-layers", "plot", "quiet", "suggest", "shuffle", "labels"]  # fmt: skip

NAMES = {
    "arch": "mlp rnn lstm gru transformer",
    "activation": "linear step sigmoid tanh hard_tanh relu leaky_relu elu selu gelu silu softplus mish",
    "init": "xavier xavier_uniform he he_uniform lecun lecun_uniform orthogonal torch_default normal uniform "
    "xavier_truncated he_truncated lecun_truncated haiku_default truncated_normal trunc_normal "
    "torch keras flax haiku equinox paddle sklearn mlx tinygrad jax-vit gpt2",
    "norm": "none batch layer rms",
    "norm-placement": "pre post both",
    "positions": "learned sinusoidal rotary none",
    "layers": "auto dense weightless",
    "residual-scale": "gpt2 deepnorm",
    "dtype": "float64 float32",
    "format": "text json csv markdown html github junit",
    "fail-on": "vanishing exploding collapsed dead nonfinite not-learning any saturated",
}

#: Options of recurrences, which a perceptron's config has as null.
OF_RECURRENCES = {"steps", "recurrent-gain", "forget-bias"}

#: On the command line only: how the result is shown.
SHOWING = {"call", "format", "json", "output", "plot", "fail_on", "all_layers", "quiet"}


@pytest.fixture
def option_help(printed):
    """An option's name ↦ its part of the help, on one line."""
    parts = re.split(r"\n +(?=-)", printed("simulate --help"))
    texts = {re.search("--([a-z-]+)", part)[1]: " ".join(part.split()) for part in parts if "--" in part}
    return texts.__getitem__


def test_every_command_has_help(printed):
    for command in COMMANDS:
        assert COMMANDS[command].help, command
        assert COMMANDS[command].help.split(".")[0].split()[0] in printed(f"{command} --help"), command
        assert re.search(rf"^  {command}  +\w", printed("--help"), flags=re.MULTILINE), command


def test_every_option_has_help(printed):
    for command in COMMANDS:
        shown = printed(f"{command} --help")
        for parameter in COMMANDS[command].params:
            assert parameter.help, parameter.name
            assert all(name in shown for name in parameter.opts if name.startswith("-")), command


def test_every_promised_network_option_is_there_with_its_default(option_help):
    for option in (*NETWORK, *TRANSFORMER):
        default = re.search(r"\[default: \(?(.*?)\)?\]", option_help(option))
        stated = default and default[1].removesuffix(".0")
        assert stated == {**NETWORK, **TRANSFORMER}[option], option


def test_every_promised_option_is_there(option_help):
    for option in OTHERS:
        assert option_help(option), option


def test_the_help_lists_every_name(option_help):
    for option in NAMES:
        assert f": {NAMES[option]}." in option_help(option), option


def test_the_help_of_every_command_begins_with_the_question_that_it_answers(printed):
    for command in COMMANDS:
        first = printed(f"{command} --help", COLUMNS="80").partition("\n\n")[2].partition("\n\n")[0]
        assert re.search(r"[?]( Ranked\.)?$", first), command


def test_no_line_of_any_help_is_wider_than_the_terminal(printed):
    for command in COMMANDS:
        assert max(map(len, printed(f"{command} --help", COLUMNS="80").splitlines())) <= 80, command


def test_alone_it_shows_the_three_commands_that_matter(printed):
    shown = printed("")
    assert re.findall(r" gradcheck ([a-z]+) .*\w$", shown, flags=re.MULTILINE) == ["simulate", "probe", "diagnose"]
    assert len(shown.splitlines()) < 12
    assert max(map(len, shown.splitlines())) <= 80
    assert "gradcheck --help" in shown


def test_help_says_that_it_is_not_the_gradcheck_of_torch(printed):
    assert "torch.autograd.gradcheck" in printed("--help")


def test_version_is_that_of_the_package(printed):
    assert printed("--version") == f"gradcheck {gradcheck.__version__}\n"


def test_the_command_and_the_function_have_the_same_parameters():
    ours = {name: one.default for name, one in inspect.signature(simulate).parameters.items() if name not in SHOWING}
    theirs = {name: one.default for name, one in inspect.signature(gradcheck.simulate).parameters.items()}
    assert theirs.pop("tick") is None
    assert (ours.pop("suggest"), theirs.pop("suggest")) == (None, False)  # text suggests, the function if asked to
    assert list(ours) == list(theirs)
    assert ours == theirs


def test_a_command_and_its_function_take_the_same_options():
    for command, function, of_the_command_alone in [
        ("theory", gradcheck.theory, set()),
        ("clip-demo", gradcheck.clip_demo, set()),
        ("rate", gradcheck.rate, set()),
        ("transfer", gradcheck.transfer, {"target", "input", "batch", "loss", "mode"}),
        ("verify", gradcheck.verify, set()),
        ("diagnose", gradcheck.diagnose, {"follow"}),
    ]:
        of_the_command = {parameter.name for parameter in COMMANDS[command].params} - SHOWING
        of_the_function = inspect.signature(function).parameters.keys() - {"tick"}
        assert of_the_command - of_the_command_alone == of_the_function, command


def test_a_function_refuses_an_option_that_it_has_not():
    with pytest.raises(TypeError, match=r"simulate\(\) has no option 'dept'; did you mean 'depth'"):
        gradcheck.simulate(dept=5)


def test_what_only_the_command_has_is_about_showing():
    of_function = inspect.signature(gradcheck.simulate).parameters
    assert {name for name in inspect.signature(simulate).parameters if name not in of_function} == SHOWING


def test_defaults_of_the_help_are_those_of_the_config(report):
    config = report("")["config"]
    assert {config[option.replace("-", "_")] for option in OF_RECURRENCES} == {None}
    for option, default in NETWORK.items() - {(option, NETWORK[option]) for option in OF_RECURRENCES}:
        value = config[option.replace("-", "_")]
        if option == "layers":
            assert value == "dense"  # what auto stands for
        elif default is None:
            assert value is None
        else:
            assert value == {"no-residual": False}.get(default, type(value)(default.partition(";")[0]))


def test_defaults_of_the_help_are_those_of_a_transformers_config(report):
    config = report("--arch transformer --blocks 1 --model-width 24")["config"]
    stated = {"kv-heads": None, "causal": True, "tied": True, "biases": True, "context": None}
    given = {"blocks": 1, "model-width": 24}
    for option, default in TRANSFORMER.items():
        value = config[option.replace("-", "_")]
        expected = (stated | given).get(option, default)
        assert value == (type(value)(expected) if isinstance(expected, str) else expected)
    assert (config["norm"], config["activation"], config["data"], config["batch_size"]) == ("layer", "gelu", "text", 1)


@pytest.mark.parametrize(("arch", "forget_bias"), [("rnn", None), ("lstm", 1.0), ("gru", 0.0)])
def test_defaults_of_the_help_are_those_of_a_recurrences_config(arch, forget_bias, report):
    config = report(f"--arch {arch} --width 8")["config"]
    assert (config["steps"], config["activation"], config["recurrent_gain"]) == (64, "tanh", 1.0)
    assert config["forget_bias"] == forget_bias


def test_the_list_of_commands_says_what_each_is_for_in_one_whole_line(printed):
    listed = printed("--help", COLUMNS="80").partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)
    assert not any(line.endswith("...") for line in listed)
    assert max(map(len, listed)) <= 80
