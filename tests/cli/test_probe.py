"""``gradcheck probe`` as its users meet it: their own module, from the folder it is in."""

import json
import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

import gradcheck as package
from gradcheck.cli.probe import _check_framework
from gradcheck.cli.simulate import fails
from gradcheck.diagnosis.ci import as_github
from gradcheck.diagnosis.formats import as_markdown
from gradcheck.render.numbers import significant
from gradcheck.spec.probing import LOSS_SCALES

torch = pytest.importorskip("torch")

FOLDER = Path(__file__).parents[1] / "torch"

DEEP = 'torch_models:mlp --input 64x32 --kwargs \'{"depth": 20, "gain": 0.5}\''

DOCUMENTS = {
    "probe_80.txt": (f"{DEEP}", {}),
    "probe_140.txt": (f"{DEEP}", {"COLUMNS": "140"}),
    "probe_40_ascii.txt": (f"{DEEP}", {"COLUMNS": "40", "LANG": "C", "PYTHONIOENCODING": "ascii"}),
    "probe_resnet.txt": ("torch_models:resnet --input 8x3x32x32", {"COLUMNS": "100"}),
    "probe_gate.md": ("torch_models:Gated --input 64x32 --format markdown", {}),
    "probe_steps.txt": ("torch_models:mlp --batch torch_models:batch --steps 20 --lr 5", {}),
    "probe_github.txt": (f"{DEEP} --format github", {}),
    "probe_junit.xml": ("torch_models:Gated --input 64x32 --format junit", {}),
}


@pytest.fixture(scope="module")
def probe(gradcheck):
    """Options ↦ how the command ended, in the models' folder."""
    return lambda line, *words, **variables: gradcheck(f"probe {line}", *words, cwd=FOLDER, **variables)


@pytest.fixture(scope="module")
def probed(probe):
    """Options ↦ the document, when the command succeeds and prints nothing else."""

    def run(line, **variables):
        ended = probe(line, **variables)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    return run


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_is_the_one_that_is_kept(name, probed, golden):
    line, variables = DOCUMENTS[name]
    golden(name, probed(line, **variables))


def test_every_kept_document_is_compared():
    kept = {path.name for path in (Path(__file__).with_name("golden")).glob("probe*")}
    assert kept == set(DOCUMENTS)


def test_text_without_colour_has_no_escape_sequence_and_fits(probed):
    shown = probed("torch_models:Transformer --input '8x24:int64<256'", NO_COLOR="1", FORCE_COLOR="1", COLUMNS="80")
    assert "\x1b" not in shown
    assert max(len(line) for line in shown.splitlines() if not line.startswith("  gradcheck")) <= 80


@pytest.mark.parametrize(
    "line",
    [
        "torch_models:Gated --input 64x32",
        "torch_models:mlp --input 64x32 --steps 2 --amp fp16",
        "torch_models:Unused --input 64x32 --mode eval --loss mean-square",
        "torch_models:mlp --kwargs '{\"gain\": 1e12}' --input 64x32",
        "torch_models:Transformer --input '8x24:int64<256' --seed 3",
    ],
)
def test_json_is_strict_and_validates_against_its_schema(line, probed, strictly):
    document = strictly(probed(f"{line} --json"))
    jsonschema.Draft202012Validator(package.json_schema("probe")).validate(document)
    assert document["command"] == "probe"


