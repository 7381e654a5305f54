"""``gradcheck theory`` as its users meet it."""

import csv
import inspect
import io
import re
from functools import wraps

import jsonschema
import pytest

import gradcheck
from gradcheck.cli.theory import theory
from gradcheck.mean_field.text import colour, label
from gradcheck.simulation.experiment import Experiment

CHAOTIC = "theory --activation tanh --init lecun --gain 1.5 --bias-std 0.2"

#: Of the command only: how the result is shown.
SHOWING = {"format", "json", "output", "plot", "quiet"}

KINDS = {
    "ordered": "theory",
    "chaotic": CHAOTIC,
    "critical": "theory --activation relu --init he",
    "unbounded": "theory --activation relu --init he --gain 1.1",
    "without a gradient": "theory --activation step",
    "residual": "theory --activation gelu --residual",
    "batch norm": "theory --activation relu --norm batch --depth 8",
    "batch norm without an answer": "theory --activation tanh --norm batch",
    "one layer": "theory --depth 1",
    "widths": "theory --width 64,32,16 --init normal --weight-std 0.1",
    "with a diagram": f"{CHAOTIC} --phase-diagram",
    "a transformer": "theory --arch transformer --blocks 3 --model-width 24 --heads 2 --tokens 5",
    "a transformer with a diagram": "theory --arch transformer --blocks 1 --model-width 8 --heads 1 --tokens 3 "
    "--phase-diagram",
    "a recurrence": "theory --arch lstm",
}


@pytest.fixture(scope="module", autouse=True)
def predicted_once():
    """Whatever shows it, in whichever format and width: a network's theory is computed once."""
    predict, known = gradcheck.theory, {}

    @wraps(predict)
    def theory(**options):
        network = repr(sorted(options.items()))
        if network not in known:
            known[network] = predict(**options)
        return known[network]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gradcheck, "theory", theory)
        yield


