"""What a command doesn't need isn't loaded: proven by what the interpreter has in the end."""

import json
import re
from importlib import import_module

import numpy as np
import pytest

from gradcheck.cli.app import COMMANDS
from gradcheck.spec.options.sweep import VARIED

#: NumPy 1 loads them itself.
MASKED = {"numpy.ma"} if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else set()

HEAVY = {"numpy", "rich", "torch", "typer", "safetensors", "jsonschema", "matplotlib"}

#: Runs the command lines, one an argument, and says on stderr after each which modules are loaded.
TELLING = """
import sys
from gradcheck.cli import run
for line in sys.argv[1:]:
    sys.argv = ["gradcheck", *line.split()]
    run()
    print(*(name for name, module in sys.modules.items() if module is not None), file=sys.stderr)
"""

#: Answers a shell after the other, whose variables are JSON, then says on stderr which modules are loaded.
COMPLETING = """
import json, os, sys
from gradcheck.cli import run
for variables in json.loads(sys.argv[1]):
    os.environ.update(variables)
    sys.argv = ["gradcheck"]
    try:
        run()
    except SystemExit:
        pass
print(*(name for name, module in sys.modules.items() if module is not None), file=sys.stderr)
"""

PAGES = "", " batch-norm"

#: What is computed in one process, from what needs least to what needs most.
THEORY = [f"theory --phase-diagram --format {form}" for form in ("text", "json", "csv", "markdown")]
SIMULATED = "simulate --depth 2 --width 4 --format csv"
MACHINE = [
    *(f"simulate --depth 2 --width 4 --format {form}" for form in ("json", "markdown")),
    *(
        f"clip-demo --network mlp --depth 1 --width 4 --epochs 1 --clip none --format {form}"
        for form in ("json", "csv", "markdown")
    ),
    "verify --only norm --json",
]
PAGE = "explain chain-rule --json"
DIAGNOSES = [f"diagnose run.csv --format {form}" for form in ("json", "markdown", "text")]