def test_the_schema_refuses_what_probe_never_says(probed, strictly):
    document = strictly(probed("torch_models:Gated --input 64x32 --json"))
    del document["model"]["unused"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(package.json_schema("probe")).validate(document)


@pytest.fixture(scope="module")
def rated(probe, strictly):
    """More options ↦ the document of a model whose rate is searched."""
    line = "torch_models:mlp --batch torch_models:batch --rate --optimizer adamw --json"
    return cache(lambda options: strictly(probe(f"{line} {options}").stdout))


def test_a_rate_is_said_beside_the_diagnosis_and_is_in_the_document(rated):
    report = rated("")
    assert report["learning_rate"]["low"] < report["learning_rate"]["best_rate"] < report["learning_rate"]["high"]
    assert report["verdict"]["causes"][-1]["code"] == "learning-rate"
    assert report["verdict"]["reasons"][-1].startswith("the best learning rate of AdamW is about")


def test_the_rate_that_was_found_is_in_the_next_command(probe, rated):
    text = probe("torch_models:mlp --batch torch_models:batch --rate --optimizer adamw").stdout
    best = significant(rated("")["learning_rate"]["best_rate"])
    last = text.rstrip().splitlines()[-1]
    assert last.endswith(f"probe torch_models:mlp --batch torch_models:batch --optimizer adamw --lr {best} --steps 50")


def test_a_rate_of_your_own_that_is_too_high_is_judged_beside_the_best(rated):
    report = rated("--lr 1000")
    said = report["verdict"]["reasons"][-1]
    assert report["learning_rate"]["status"] == "too-high"
    assert "; 1000 is above " in said
    assert said.count("training fails") == 1


def test_the_runs_of_a_rate_have_as_many_updates_as_are_asked_for(rated):
    usual, asked = (rated(options)["learning_rate"] for options in ("", "--rate-updates 200"))
    assert (usual["updates"], asked["updates"]) == (100, 200)
    assert asked["passes"] > 1.5 * usual["passes"]


def test_updates_of_runs_without_runs_are_refused(probe):
    result = probe("torch_models:mlp --batch torch_models:batch --rate-updates 12")
    assert (result.returncode, result.stdout) == (2, "")
    assert "add --rate, or drop it" in result.stderr


def test_fail_on_knows_what_only_a_model_can_have(probe):
    line = "torch_models:Unused --input 64x32 --format csv --fail-on"
    assert [probe(f"{line} {cause}").returncode for cause in ("no-gradient", "any", "dead")] == [1, 1, 0]


def test_a_softmax_twice_fails_where_it_is_asked_for_by_name_only():
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4), torch.nn.Softmax(-1))
    report = package.torch.probe(model, (torch.randn(16, 8), torch.arange(16) % 4), "cross-entropy")
    assert report.verdict.status == "healthy"
    assert [fails(report, [cause]) for cause in ("softmax-twice", "any", "sigmoid-twice")] == [True, False, False]
    assert fails(report, ["remarks"])
    assert fails(report, ["any", "softmax-twice"])
    assert "HEALTHY, BUT" in str(report)
    assert str(report).splitlines()[-1] == "  gradcheck explain softmax-twice"
    assert as_markdown(report).startswith("**healthy, but softmax-twice** - ")
    assert report.verdict.causes[0].code == "softmax-twice"


def test_parameters_that_no_gradient_reaches_fail_where_that_is_asked_for_by_name_only():
    class Pooled(torch.nn.Sequential):
        def forward(self, x):
            return self[0](x), self[1](x)

    model, batch = Pooled(torch.nn.Linear(8, 4), torch.nn.Linear(8, 4)), (torch.randn(16, 8), torch.arange(16) % 4)
    report = package.torch.probe(model, batch)
    assert [fails(report, [cause]) for cause in ("unused", "remarks", "doubts", "any")] == [True, False, False, False]
    assert "HEALTHY, BUT" not in str(report)
    model[1].requires_grad_(False)
    assert not fails(package.torch.probe(model, batch), ["unused"])


def test_a_frozen_body_fails_where_that_is_asked_for_by_name_only():
    body = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.ReLU())
    model = torch.nn.Sequential(body.requires_grad_(False), torch.nn.Linear(64, 4))
    report = package.torch.probe(model, (torch.randn(16, 8), torch.arange(16) % 4))
    asked = ("frozen-body", "remarks", "doubts", "any")
    assert [fails(report, [cause]) for cause in asked] == [True, False, False, False]


def test_whatever_makes_a_verdict_doubtful_fails_where_that_is_asked_for():
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
    torch.nn.init.normal_(model[2].weight, 0, 10)
    report = package.torch.probe(model, (torch.randn(16, 8), torch.arange(16) % 4))
    assert "HEALTHY, BUT" in str(report)
    assert [fails(report, [cause]) for cause in ("doubts", "remarks", "any")] == [True, False, False]
    assert as_github(report).startswith("::warning title=gradcheck healthy%2C but::")
    torch.nn.init.normal_(model[2].weight, 0, 0.3)
    assert not fails(package.torch.probe(model, (torch.randn(16, 8), torch.arange(16) % 4)), ["doubts"])


