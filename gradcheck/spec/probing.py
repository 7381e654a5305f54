"""What a user's own model can be probed with: the choices by name, known before PyTorch is loaded."""

import json
from ast import literal_eval
from collections.abc import Iterable
from typing import Any

from gradcheck.errors import OptionError

#: What a model can be made with.
FRAMEWORKS = ("torch", "keras", "flax", "equinox")

#: The modes of a model.
MODES = ("train", "eval")

#: Losses by name.
LOSSES = ("cross-entropy", "mean-square")

#: Autocast's arithmetics ↦ log2 of the loss scale: the one that PyTorch's GradScaler starts with; bfloat16 needs none.
LOSS_SCALES = {"fp16": 16, "bf16": 0}

#: What takes the steps.
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw", "rmsprop")


def parse_optimizer_options(words: Iterable[str]) -> dict[str, Any]:
    """Return options of an optimizer that are typed as ``NAME=VALUE``: ``eps=1e-4``, ``betas=0.9,0.95``.

    Raises
    ------
    OptionError
        A word is no such pair, or its value neither a number, nor numbers, true, false or null.
    """
    return dict(map(_parse_pair, words))


def _parse_pair(word: str) -> tuple[str, Any]:
    name, equals, text = (part.strip() for part in word.partition("="))
    if not (equals and name.isidentifier() and text):
        raise OptionError("optimizer_option", f"{word!r} is not NAME=VALUE; write eps=1e-4")
    for read in (json.loads, literal_eval):
        try:
            return name, read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    problem = f"{word!r} has no value that can be read: a number, several (betas=0.9,0.95), true, false or null"
    raise OptionError("optimizer_option", problem)
