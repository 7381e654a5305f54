"""``gradcheck probe --framework flax|equinox``."""

import json

import pytest

pytest.importorskip("flax")
pytest.importorskip("equinox")

from gradcheck.cli import main

MODELS = """
import equinox, jax, numpy
from flax import linen, nnx
from jax import numpy as jnp

class Deep(linen.Module):
    depth: int = 3

    @linen.compact
    def __call__(self, x, train=False):
        print("runs")
        for _ in range(self.depth):
            x = linen.sigmoid(linen.Dense(8)(x))
        return linen.Dense(3)(x)

def build(size=4):
    return nnx.Sequential(nnx.Linear(size, 8, rngs=nnx.Rngs(0)), jnp.tanh, nnx.Linear(8, 3, rngs=nnx.Rngs(1)))

def perceptron():
    return equinox.nn.MLP(4, 3, 8, 2, key=jax.random.key(0))

def batch():
    return numpy.random.default_rng(0).standard_normal((6, 4)).astype("float32"), numpy.arange(6) % 3

def loss(output, targets):
    return jnp.mean(output[jnp.arange(len(targets)), targets])

def broken():
    raise ValueError("no weights today")
"""


@pytest.fixture
def probed(tmp_path, monkeypatch, capsys):
    """Words of the command line ↦ exit code, what is on stdout, what is on stderr."""
    (tmp_path / "jaxmodels.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(*words):
        monkeypatch.setattr("sys.argv", ["gradcheck", "probe", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    return run


def test_a_linen_module_is_initialised_and_what_it_prints_is_no_part_of_the_document(probed):
    code, out, _ = probed(
        "jaxmodels:Deep", "--framework", "flax", "--kwargs", '{"depth": 2}', "--input", "6x4", "--json"
    )
    report = json.loads(out)
    assert code == 0
    assert [layer["name"] for layer in report["layers"]] == ["Dense_0", "Dense_1"]
    assert report["config"]["framework"] == "flax"
    assert report["config"]["input"] == ["6x4"]


@pytest.mark.parametrize(("target", "framework"), [("build", "flax"), ("perceptron", "equinox")])
def test_a_batch_and_a_loss_are_the_users(probed, target, framework):
    words = ("--framework", framework, "--batch", "jaxmodels:batch", "--loss", "jaxmodels:loss", "--json")
    code, out, _ = probed(f"jaxmodels:{target}", *words)
    assert code == 0
    assert json.loads(out)["config"]["loss"] == "jaxmodels:loss"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("jaxmodels:perceptron", "--framework", "flax", "--input", "6x4"), "say --framework equinox"),
        (("jaxmodels:build", "--framework", "flax"), "--input"),
        (("jaxmodels:build", "--framework", "flax", "--input", "6x5"), "shape"),
        (("jaxmodels:broken", "--framework", "flax", "--input", "6x5"), "no weights today (jaxmodels.py, line"),
        (("jaxmodels:build", "--framework", "flax", "--input", "6x4", "--steps", "3"), "PyTorch"),
        (("jaxmodels:batch", "--framework", "flax", "--input", "6x4"), "returned tuple, not a model of flax"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(probed, words, says):
    code, out, err = probed(*words)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