def test_csv_has_a_line_for_each_layer(probed):
    header, *lines = probed("torch_models:vgg --input 8x3x32x32 --format csv").splitlines()
    assert header.startswith("index,name,kind,fan_in,fan_out,")
    assert len(lines) == 17


def test_junit_is_xml_with_a_failure_for_each_flagged_layer(probed):
    suite = ElementTree.fromstring(probed(f"{DEEP} --format junit"))[0]
    failed = [case.get("name") for case in suite if len(case)]
    assert failed[0] == "verdict"
    assert int(suite.get("failures")) == len(failed) == 10
    assert int(suite.get("tests")) == len(suite) == 21


def test_many_regions_have_ten_annotations_at_most():
    report = package.simulate(depth=8)
    lines = as_github(replace(report, regions=report.regions * 12)).splitlines()
    assert len(report.regions) > 0
    assert len(lines) == 10
    assert all(line.startswith("::error title=gradcheck") for line in lines)


def test_a_command_that_the_text_recommends_runs(probe):
    shown = probe("torch_models:Transformer --input '8x24:int64<256' --kwargs '{\"blocks\": 1}'").stdout
    (command,) = re.findall(r"^  gradcheck probe (.*)$", shown, flags=re.MULTILINE)
    ended = probe(f"{command.replace('--steps 50', '--steps 1')} --json")
    assert (ended.returncode, json.loads(ended.stdout)["config"]["steps"]) == (0, 1)


def test_an_own_optimizer_with_options_is_typed_again_in_the_command(project):
    source = f"{MODEL}import torch\ndef sgd(own, lr, momentum=0.0): return torch.optim.SGD(own, lr, momentum)\n"
    line = "own:model --input 8x4 --steps 3 --optimizer own:sgd --optimizer-option lr=1e-2 --warmup 2 --clip norm:1"
    report = json.loads(project(source, f"{line} --json").stdout)
    assert report["config"]["optimizer_options"] == {"lr": 0.01}
    shown = project(source, line).stdout
    assert "3 steps of own:sgd, lr 0.01, warm-up 2, clip norm:1" in " ".join(shown.split())
    again = "--optimizer-option=lr=0.01 --optimizer own:sgd --warmup 2 --clip norm:1 --steps 3"
    assert f"gradcheck probe own:model --input=8x4 {again}" in shown


@pytest.mark.parametrize(("cause", "code"), [("vanishing", 1), ("any", 1), ("exploding", 0)])
def test_fail_on_decides_the_exit_code(cause, code, probe):
    ended = probe(f"{DEEP} --quiet --fail-on {cause}")
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "")


def test_the_limits_decide_the_verdict(probed, strictly):
    verdict = strictly(probed("torch_models:mlp --input 64x32 --max-span 0.01 --json"))["verdict"]
    assert verdict["status"] in ("vanishing", "exploding")


def test_the_document_goes_to_a_file(probe, tmp_path):
    ended = probe(f"torch_models:Gated --input 64x32 --format junit --output {tmp_path / 'report.xml'}")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert (tmp_path / "report.xml").read_text().startswith("<?xml")


# ---- the user's own code


@pytest.fixture
def project(tmp_path, gradcheck):
    """Source of a module `own` and options ↦ how the command ended in its folder."""

    def run(source, line):
        (tmp_path / "own.py").write_text(source)
        return gradcheck(f"probe {line}", cwd=tmp_path)

    return run


MAKER = "def make(width, deep=2): return None\n"
MODEL = "from torch import nn\nmodel = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))\n"


def test_what_the_user_s_code_prints_goes_to_stderr(project):
    ended = project(f"print('loading')\n{MODEL}", "own:model --input 8x4 --json")
    assert json.loads(ended.stdout)["config"]["target"] == "own:model"
    assert ended.stderr == "loading\n"


