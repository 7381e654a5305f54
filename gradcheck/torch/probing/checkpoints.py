"""Checkpoints: what they throw away, and run once more in the backward pass, is kept while a model is probed.

That leaves one graph to measure, and changes no gradient: a re-entrant checkpoint passes one on if and only if one of
its inputs wants it, and so does what stands in for it here.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils import checkpoint

from gradcheck.torch.graph import nodes
from gradcheck.torch.layers import Layer
from gradcheck.torch.probing.hooks import Recording


class InputsMatterError(RuntimeError):
    """Whether the model's inputs want a gradient changes what it does: they have to be as the user gives them."""


@contextmanager
def checkpoints_opened(record: Recording, *, inputs_as_given: bool) -> Iterator[None]:
    """Run what is in checkpoints once, in the one graph; record the layers that re-entrant ones keep from a gradient.

    Raises
    ------
    InputsMatterError
        A re-entrant checkpoint runs, and the inputs are not as they were given.
    """

    def run_once(function: Callable[..., Any], preserve_rng_state: bool, *inputs: Any) -> Any:  # noqa: ANN401
        if not inputs_as_given:
            raise InputsMatterError("a re-entrant checkpoint")
        graded = torch.is_grad_enabled()
        wanted = any(isinstance(one, Tensor) and one.requires_grad for one in inputs)
        before = len(record.ungraded)
        with torch.set_grad_enabled(graded and wanted):
            output = function(*inputs)
        record.starved.extend(record.ungraded[before:] if graded and not wanted else ())
        return output

    with (
        patch.object(checkpoint.CheckpointFunction, "apply", run_once),
        patch.object(checkpoint, "_checkpoint_without_reentrant_generator", _run_as_it_is, create=True),
    ):
        yield


def _run_as_it_is(*arguments: Any, **options: Any) -> Iterator[None]:  # noqa: ANN401
    """Do nothing before a function runs and after it, where PyTorch prepares for the second run."""
    yield


def why_no_gradient(record: Recording) -> str:
    """Return what to look for in a model that a gradient hardly enters."""
    if record.starved:
        problem = "no input of its re-entrant checkpoints requires a gradient, so that they pass none on"
        return f"{problem}: take use_reentrant=False, or enable_input_require_grads()"
    return "look for detach() or no_grad in forward"


def why_cut(record: Recording, layers: Sequence[Layer], obstacle: str) -> str:
    """Return why no layer but the last receives a gradient, where none does."""
    heard = any(call.heard for call in record.calls if call.layer in layers)
    if obstacle or heard:
        return ""
    trained = any(one.requires_grad for layer in layers for one in layer.parameters.values())
    why = why_no_gradient(record) if trained else "all others are frozen, so that there is none to measure"
    return f"no layer but the last receives a gradient: {why}"


def find_hiding(root: Tensor, record: Recording) -> str | None:
    """Return the function of the user's own that may run layers in the backward pass; None where all ran before it."""
    if not record.ungraded or root.grad_fn is None:
        return None
    own = (
        node.name().removesuffix("Backward")
        for node in nodes([root.grad_fn])
        if isinstance(node, torch.autograd.function.BackwardCFunction)
    )
    return next(own, None)
