"""``gradcheck probe``: a model, a batch and a loss by the names that a command line gives them."""

import ctypes
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from gradcheck.base.record import Frozen
from gradcheck.diagnosis.report import Report
from gradcheck.errors import GradcheckError, OptionError, at_least, one_of
from gradcheck.spec.options.option import canonical
from gradcheck.spec.probing import parse_optimizer_options
from gradcheck.torch.layers import printable
from gradcheck.torch.probing.batches import Batch, draw_input, suggest_input
from gradcheck.torch.probing.error_text import errors_in_one_line
from gradcheck.torch.probing.losses import LOSSES
from gradcheck.torch.probing.probe import probe
from gradcheck.torch.probing.state import seed_all
from gradcheck.torch.probing.target import load_attribute, load_model


def probe_target(
    target: str,
    *,
    kwargs: str | None = None,
    input: Sequence[str] | None = None,
    batch: str | None = None,
    loss: str | None = None,
    optimizer: str = "sgd",
    optimizer_options: Sequence[str] | None = None,
    seed: int = 0,
    **options: Any,  # noqa: ANN401
) -> Report:
    """Probe what a command line names; this imports and runs the user's own code, whose output goes to stderr.

    Parameters
    ----------
    target : str
        ``module:attribute``, a model or a callable that returns one.
    kwargs : str, optional
        A JSON object of the callable's keyword arguments.
    input : sequence of str, optional
        Shapes of random inputs, one each: ``8x3x32x32``, ``4x128:int64<50257``.
    batch : str, optional
        ``module:function`` that returns (inputs, targets), instead of `input`.
    loss : str, optional
        A name, or ``module:function`` of (output, targets).
    optimizer : str
        A name, or ``module:function`` of the parameters.
    optimizer_options : sequence of str, optional
        ``NAME=VALUE`` each.
    seed : int
        Of the weights, inputs and targets that are drawn.
    options
        As of ``probe``.

    Raises
    ------
    GradcheckError
        Something isn't as it has to be; the message says what would be right.
    """
    at_least("seed", seed, 0, "it seeds the random numbers")
    arguments, of_optimizer = _parse_arguments(kwargs), parse_optimizer_options(optimizer_options or ())
    seed_all(seed)
    shapes = list(input or ())
    with users_code():
        model = load_model(target, arguments)
        given = _batch(model, shapes, batch, seed)
        function = _loss(loss)
        takes_steps = load_attribute(optimizer, "--optimizer") if ":" in optimizer else optimizer
        report = probe(
            model, given, function, optimizer=takes_steps, optimizer_options=of_optimizer, seed=seed, **options
        )
    config = {"target": target, "kwargs": arguments or None, "input": shapes or None, "batch": batch}
    named = {} if loss is None else {"loss": loss}
    if ":" in optimizer and options.get("steps"):
        named["optimizer"] = optimizer
    return replace(report, config=Frozen(config | report.config.to_dict() | named))


@contextmanager
def users_code() -> Iterator[None]:
    """Keep what the user's code does in its place.

    What it writes to stdout goes to stderr: what is printed, and what goes to the descriptor itself. Warnings show
    control characters instead of obeying them. A process that it forked ends here: the report is its parent's.
    """
    process = os.getpid()
    with redirect_stdout(sys.stderr), _neutral_warnings(), _descriptor_to_stderr():
        try:
            yield
        finally:
            if os.getpid() != process:
                os._exit(0)


@contextmanager
def _neutral_warnings() -> Iterator[None]:
    """Show the control characters that warnings may have instead of obeying them."""
    before = warnings.formatwarning

    def neutral(*what: Any, **how: Any) -> str:  # noqa: ANN401
        lines = before(*what, **how).split("\n")
        return "\n".join(map(printable, lines))

    warnings.formatwarning = neutral
    try:
        yield
    finally:
        warnings.formatwarning = before


@contextmanager
def _descriptor_to_stderr() -> Iterator[None]:
    """Lead the descriptor of stdout to stderr, or nowhere where that is closed; then back.

    Raises
    ------
    GradcheckError
        It can't be led back: it was closed meanwhile.
    """
    there = _is_open(1)
    elsewhere = os.dup(2) if _is_open(2) else os.open(os.devnull, os.O_WRONLY)  # first: it may take the free number 1
    kept = os.dup(1) if there else None
    os.dup2(elsewhere, 1)
    if elsewhere != 1:
        os.close(elsewhere)
    try:
        yield
    finally:
        _flush_c()
        try:
            if kept is None:
                os.close(1)
            else:
                os.dup2(kept, 1)
                os.close(kept)
        except OSError as error:
            problem = "the model's code closed file descriptors that it didn't open, stdout's among them"
            raise GradcheckError(f"{problem}: it has to leave those alone") from error


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _flush_c() -> None:
    """Write out what C's own stdout holds back, while it still goes to stderr."""
    with suppress(Exception):  # a system without such a library
        ctypes.CDLL(None).fflush(None)


def _parse_arguments(text: str | None) -> dict[str, Any]:
    """Return the keyword arguments that a JSON object holds."""
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError("kwargs", f"is not JSON ({error}); write '{{\"depth\": 50}}'") from None
    if not isinstance(value, dict):
        raise OptionError("kwargs", f"is {type(value).__name__}, not a JSON object; write '{{\"depth\": 50}}'")
    return value


def _loss(loss: str | None) -> str | Callable[..., torch.Tensor] | None:
    """Return the name of a loss, or the function that ``module:function`` names."""
    if loss is None:
        return None
    if ":" in loss:
        function: Callable[..., torch.Tensor] = load_attribute(loss, "--loss")
        return function
    return one_of("loss", canonical(loss, LOSSES), LOSSES, beside=", or module:function")


def _batch(model: nn.Module, shapes: list[str], function: str | None, seed: int) -> Batch | Callable[[], object]:
    """Return the batch, or what returns one for each step."""
    if function is not None:
        if shapes:
            raise OptionError("batch", "brings its own inputs: drop --input")
        user_function = load_attribute(function, "--batch")

        def make_batch() -> object:
            with errors_in_one_line(f"--batch {function} failed: "):
                return user_function()

        return make_batch
    if not shapes:
        problem = f"is not given; by the model's first layer it could be --input {suggest_input(model)}"
        raise OptionError("input", problem)
    generator = torch.Generator().manual_seed(seed)
    like = next((one for one in model.parameters() if one.is_floating_point()), torch.zeros(0))
    inputs = [draw_input(text, generator) for text in shapes]
    moved = (one.to(like.device, like.dtype if one.dtype == torch.float32 else one.dtype) for one in inputs)
    return Batch(tuple(moved), {})
