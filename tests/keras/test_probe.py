"""``gradcheck.keras.probe`` on PyTorch, JAX and TensorFlow: the numbers of PyTorch's own probe, nothing left behind."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from runpy import run_path

import pytest

pytest.importorskip("torch")
if importlib.util.find_spec("keras") is None:
    pytest.skip("could not find 'keras'", allow_module_level=True)

#: A backend that is large, and tried where it is there.
TENSORFLOW = ["tensorflow"] if importlib.util.find_spec("tensorflow") else []

#: What is asked of the models on every backend.
OF_EACH_BACKEND = ("same_numbers", "untouched")

#: Runs the command lines, one an argument: a document and an error of each, and how it ended.
COMMANDS = """
import json, sys
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from gradcheck.cli import run

def written(stream):
    stream.flush()
    return stream.buffer.getvalue().decode()

ended = []
for line in sys.argv[1:]:
    sys.argv = ["gradcheck", *line.split()]
    streams = [TextIOWrapper(BytesIO(), "utf-8") for _ in range(2)]
    with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
        try:
            code = run()
        except SystemExit as left:
            code = left.code or 0
    ended.append((code, *map(written, streams)))
print(json.dumps(ended))
"""

HERE = Path(__file__).parent
SHARED = run_path(str(HERE.parent / "probing/perceptron.py"))


def asked(backend, *names):
    """What the probed models told; in a process of its own, where the backend is chosen."""
    command = [sys.executable, "-W", "ignore", str(HERE / "probed_models.py"), *names]
    environment = os.environ | {"KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def more():
    """What all of them told on PyTorch."""
    return asked("torch", *OF_EACH_BACKEND, "losses", "kinds", "own_classes", "several", "faults", "warned")


@pytest.fixture(params=["torch", "jax", *TENSORFLOW], scope="module")
def told(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.getfixturevalue("more") if request.param == "torch" else asked(request.param, *OF_EACH_BACKEND)


@pytest.mark.parametrize("name", ["relu", "tanh", "apart"])
def test_every_number_of_a_perceptron_is_that_of_pytorch(name, told, record_error):
    report = SHARED["torch_report"]("tanh" if name == "tanh" else "relu").to_dict()
    difference = SHARED["largest_difference"](told["same_numbers"][name], report)
    record_error("Keras and PyTorch", difference)
    assert difference < 1e-9


def test_every_number_of_a_residual_network_of_convolutions_is_that_of_pytorch(told):
    report = run_path(str(HERE / "pictures.py"))["torch_report"]().to_dict()
    assert SHARED["largest_difference"](told["same_numbers"]["pictures"], report) < 1e-9


def test_a_loss_is_the_same_however_it_is_given(more):
    values = {round(loss, 12) for loss, _ in more["losses"].values()}
    assert len(values) == 1
    assert {name for name, (_, constant) in more["losses"].items() if constant is None} == {"callable"}


def test_the_model_is_left_as_it_was(told):
    assert told["untouched"]["same"]
    assert told["untouched"]["repeated"]
    assert told["untouched"]["learns"]
    assert len(told["untouched"]["frozen"]) == 2


def test_layers_are_told_apart_by_kind_and_queries_and_keys_by_the_softmax_that_follows(more):
    kinds = more["kinds"]
    assert {name.rpartition("/")[2] for name, kind in kinds.items() if "scores" in kind} == {"query", "key"}
    assert {name for name, kind in kinds.items() if kind == "recurrence"} == {
        name for name in kinds if name.startswith("bidirectional/")
    }
    assert kinds["embedding"] == "embedding"
    assert kinds["inside/one"] == "linear over positions"


def test_an_activation_between_layers_is_seen_and_what_can_not_be_seen_is_said(more):
    assert more["own_classes"]["dead"][0] is not None
    assert more["own_classes"]["said"].startswith("not looked at in a model of Keras")
    assert more["own_classes"]["opaque"] is None or "surroundings" in more["own_classes"]["opaque"]


def test_several_inputs_and_outputs_and_mixed_precision_are_probed(more):
    assert more["several"] == {"both": "healthy", "loss": "mse + binary_crossentropy", "mixed": "healthy"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("frozen", "nothing to train: all 10 of its weights are frozen; set layer.trainable = True"),
        ("no model", "list is not a keras.Model"),
        ("four parts", "is a tuple of 4: give (inputs, targets, sample_weight), several inputs as a list"),
        ("mode", "did you mean 'train'?"),
        ("loss", "neither cross-entropy, mean-square nor a loss of Keras"),
        ("shape", "expected axis -1"),
        ("loss of pictures", "leave out the softmax and say from_logits=True"),
    ],
)
def test_an_error_says_what_would_be_right(name, said, more):
    assert said in more["faults"][name]
    assert "\n" not in more["faults"][name]


def test_ill_models_are_named(more):
    faults = more["faults"]
    assert faults["nan"]["status"] == "nonfinite"
    assert [one["code"] for one in faults["nan"]["causes"]][:3] == ["forward-nan", "stand-in-loss", "weights-nonfinite"]
    assert (faults["dead"], faults["deep"]) == ("dead", "vanishing")
    assert faults["alike"][0] == "inputs-alike"
    assert faults["one example"][0] == "norm-of-one"


def test_nothing_is_warned_of(more):
    assert more["warned"] == []


def test_pictures_of_probabilities_have_a_gradient_by_the_loss_that_is_chosen_for_them(more):
    assert more["faults"]["pictures"] == "healthy"


if TENSORFLOW:

    def test_layers_within_a_compiled_function_are_measured():
        wrapped, plain = asked("tensorflow", "compiled")["compiled"]
        assert wrapped == plain


def test_the_command_line_takes_keras_models_and_knows_whose_a_model_is(tmp_path):
    (tmp_path / "models.py").write_text(
        "import keras\n\n\ndef build():\n    parts = keras.layers.Dense(16, 'relu'), keras.layers.Dense(4)\n"
        "    return keras.Sequential([keras.Input((8,)), *parts])\n"
    )

    words = ("--framework keras --input 16x8", "--input 16x8", "--framework keras --steps 3", "--framework keras")
    command = [sys.executable, "-c", COMMANDS, *(f"probe models:build {one}" for one in words)]
    environment = os.environ | {"KERAS_BACKEND": "torch", "PYTHONPATH": str(HERE.parents[1]), "COLUMNS": "100"}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    (code, document, said), *refused = json.loads(ended.stdout)
    assert (code, said) == (0, "")
    assert "keras on torch" in document
    assert "gradcheck probe models:build --input=16x8 --framework keras --fail-on any" in document
    assert [(code, document) for code, document, _ in refused] == [(2, "")] * 3
    for (*_, said), problem in zip(
        refused, ("say --framework keras", "--steps is for PyTorch models alone", "--input 8x8"), strict=True
    ):
        assert problem in said


@pytest.mark.slow
def test_published_models_are_healthy():
    script = HERE.parents[1] / "benchmarks/keras_models.py"
    names = ["MobileNetV2", "DenseNet121", "text transformer", "vision transformer", "bidirectional LSTM", "siamese"]
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    command = [sys.executable, "-W", "ignore", str(script), *names]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == f"0 of {len(names)} accused"