COMPLETIONS = {
    "bash": {"COMP_WORDS": "gradcheck {line}", "COMP_CWORD": "{count}"},
    "zsh": {"_TYPER_COMPLETE_ARGS": "gradcheck {line}"},
    "fish": {"_TYPER_COMPLETE_ARGS": "gradcheck {line}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}


def completion(shell, line):
    """Return the environment in which the shell asks how the line goes on."""
    values = {name: value.format(line=line, count=len(line.split(" "))) for name, value in COMPLETIONS[shell].items()}
    return {"_GRADCHECK_COMPLETE": f"complete_{shell}", **values}


@pytest.fixture(scope="module")
def loaded(python):
    """Command lines ↦ the modules that are loaded after each of them, run one after the other in one process."""

    def modules(*lines, **variables):
        ended = python("-c", TELLING, *lines, **variables)
        assert ended.stdout
        told = ended.stderr.splitlines()
        assert len(told) == len(lines), ended.stderr
        return dict(zip(lines, map(set, map(str.split, told)), strict=True))

    return modules


@pytest.fixture(scope="module")
def without_numpy(loaded):
    """What is loaded after each line of a process that shows what is written already."""
    helps, pages = [f"{name} --help" for name in COMMANDS], [f"explain{page}" for page in PAGES]
    return loaded("--version", "--help", "", *helps, *(f"{page} --json" for page in pages), *pages)


@pytest.fixture(scope="module")
def computing(loaded, tmp_path_factory):
    """What is loaded after each line of a process that computes."""
    folder = tmp_path_factory.mktemp("log")
    rows = "".join(f"{step},{3 / (step + 1)},{2 + step % 3}\n" for step in range(99))
    (folder / "run.csv").write_text("step,loss,grad_norm\n" + rows)
    return loaded(*THEORY, SIMULATED, *MACHINE, PAGE, *DIAGNOSES, cwd=folder)


def test_help_loads_neither_numpy_nor_rich(without_numpy):
    modules = without_numpy[f"{[*COMMANDS][-1]} --help"]
    assert "gradcheck.cli.app" in modules
    assert not modules & {"numpy", "rich", "rich.table", "torch", "safetensors"}


def test_a_simulation_loads_its_own_family_and_neither_masked_arrays_nor_changes_unless_it_suggests(computing):
    modules = computing[SIMULATED]
    assert "gradcheck.families.perceptron" in modules
    others = {"gradcheck.families.recurrent", "gradcheck.families.transformer", "gradcheck.simulation.cures"}
    assert not modules & (others | MASKED)


@pytest.mark.parametrize("command", ["simulate", "list"])
def test_a_command_loads_no_other_command(command, loaded):
    modules = loaded(f"{command} --help")[f"{command} --help"]
    others = {home.partition(":")[0].rpartition(".")[2] for home in COMMANDS.values()} - {command}
    assert f"gradcheck.cli.{command}" in modules
    assert not modules & {f"gradcheck.cli.{other}" for other in others}


def test_theory_loads_numpy_but_neither_rich_nor_what_simulates(computing, python):
    modules = computing[THEORY[-1]]
    with_numpy = set(python("-c", "import numpy, sys; print(*sys.modules)").stdout.split())  # numpy.random before 2.0
    assert "numpy" in modules
    assert not (modules - with_numpy) & {
        "rich",
        "torch",
        "scipy",
        "numpy.random",
        "gradcheck.flow.gradient_flow",
        "gradcheck.engine.network",
    }


def test_a_diagnosis_does_not_wait_for_masked_arrays(computing):
    modules = computing[DIAGNOSES[-1]]
    assert "gradcheck.logs.report" in modules
    assert not modules & ({"scipy", "torch"} | MASKED)


def test_completion_loads_neither_numpy_nor_rich(python):
    asked = [
        completion(shell, line)
        for shell, line in [
            ("zsh", "simulate --activation re"), ("fish", "simulate --dep"), ("bash", "explain v"),
            ("bash", "schema p"), ("bash", "compare --init he,"), ("bash", "verify --only n"),
        ]
    ]  # fmt: skip
    ended = python("-c", COMPLETING, json.dumps(asked))
    assert ended.stdout.count("relu") == 1
    assert {"--depth", "vanishing", "probe", "he,he_uniform", "norm"} <= set(ended.stdout.split())
    assert not set(ended.stderr.split()) & {"numpy", "rich", "rich.table", "torch"}


def test_importing_gradcheck_loads_nothing(python):
    told = python("-c", "import gradcheck, sys; print(*sys.modules)").stdout.split()
    assert "gradcheck" in told
    assert not HEAVY & set(told)


def test_machine_formats_load_no_rich(computing):
    modules = computing[MACHINE[-1]]
    assert "numpy" in modules
    assert not modules & {"rich", "torch", "safetensors", "jinja2", "gradcheck.pages"}


def test_a_page_loads_no_numpy_and_rich_for_text_alone(without_numpy):
    for form in (" --json", ""):
        modules = without_numpy[f"explain{PAGES[-1]}{form}"]
        assert "gradcheck.explanations" in modules, form
        assert not modules & {"numpy", "torch", "safetensors"}, form
        assert ("rich" in modules) == (form == ""), form


def test_the_page_that_simulates_loads_numpy_and_its_json_no_rich(computing):
    modules = computing[PAGE]
    assert "numpy" in modules
    assert not modules & {"rich", "torch", "safetensors"}


def test_completion_offers_what_fits_and_nothing_else(gradcheck):
    for line, offered in [
        ("sim", ["simulate"]),
        ("theory --norm la", ["layer"]),
        ("simulate --activation re", ["relu"]),
        ("simulate --activation s", ["step", "sigmoid", "selu", "silu", "softplus", "swiglu"]),
        ("simulate --init or", ["orthogonal"]),
        ("simulate --fail-on v", ["vanishing"]),
        ("simulate --residual-", ["--residual-scale"]),
        ("exp", ["explain"]),
        ("explain v", ["vanishing", "verification"]),
        ("explain c", ["collapsed", "chain-rule", "clipping", "columns", "clipped-scaled"]),
        ("explain initiali", ["initialisation"]),
        ("explain initializ", ["initialization"]),  # another name, where no topic begins so
        ("explain nonsense", []),
        ("simulate --preset gpt", ["gpt2", "gpt2-xl", "gpt3"]),
        ("simulate --arch ", ["mlp", "rnn", "lstm", "gru", "transformer"]),
        ("simulate --data d", ["digits"]),
        ("compare --activation t", ["tanh"]),
        ("compare --activation tanh,re", ["tanh,relu"]),
        ("compare --init he,he", ["he,he_uniform", "he,he_truncated"]),  # the first is given already
        ("compare --residual b", ["both"]),
        ("compare --group-by batch", ["batch-size"]),
        ("schema p", ["probe"]),
        ("list a", ["activations"]),
        ("verify --only n", ["norm", "network"]),
        ("probe --loss cr", ["cross-entropy"]),
        ("probe --clip g", ["global-norm"]),
    ]:
        assert gradcheck("", **completion("bash", line)).stdout.split() == offered, line


def test_every_option_that_takes_names_offers_them():
    for command, home in COMMANDS.items():
        module, _, function = home.partition(":")
        for row in getattr(import_module(module), function).options:
            offered = row.completion("") if row.completion else list(row.names)
            assert not row.names or set(row.names) <= {*offered, "any"}, f"{command} {row.name}"
            assert not (row.varied and row.metavar == "LIST" and VARIED[row.name].names) or offered, row.name


def test_bash_itself_completes(in_bash):
    line = """
        eval "$(gradcheck --show-completion bash)"
        COMP_WORDS=(gradcheck simulate --activation re) COMP_CWORD=3
        _gradcheck_completion gradcheck
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    ended = in_bash(line)
    assert (ended.stdout, ended.stderr) == ("relu\n", "")


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_every_shell_is_offered_relu(shell, gradcheck):
    answer = gradcheck("", **completion(shell, "simulate --activation re")).stdout
    assert re.findall(r"\w+elu|tanh", answer) == ["relu"]


def test_a_slip_in_a_name_is_refused_before_the_framework_is_loaded(python):
    code = """
import sys
from gradcheck.cli import run
for line in sys.argv[1:]:
    sys.argv = ["gradcheck", "probe", *line.split()]
    print(run(), "torch" in sys.modules)
"""
    slips = "mine", "mine:net --batch data", "mine:net --loss :", "mine:net --kwargs {a:3}"
    ended = python("-c", code, *slips)
    assert ended.stdout == "2 False\n" * len(slips)
    assert [line[:7] for line in ended.stderr.splitlines()] == ["error: "] * len(slips)