def test_a_file_below_the_current_folder_stands_for_its_module(project):
    named, of_file = (project(MODEL, f"{target}:model --input 8x4 --json") for target in ("own", "own.py"))
    assert of_file.returncode == 0
    assert json.loads(of_file.stdout)["layers"] == json.loads(named.stdout)["layers"]


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        (MODEL, "own:modle --input 8x4", "own has no 'modle'; did you mean 'model'?"),
        (MODEL, "other.py:model --input 8x4", "is not module:attribute; write other:model"),
        (MODEL, "own --input 8x4", "is not module:attribute; write own:build"),
        (MODEL, "own.model --input 8x4", "write own:model, or own.model:build of a module own.model, from"),
        (MODEL, "../my-code/own:model", "is not module:attribute; write own:model, from the folder it is in"),
        (MODEL, "own.pt", "TARGET 'own.pt' holds weights and no code: give a function that builds the model and loads"),
        (MODEL, "curve.png", "TARGET 'curve.png' is a picture: give module:attribute of your code"),
        (
            MODEL,
            "own.ipynb",
            "TARGET 'own.ipynb' is a notebook: save its code as a .py file, and give module:attribute",
        ),
        (MODEL, "own.pt:model --input 8x4", "no module 'own.pt' in"),
        (MODEL, "own:mo --input 8x4", "own has no 'mo'; did you mean 'model'?"),
        (f"{MODEL}{MAKER}", "own:Nope --input 8x4", "own has no 'Nope'; it has model, make\n"),
        (f"{MODEL}{MAKER}", "own:makes --input 8x4", "own has no 'makes'; did you mean 'make'? it has make, model\n"),
        (MODEL, "owned:model --input 8x4", "no module 'owned' in"),
        (MODEL, "owned:model --input 8x4", "nor installed; did you mean 'own'?"),
        (MODEL, "own:model", "--input is not given; by the model's first layer it could be --input 32x4"),
        (MODEL, "own:model --input 8x5", "0 (Linear) was given 8x5 and wants …x4"),
        (MODEL, "own:model --input 8y4", "'8y4' is not a shape: write 8x3x32x32"),
        (MODEL, "own:model --input 8x4:int64", "doesn't say how many kinds there are: write '8x4:int64<1000'"),
        (MODEL, "own:model --input 8x4:uint8", "doesn't say how many kinds there are: write '8x4:uint8<256'"),
        ("from torch import nn\nmodel = nn.Embedding(9, 2)\n", "own:model", "it could be --input '4x32:int64<9'"),
        (MAKER, "own:make --input 8x4", "--kwargs don't fit own:make(width, deep=2): missing a required argument"),
        (MAKER, "own:make --kwargs '{\"depth\": 2}' --input 8x4", "'width'; write '{\"depth\": 50}'"),
        (MODEL, "own:model --input '8x4:float32<5'", "bounds numbers that aren't whole"),
        (MODEL, "own:model --input 8x4 --kwargs {}x", "--kwargs is not JSON"),
        (MODEL, "own:model --input 8x4 --kwargs [1]", "--kwargs is list, not a JSON object"),
        (MODEL, "own:model --input 8x4 --kwargs '{\"a\": 1}'", "go to a callable, and own:model is a model already"),
        (MODEL, "own:model --input 8x4 --batch own:model", "--batch brings its own inputs: drop --input"),
        (MODEL, "own:model --input 8x4 --loss own:gone", "own has no 'gone'"),
        (MODEL, "own:model --input 8x4 --loss hinge", "--loss 'hinge' is unknown"),
        (MODEL, "own:model --input 8x4 --format xml", "--format 'xml' is unknown"),
        (MODEL, "own:model --input 8x4 --framework jax", "--framework 'jax' is unknown; did you mean 'flax'?"),
        (MODEL, "own:model --input 8x4 --steps x", "'x' is not a whole number"),
        (MODEL, "own:model --input 8x4 --steps 1 --optimizer-option eps", "--optimizer-option 'eps' is not NAME=VALUE"),
        (MODEL, "own:model --input 8x4 --steps 1 --optimizer-option eps=x", "'eps=x' has no value that can be read"),
        (MODEL, "own:model --input 8x4 --steps 1 --optimizer own:gone", "--optimizer 'own:gone': own has no 'gone'"),
        (MODEL, "own:model --input 8x4 --steps 1 --optimizer own:sgd --lr 1", "--lr is what own:sgd sets"),
        (MODEL, "own:model --input 8x4 --clip norm:1", "--clip is of the steps of training"),
        ("model = 3\n", "own:model --input 8x4", "is int: neither a torch.nn.Module nor callable"),
        ("def model(): return 3\n", "own:model --input 8x4", "returned int, not a torch.nn.Module"),
        (
            "def model(): raise ValueError('no\\nway')\n",
            "own:model --input 8x4",
            "failed: ValueError: no (own.py, line 1)",
        ),
        ("import missing_package\n", "own:model --input 8x4", "No module named 'missing_package' (own.py, line 1)"),
        ("def model(:\n", "own:model --input 8x4", "importing own failed: SyntaxError"),
        ("raise SystemExit(3)\n", "own:model --input 8x4", "importing own failed: SystemExit: 3"),
        (
            f"{MODEL}def batch(): return 1 / 0\n",
            "own:model --batch own:batch",
            "--batch own:batch failed: ZeroDivision",
        ),
    ],
)
def test_what_is_wrong_is_reported_in_one_line(source, line, message, project):
    ended = project(source, line)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.fullmatch(r"error: [^\n]+\n", ended.stderr)
    assert message in ended.stderr