@pytest.fixture
def said(printed, strictly):
    """A command line ↦ its JSON."""
    return lambda line: strictly(printed(f"{line} --json"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_json_is_strict_and_follows_its_schema(kind, said):
    document = said(KINDS[kind])
    jsonschema.Draft202012Validator(gradcheck.json_schema("theory")).validate(document)


def test_the_schema_is_a_schema_and_the_command_prints_it(printed, strictly):
    schema = strictly(printed("schema theory"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema == gradcheck.json_schema("theory")


def test_the_json_is_what_the_function_returns(said):
    report = gradcheck.theory(activation="tanh", init="lecun", gain=1.5, bias_std=0.2)
    assert said(CHAOTIC) == report.to_dict()


def test_every_null_of_the_fixed_point_and_the_network_has_a_reason(said):
    for kind in KINDS:
        document = said(KINDS[kind])
        reasons = document["reasons"]
        for name, value in document["fixed_point"].items():
            assert value is not None or name in reasons or "fixed_point" in reasons, kind
        assert document["layers"] or "layers" in reasons, kind
        known = document["network"]["log10_gradient_ratio"]
        assert known is not None or "network" in reasons, kind


def test_the_command_and_the_function_have_the_same_parameters():
    ours, theirs = (inspect.signature(one).parameters for one in (theory, gradcheck.theory))
    assert {name: one.default for name, one in ours.items() if name not in (*SHOWING, "call")} == {
        name: one.default for name, one in theirs.items()
    }


def test_the_answer_comes_first(printed, said):
    for kind in ("ordered", "chaotic", "critical", "unbounded"):
        head, blank, verdict, *_ = printed(KINDS[kind]).splitlines()
        assert blank == "", kind
        assert said(KINDS[kind])["fixed_point"]["phase"].upper() in verdict, kind
        assert "the gradient" in verdict, kind
        assert "layers of 128" in head, kind


def test_the_text_says_how_deep_and_what_gain(printed):
    text = " ".join(printed(CHAOTIC).split())
    assert "how the inputs relate is lost after about 87 layers (6 ξ_c, a rule found" in text
    assert "critical at σ_w = 1.304, that is --gain 1.304" in text
    assert "χ₁ = 1.101" in text


def measuring(text):
    """Return the command that measures the network, of those to type next."""
    (command,) = (line.strip() for line in text.splitlines() if line.startswith("  gradcheck simulate"))
    return command


def test_a_verdict_has_a_command_that_explains_it(printed, gradcheck):
    for kind in KINDS:
        line = printed(KINDS[kind]).splitlines()[-1].strip().removeprefix("gradcheck ")
        ended = gradcheck(line, *["--no-suggest"] * line.startswith("simulate"))  # cures explain nothing
        assert (ended.returncode, ended.stderr) == (0, ""), kind


def test_growing_says_what_it_means_for_training_and_from_where_on_it_is_called_exploding(printed):
    within = " ".join(printed("theory --arch transformer --blocks 24", COLUMNS="140").split())
    assert "small enough to train: growing is called exploding above 2.3 decades" in within
    beyond = " ".join(printed("theory --activation relu --init he --residual", COLUMNS="140").split())
    assert "above 2.3 decades SGD mostly fails, and simulate calls it exploding" in beyond


def test_growing_is_green_within_the_limit_and_red_beyond_it():
    within = gradcheck.theory(arch="transformer", blocks=24)
    beyond = gradcheck.theory(activation="relu", init="he", residual=True)
    assert (label(within), colour(within)) == ("growing", "green")
    assert (label(beyond), colour(beyond)) == ("growing", "red")


def test_the_gain_that_is_called_critical_is(printed, said):
    command = measuring(printed(CHAOTIC))
    assert command.startswith("gradcheck simulate --activation tanh --init lecun --gain 1.30415 --bias-std 0.2")
    critical = said(command.removeprefix("gradcheck ").replace("simulate", "theory"))
    assert critical["fixed_point"]["chi"] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_to_type_next_is_one_that_simulate_takes(kind, printed, typed):
    Experiment.from_options(typed(measuring(printed(KINDS[kind]))))


def test_the_text_fits_its_page(printed):
    for kind in ("chaotic", "residual", "with a diagram", "a transformer", "a transformer with a diagram"):
        for width in (20, 40, 80, 140):
            _, *lines = printed(KINDS[kind], COLUMNS=str(width)).splitlines()
            lines = [line for line in lines if not line.startswith("  gradcheck ")]  # which are to be copied
            assert max(map(len, lines)) <= max(width, 38), (width, kind)


def test_a_terminal_without_such_characters_gets_ascii(printed):
    for kind in KINDS:
        text = printed(KINDS[kind], LANG="C", PYTHONIOENCODING="ascii")
        assert text.isascii(), kind
        assert "?" not in text, kind


def test_networks_at_one_place_share_a_mark_and_every_mark_stays_with_its_name(printed):
    text = printed("theory --arch transformer --blocks 1 --model-width 64 --heads 1 --tokens 3 --phase-diagram")
    plane, legend = text.partition("scale of a branch")[2].split("std of scores 20\n")
    *named, last = re.findall(r"([A-Z]) [\w, -]+?(?=  |\n)", legend)
    assert {*named, last} == {one for one in plane if one.isupper()}
    assert "◆ this network, vit-b, transformer-base  A gpt2" in legend


def test_colours_follow_the_terminal(terminal, printed):
    ended = terminal(CHAOTIC)
    assert "\033[7;31m CHAOTIC \033[0m" in ended.shown
    assert re.sub("\033\\[[0-9;]*m", "", ended.shown) == printed(CHAOTIC)
    assert "\033" not in terminal(CHAOTIC, NO_COLOR="1").shown
    assert "\033" not in terminal(CHAOTIC, TERM="dumb").shown
    assert "\033" in printed(CHAOTIC, FORCE_COLOR="1")


def test_csv_has_a_line_for_each_layer(printed, said):
    rows = list(csv.DictReader(io.StringIO(printed(f"{CHAOTIC} --format csv"))))
    layers = said(CHAOTIC)["layers"]
    assert len(rows) == len(layers) == 50
    assert float(rows[3]["log10_gradient_ratio"]) == layers[3]["log10_gradient_ratio"]
    assert rows[-1]["log10_local_gain"] == ""


def test_csv_of_a_diagram_has_a_line_for_each_point(printed, said):
    rows = list(csv.DictReader(io.StringIO(printed(f"{KINDS['with a diagram']} --format csv"))))
    plane = said(KINDS["with a diagram"])["phase_diagram"]
    assert len(rows) == len(plane["sigma_w"]) * len(plane["sigma_b"])
    assert float(rows[0]["chi"]) == plane["chi"][0][0]


def test_markdown_names_the_phase_first_and_has_every_quantity(printed):
    first, *rest = printed(f"{CHAOTIC} --format markdown").splitlines()
    assert first.startswith("**chaotic** - tanh")
    assert {"chi", "correlation_depth", "critical_gain"} <= {
        line.split(" ")[1] for line in rest if line.startswith("| ")
    }


def test_the_diagram_has_the_network_s_own_point_on_its_side_of_the_line(printed):
    rows = [line for line in printed(KINDS["with a diagram"]).splitlines() if "░" in line and "ordered" not in line]
    (own,) = (line for line in rows if "◆" in line)
    assert own.index("█") < own.index("◆")
    assert all(line.index("·") < line.index("█") < line.index("░") for line in rows)


def test_the_result_goes_to_a_file_instead(gradcheck, printed, tmp_path):
    ended = gradcheck(f"{CHAOTIC} --output theory.txt", cwd=tmp_path, COLUMNS="140", FORCE_COLOR="1")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert (tmp_path / "theory.txt").read_text() == printed(CHAOTIC, COLUMNS="80")


def test_quiet_shows_nothing(gradcheck):
    ended = gradcheck("theory --quiet")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("--weight-std 0.1", "--weight-std goes with --init normal, uniform, truncated_normal or trunc_normal only"),
        ("--init normal", "--init normal needs --weight-std, the standard deviation (0.05, say)"),
        ("--activation rel", "--activation 'rel' is unknown; did you mean 'relu'? allowed: linear, step,"),
        ("--residual --phase-diagram", "--phase-diagram has no plane to draw: the variance of a residual stream"),
        ("--norm batch --phase-diagram --activation relu", "--phase-diagram has no plane to draw: --norm batch"),
        ("--width 64,32 --init normal --weight-std 0.1 --phase-diagram", "--phase-diagram has no plane to draw: with"),
        ("--depth 0", "--depth 0 is not a whole number of at least 1"),
        ("--batch-size 0", "--batch-size 0 is not a whole number of at least 1"),
        ("--gain nan", "--gain nan is not a finite number above 0"),
        ("--width 12,x", "--width '12,x' is not a whole number"),
        ("--format jsonl", "--format 'jsonl' is unknown"),
        ("--format csv --json", "--json is short for --format json"),
        ("--output no/such/folder.txt", "no/such/folder.txt: can't be written"),
        ("--arch rn", "--arch 'rn' is unknown; did you mean 'rnn'"),
        ("--blocks 3", "--blocks 3 goes with --arch transformer"),
        ("--arch lstm --phase-diagram", "--phase-diagram has no plane to draw: a recurrent network is followed step"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(options, problem, gradcheck, tmp_path):
    ended = gradcheck(f"theory {options}", cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith(f"error: {problem}")
    assert list(tmp_path.iterdir()) == []


def test_where_six_correlation_depths_are_fewer_than_ten_layers_no_depth_is_named(printed):
    assert "6 ξ_c" not in printed("theory")


def test_the_scale_of_a_sparkline_has_no_minus_before_a_zero(printed):
    assert "log10 0.0 … 0.9, predicted" in printed("theory --preset gpt2")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--activation linear --init lecun --gain 1.05", "small enough to train: growing is called exploding above"),
        ("--activation linear --init lecun --gain 1.3", "too far apart for training"),
        ("--activation sigmoid", "simulate calls it vanishing"),
    ],
)
def test_whether_a_gradient_off_the_edge_of_chaos_is_small_enough_to_train_is_said(printed, line, said):
    assert said in " ".join(printed(f"theory {line}").split())


def test_decades_that_are_not_those_of_the_fixed_point_are_explained(printed):
    why = "the first layers, where the signal hasn't settled, differ from the others"
    assert why in " ".join(printed("theory --activation tanh --init lecun --gain 2").split())
    assert why not in " ".join(printed("theory --activation linear --init lecun --gain 1.1").split())


def test_a_gradient_of_good_size_is_no_praise_where_tokens_can_not_be_told_apart(printed):
    alike = printed("theory --arch transformer --norm-placement post --activation relu --init he --blocks 24")
    assert "they can't be told apart" in " ".join(alike.split())
    assert "small enough to train" not in alike
