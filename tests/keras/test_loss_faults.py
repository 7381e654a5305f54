"""Faults between a Keras model's output and its loss, with Keras' own losses, in a process of their own."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

if importlib.util.find_spec("keras") is None or importlib.util.find_spec("torch") is None:
    pytest.skip("could not find 'keras' with 'torch'", allow_module_level=True)

EXPECTED = {
    "softmax twice": ["softmax-twice"],
    "sigmoid twice": ["sigmoid-twice"],
    "logits by name": ["not-probabilities"],
    "logits, two classes": ["not-probabilities"],
    "one unit": ["softmax-of-one"],
    "over the batch": ["softmax-over-batch"],
    "subclass": ["broadcast"],
    "function": [],  # Keras aligns what a function gets
    "ignored label": [],
    "right": [],
    "right by logits": [],
    "one-hot": "sparse_categorical_crossentropy takes one number for each example, and the targets are 3 for each: "
    "take categorical_crossentropy, or targets.argmax(-1)",
    "from 1": "the targets are 1 to 3, and the output has classes 0 to 2: number them from 0",
    "from 1 by default": "the targets are 1 to 3, and the output has classes 0 to 2: number them from 0",
    "one of two": ["softmax-twice"],
    "both right": [],
    "compiled by name": ["softmax-twice"],
    "not finite": ["loss-nonfinite"],
}


@pytest.fixture(scope="module")
def found():
    script = Path(__file__).with_name("faulty_losses.py")
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    ended = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_wrong_between_output_and_loss_is_named_and_nothing_else(found, name):
    assert found[name] == EXPECTED[name]
