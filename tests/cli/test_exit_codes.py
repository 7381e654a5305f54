"""What a script learns from the exit code alone."""

import signal

import pytest

NETWORKS = {
    "healthy": "--depth 4 --width 32 --activation tanh --init lecun",
    "vanishing": "--depth 12 --width 16",
    "exploding": "--depth 12 --width 16 --activation relu --init he --gain 5",
    "collapsed": "--depth 30 --width 16 --activation relu --init he --seed 1",
    "dead": "--depth 4 --width 16 --activation step",
    "nonfinite": "--depth 4 --width 16 --activation relu --init he --gain 1e100",
    "saturated": "--depth 3 --width 32 --activation tanh --gain 60",
}

#: Interrupts the program when it imports the module that is named first.
INTERRUPTED_IMPORT = """
import sys

class Interrupt:
    def find_spec(name, *_):
        if name == module:
            raise KeyboardInterrupt

module = sys.argv.pop(1)
sys.meta_path.insert(0, Interrupt)
from gradcheck.cli import main
main()
"""

LONG = ("simulate", "--depth", "20000", "--width", "64")


def test_it_ends_with_zero_whatever_it_finds(report):
    for verdict in [name for name in NETWORKS if name != "saturated"]:
        assert report(NETWORKS[verdict])["verdict"]["status"] == verdict, verdict


def test_fail_on_a_verdict_ends_with_one_and_the_whole_document(gradcheck, printed):
    for cause in ("vanishing", "exploding", "collapsed", "dead", "nonfinite"):
        ended = gradcheck(f"simulate --json {NETWORKS[cause]} --fail-on {cause}")
        assert (ended.returncode, ended.stderr) == (1, ""), cause
        assert ended.stdout == printed(f"simulate --json {NETWORKS[cause]}"), cause


def test_fail_on_asks_for_causes(gradcheck):
    for network, causes, code in [
        ("healthy", "any", 0),
        ("vanishing", "any", 1),
        ("collapsed", "any", 1),
        ("vanishing", "exploding", 0),
        ("vanishing", "exploding,vanishing", 1),
        ("vanishing", "dead nonfinite", 0),
        ("vanishing", "dead vanishing", 1),
        ("dead", "exploding any", 1),
        ("nonfinite", "exploding", 1),  # a flag of some layers, not the verdict
        ("collapsed", "vanishing exploding dead nonfinite", 0),
    ]:
        asked = " ".join(f"--fail-on {cause}" for cause in causes.split())
        assert gradcheck(f"simulate --json {NETWORKS[network]} {asked}").returncode == code, (network, causes)


def test_fail_on_asks_what_a_trial_found(gradcheck):
    small = "simulate --json --width 8 --trial"
    deep, shallow = "--depth 8 --activation sigmoid", "--depth 2 --activation tanh"
    for network, causes, code in [(deep, "not-learning", 1), (deep, "dead", 0), (shallow, "not-learning any", 0)]:
        asked = " ".join(f"--fail-on {cause}" for cause in causes.split())
        assert gradcheck(f"{small} {network} {asked}").returncode == code, (network, causes)


def test_fail_on_not_learning_asks_for_a_trial(gradcheck):
    ended = gradcheck("simulate --depth 2 --fail-on not-learning")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "add --trial" in ended.stderr


def test_fail_on_any_is_content_with_saturated_layers_of_a_healthy_network(report, gradcheck):
    document = report(NETWORKS["saturated"])
    assert document["verdict"]["status"] == "healthy"
    assert {layer["flag"] for layer in document["layers"]} == {"saturated"}
    assert gradcheck(f"simulate --json {NETWORKS['saturated']} --fail-on any").returncode == 0


def test_fail_on_saturated_asks_for_that_flag(gradcheck):
    for network, code in (("saturated", 1), ("vanishing", 0)):
        assert gradcheck(f"simulate --json {NETWORKS[network]} --fail-on saturated").returncode == code, network


@pytest.mark.parametrize(
    ("command", "cause", "what"),
    [
        ("simulate", "span", "is a reason, and no verdict or flag"),
        ("simulate", "units-alike", "is what gradcheck probe finds"),
        ("compare", "not-learning", "is what gradcheck probe finds"),
        ("compare", "spikes", "is what gradcheck diagnose finds"),
        ("compare", "healthy", "is nothing to fail on"),
        ("simulate", "remarks", "is what gradcheck probe finds; for whatever is serious here: --fail-on any; "),
        ("compare", "notes", "is how severe a finding of gradcheck diagnose is, not what it is; for whatever is "),
        ("simulate", "saturates", "is unknown; did you mean 'saturated'?"),
    ],
)
def test_what_other_reports_show_is_told_from_what_a_command_can_fail_on(command, cause, what, gradcheck):
    ended = gradcheck(f"{command} --fail-on {cause}")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error: --fail-on '{cause}' {what}")
    assert "allowed: vanishing, exploding, collapsed, dead, nonfinite, " in ended.stderr


def test_fail_on_works_in_text_and_when_quiet(gradcheck):
    line = f"simulate --no-suggest {NETWORKS['vanishing']} --fail-on vanishing"
    assert gradcheck(line).returncode == 1
    assert gradcheck(f"{line} --quiet").returncode == 1


def test_asking_for_help_is_no_failure(printed):
    for line in ("-V", "-h", "schema -h", "schema", ""):
        assert printed(line), line


def test_an_interrupted_run_ends_with_130_and_leaves_no_trace(on_terminal, impatient_program, tmp_path, contents):
    """Even where the tests themselves ignore interrupts, as nohup makes them."""
    (tmp_path / "out").write_text("precious")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ended = on_terminal(*impatient_program, *LONG, "--output", "out", interrupt_at=" simulated, ", cwd=tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.returncode == 130
    assert "Traceback" not in ended.shown
    assert contents(tmp_path) == {"out": b"precious"}


@pytest.mark.parametrize("module", ["typer", "numpy"])
def test_an_interrupt_while_the_program_loads_leaves_no_trace_either(module, python):
    ended = python("-c", INTERRUPTED_IMPORT, module, "simulate", "--json")
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
