"""The fixture ``gradcheck`` in real runs of pytest."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gradcheck

ROOT = Path(gradcheck.__file__).parents[1]

#: The plugin as pytest finds it where the package is installed: an entry point of a distribution on the path.
ENTRY_POINTS = "[pytest11]\ngradcheck = gradcheck.pytest_plugin\n"

MODELS = """
import pytest, torch
from torch import nn

def model(activation, gain=1.0, depth=12):
    torch.manual_seed(0)
    layers = [part for _ in range(depth) for part in (nn.Linear(16, 16), activation())]
    for layer in layers[::2]:
        nn.init.xavier_normal_(layer.weight, gain)
    return nn.Sequential(*layers, nn.Linear(16, 3))

batch = torch.randn(32, 16, generator=torch.Generator().manual_seed(0))
"""

#: What passes, for options of the assertion.
OPTIONS = """
def test_allowed_verdicts_pass(gradcheck):
    report = gradcheck.assert_healthy(model(nn.Sigmoid), batch, allow=("vanishing", "collapsed"))
    assert report.verdict.status == "vanishing"

def test_one_allowed_verdict_needs_no_tuple(gradcheck):
    gradcheck.assert_healthy(model(nn.Sigmoid), batch, allow="vanishing")

def test_other_verdicts_do_not(gradcheck):
    with pytest.raises(AssertionError, match="is vanishing"):
        gradcheck.assert_healthy(model(nn.Sigmoid), batch, allow="exploding")

def test_limits(gradcheck):
    with pytest.raises(AssertionError, match="is vanishing|is exploding"):
        gradcheck.assert_healthy(model(nn.Tanh), batch, max_span=1e-6)

def test_the_loss(gradcheck):
    seen = []
    def loss(output, targets):
        seen.append(output.shape)
        return output.square().mean()
    gradcheck.assert_healthy(model(nn.Tanh), (batch, torch.zeros(32, 3)), loss)
    assert seen

def test_a_verdict_that_there_is_not(gradcheck):
    with pytest.raises(ValueError, match="allow='vanished' is unknown; did you mean 'vanishing'"):
        gradcheck.assert_healthy(model(nn.Tanh), batch, allow="vanished")

def test_the_model_is_left_as_it_was(gradcheck):
    one = model(nn.Tanh).eval()
    before = [weight.clone() for weight in one.parameters()]
    gradcheck.assert_healthy(one, batch, steps=2)
    assert all(map(torch.equal, before, one.parameters()))
    assert not one.training
    assert all(weight.grad is None for weight in one.parameters())
"""

FAILS_IF_TORCH_IS_IMPORTED = """
import sys
from importlib.machinery import PathFinder

class Without:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name=name)

import importlib.util
_find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torch" else _find_spec(name, package)
sys.meta_path.insert(0, Without)
"""


def site_of(folder):
    """Make the package look installed in a folder of this one."""
    about = folder / "site" / "gradcheck-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gradcheck\nVersion: 0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    return about.parent


def run_pytest(folder, site, text, *options, conftest=""):
    """What pytest prints of a test file, with every warning an error."""
    folder = folder / "project"
    folder.mkdir(exist_ok=True)
    (folder / "test_it.py").write_text(text)
    (folder / "conftest.py").write_text(conftest)
    environment = os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}", "NO_COLOR": "1", "COLUMNS": "140"}
    environment.pop("PYTEST_ADDOPTS", None)
    line = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", f"--rootdir={folder}"]
    line += ["-o", "addopts=", *options]
    for other in ("hypothesispytest", "xdist", "xdist.looponfail", "jaxtyping"):
        line += ["-p", f"no:{other}"]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


def test_the_fixture_is_listed_with_what_it_is_for(tmp_path):
    said = run_pytest(tmp_path, site_of(tmp_path), "", "--fixtures")
    assert "gradcheck [session scope]" in said
    assert "Gradients of PyTorch models: gradcheck.assert_healthy(model, batch)" in said


def test_until_it_is_used_nothing_heavy_is_loaded_and_without_torch_it_says_in_one_line_what_to_install(tmp_path):
    text = """
import sys
def test_what_is_loaded():
    assert "gradcheck.pytest_plugin" in sys.modules
    heavy = {"numpy", "torch", "rich", "typer", "gradcheck.torch.health", "gradcheck.diagnosis.report"}
    assert not heavy & set(sys.modules)

def test_it(gradcheck): pass
"""
    said = run_pytest(tmp_path, site_of(tmp_path), text, conftest=FAILS_IF_TORCH_IS_IMPORTED)
    assert "1 passed, 1 error" in said
    assert "gradcheck.torch: needs PyTorch; install it with: pip install torch" in said
    assert "Traceback" not in said
    assert "pytest_plugin.py" not in said


@pytest.fixture(scope="module")
def of_models(tmp_path_factory):
    """What pytest prints of a healthy model, a sick one, one that cannot be run, and options; and of each failure."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("models")
    said = run_pytest(
        folder,
        site_of(folder),
        f"""{MODELS}
def test_healthy(gradcheck):
    report = gradcheck.assert_healthy(model(nn.Tanh), batch)
    assert report.verdict.status == "healthy"

def test_sick(gradcheck):
    gradcheck.assert_healthy(model(nn.Sigmoid), batch)

def test_shape(gradcheck):
    gradcheck.assert_healthy(model(nn.Tanh), batch[:, :3])
{OPTIONS}""",
    )
    _, sick, shape = re.split("_{5,} test_(?:sick|shape) _{5,}", said)
    return said, sick, shape


def test_a_healthy_model_passes_and_a_sick_one_fails_with_its_layers(of_models):
    said, sick, _ = of_models
    assert "2 failed, " in said
    assert "::test_healthy" not in said
    assert ">       gradcheck.assert_healthy(model(nn.Sigmoid), batch)" in sick.replace(
        ">   gradcheck", ">       gradcheck"
    )
    assert "AssertionError: Sequential is vanishing: " in sick
    rows = [line.split() for line in sick.splitlines() if line.startswith("E     ") and "vanishing  " in line]
    assert [row[1] for row in rows][:3] == ["0", "2", "4"]
    assert "health.py" not in sick


def test_a_model_that_cannot_be_run_is_reported_without_the_insides_of_the_probe(of_models):
    *_, shape = of_models
    assert "GradcheckError: 0 (Linear) was given 32x3 and wants" in shape
    assert "mat1 and mat2 shapes cannot be multiplied" in shape
    after = shape.rpartition("The above exception was the direct cause")[2]
    assert "health.py" not in after
    assert "passing.py" not in after


def test_options_of_the_assertion_reach_the_diagnosis(of_models):
    said, *_ = of_models
    assert f"2 failed, {1 + OPTIONS.count('def test_')} passed" in said
    assert re.findall(r"^FAILED test_it.py::(\w+)", said, re.MULTILINE) == ["test_sick", "test_shape"]
