"""What Keras computes with: chosen where nobody has, and what is said where it can't be loaded."""

import json
import os

import pytest

from gradcheck.probing.backends import backend_error, choose_backend
from gradcheck.probing.user_errors import error_line

#: The module that loads a backend, in place of Keras's.
LOADING = {"__name__": "keras.src.backend"}


@pytest.fixture
def jax_alone(monkeypatch, tmp_path):
    """JAX is installed, no other backend, and Keras's own file is in this folder."""
    monkeypatch.setattr("gradcheck.probing.backends.find_spec", lambda name: name if name == "jax" else None)
    monkeypatch.setattr("os.environ", {"KERAS_HOME": str(tmp_path)})
    return tmp_path


def raised(error, module=None):
    """An error as it leaves a module."""
    try:
        exec("raise error", {**(module or LOADING), "error": error})
    except Exception as found:
        return found


def missing(name):
    return ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.parametrize(
    ("file", "chosen"), [(None, "jax"), ("tensorflow", "jax"), ("torch", "jax"), ("jax", None), ("numpy", None)]
)
def test_keras_computes_with_what_is_installed_unless_its_file_names_that(file, chosen, jax_alone):
    if file is not None:
        (jax_alone / "keras.json").write_text(json.dumps({"backend": file}))
    choose_backend()
    assert os.environ.get("KERAS_BACKEND") == chosen


def test_a_backend_that_is_not_installed_is_named_with_what_is(jax_alone):
    (jax_alone / "keras.json").write_text('{"backend": "tensorflow"}')
    said = error_line(raised(missing("tensorflow")))
    assert said.startswith("Keras is to compute with tensorflow (")
    assert "keras.json says so" in said
    assert said.endswith("which isn't installed: set KERAS_BACKEND=jax")


def test_without_any_backend_all_that_there_are_are_named(jax_alone, monkeypatch):
    monkeypatch.setattr("gradcheck.probing.backends.find_spec", lambda name: None)
    assert "pip install one of torch, jax and tensorflow" in backend_error(raised(missing("tensorflow")))


@pytest.mark.parametrize("error", [missing("openvino"), ValueError("Unable to import backend : openvino")])
def test_a_backend_without_derivatives_is_refused_in_words(error, jax_alone):
    os.environ["KERAS_BACKEND"] = "openvino"
    assert "openvino (KERAS_BACKEND says so), which has no derivatives" in backend_error(raised(error))


def test_other_errors_are_left_as_they_are(jax_alone):
    assert backend_error(raised(missing("h5py"))) == ""
    assert backend_error(raised(missing("tensorflow"), {"__name__": "users"})) == ""
