"""``gradcheck probe``: a model, a batch and a loss by the names that a command line gives them."""

import random
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from gradcheck.base.record import Frozen
from gradcheck.diagnosis.report import Report
from gradcheck.errors import OptionError, at_least
from gradcheck.torch.probing.batches import Batch, drawn_input, suggested_input
from gradcheck.torch.probing.probe import probe
from gradcheck.torch.probing.target import called, loaded, loaded_model, parse_arguments


def probe_target(
    target: str,
    *,
    kwargs: str | None = None,
    input: Sequence[str] | None = None,
    batch: str | None = None,
    loss: str | None = None,
    seed: int = 0,
    **options: Any,  # noqa: ANN401
) -> Report:
    """Probe what a command line names; this imports and runs the user's own code.

    Parameters
    ----------
    target : str
        ``module:attribute``, a model or a callable that returns one.
    kwargs : str, optional
        A JSON object of the callable's keyword arguments.
    input : sequence of str, optional
        Shapes of random inputs, one each: ``8x3x32x32``, ``4x128:int64<50257``.
    batch : str, optional
        ``module:function`` that returns (inputs, targets), in place of `input`.
    loss : str, optional
        A name, or ``module:function`` of (output, targets).
    seed : int
        Of the weights, inputs and targets that are drawn.
    options
        As of ``probe``.

    Raises
    ------
    GradcheckError
        Something isn't what it has to be; the message says what would be.
    """
    at_least("seed", seed, 0, "it seeds the random numbers")
    arguments = parse_arguments(kwargs)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  # the user's code may draw from it
    torch.manual_seed(seed)
    model = loaded_model(target, arguments)
    given = _batch(model, list(input or ()), batch, seed)
    function = loaded(loss, "--loss") if loss is not None and ":" in loss else loss
    with redirect_stdout(sys.stderr):
        report = probe(model, given, function, seed=seed, **options)
    config = {"target": target, "kwargs": arguments or None, "input": list(input or ()) or None, "batch": batch}
    named = {} if loss is None else {"loss": loss}
    return replace(report, config=Frozen(config | report.config.to_dict() | named))


def _batch(model: nn.Module, shapes: list[str], function: str | None, seed: int) -> Batch | Callable[[], object]:
    """Return the batch, or what returns one for each step."""
    if function is not None:
        if shapes:
            raise OptionError("batch", "brings its own inputs: drop --input")
        made = loaded(function, "--batch")
        return lambda: called(made, f"--batch {function}")
    if not shapes:
        like = suggested_input(model)
        raise OptionError("input", f"is not given; by the model's first layer it could be --input {like or '32x784'}")
    generator = torch.Generator().manual_seed(seed)
    first = next((one for one in model.parameters() if one.is_floating_point()), torch.zeros(0))
    drawn = [drawn_input(text, generator) for text in shapes]
    return Batch(
        tuple(one.to(first.device, first.dtype if one.dtype == torch.float32 else one.dtype) for one in drawn),
        {},
    )