def test_keras_computes_with_what_is_installed_even_where_no_framework_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("gradcheck.probing.backends.find_spec", lambda name: name if name in ("keras", "jax") else None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("os.environ", {"KERAS_HOME": str(tmp_path)})
    (tmp_path / "keras.json").write_text('{"backend": "tensorflow"}')
    _check_framework("torch", {}, ())  # before the target is imported, whose module may import Keras
    assert os.environ["KERAS_BACKEND"] == "jax"


def test_without_pytorch_one_line_says_what_to_install(python):
    program = "import sys; sys.modules['torch'] = None; from gradcheck.cli import main; main()"
    ended = python("-c", program, "probe", "own:model", "--input", "8x4")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: probe: needs PyTorch; install it with: pip install torch\n"


def test_without_pytorch_every_other_command_runs(python):
    program = "import sys; sys.modules['torch'] = None; from gradcheck.cli import main; main()"
    assert python("-c", program, "simulate", "--depth", "2", "--width", "4").returncode == 0
    assert python("-c", program, "probe", "--help").returncode == 0


def test_the_help_says_that_probe_runs_the_user_s_code(gradcheck):
    assert "this executes your own code" in " ".join(gradcheck("probe --help").stdout.split())


def test_every_arithmetic_that_is_offered_is_known():
    from gradcheck.torch.probing.half_precision import AMP

    assert AMP.keys() == LOSS_SCALES.keys()


# ---- a baseline of one's own model


def test_a_model_is_no_regression_of_its_own_report_and_another_gain_is(probe, tmp_path):
    old = tmp_path / "old.json"
    assert probe(f"{DEEP} -o", old).returncode == 0
    same = probe(f"{DEEP} --tolerance 0 --fail-on regression --baseline", old)
    assert (same.returncode, same.stderr) == (0, "")
    assert "NO REGRESSION" in same.stdout
    line = DEEP.replace("0.5", "0.6")
    moved = probe(f"{line} --fail-on regression --format github --baseline", old)
    assert moved.returncode == 1
    assert moved.stdout.startswith("::error title=gradcheck regression::")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tolerance", "1"], "--tolerance needs a report: --baseline OLD.json"),
        (["--fail-on", "regression"], "--fail-on regression needs a report: --baseline OLD.json"),
        (["--baseline", "nowhere.json"], "nowhere.json: can't be read"),
    ],
)
def test_half_of_a_baseline_is_one_line(options, words, probe):
    ended = probe(DEEP, *options)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert words in ended.stderr
