"""``gradcheck probe``: a model, a batch and a loss by the names that a command line gives them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from gradcheck.diagnosis.report import Report
from gradcheck.errors import OptionError, at_least, one_of
from gradcheck.probing import loading
from gradcheck.probing.command import with_names
from gradcheck.probing.loading import load_attribute, parse_arguments
from gradcheck.probing.users_code import users_code
from gradcheck.spec.number_formats import USUAL_RATE
from gradcheck.spec.options.option import canonical
from gradcheck.spec.probing import LOSSES, parse_optimizer_options
from gradcheck.torch.learning_rate.beside import add_rate
from gradcheck.torch.learning_rate.model_search import ModelSearch
from gradcheck.torch.probing.batches import Batch, draw_input, suggest_input
from gradcheck.torch.probing.checks import checked_module
from gradcheck.torch.probing.error_text import errors_in_one_line
from gradcheck.torch.probing.loss.losses import LossFunction
from gradcheck.torch.probing.probe import probe
from gradcheck.torch.probing.state import seed_all
from gradcheck.torch.probing.training.optimizers import Optimizer
from gradcheck.torch.probing.training.sources import source_of


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
    rate: bool = False,
    rate_updates: int | None = None,
    **options: Any,  # noqa: ANN401
) -> Report:
    """Probe what a command line names; this imports and runs the user's own code, whose output goes to stderr.

    The options are those of ``gradcheck probe`` (``spec.options.probing``); what isn't named here goes to ``probe``.
    """
    at_least("seed", seed, 0, "it seeds the random numbers")
    arguments, of_optimizer = parse_arguments(kwargs), parse_optimizer_options(optimizer_options or ())
    seed_all(seed)
    shapes = list(input or ())
    with users_code():
        model = load_model(target, arguments)
        given = load_batch(model, shapes, batch, seed)
        function = load_loss(loss)
        takes_steps = load_attribute(optimizer, "--optimizer") if ":" in optimizer else optimizer
        report = probe(
            model, given, function, optimizer=takes_steps, optimizer_options=of_optimizer, seed=seed, **options
        )
        if rate:
            report = _with_rate(report, model, given, function, takes_steps, of_optimizer, seed, options, rate_updates)
    names = {"target": target, "kwargs": arguments or None, "input": shapes or None, "batch": batch}
    own = optimizer if rate or (":" in optimizer and options.get("steps")) else None
    return with_names(report, names, loss=loss, optimizer=own, optimizer_options=of_optimizer if rate else None)


def _with_rate(
    report: Report,
    model: nn.Module,
    batch: object,
    loss: str | LossFunction | None,
    optimizer: Optimizer,
    of_optimizer: Mapping[str, Any],
    seed: int,
    options: Mapping[str, Any],
    updates: int | None,
) -> Report:
    """Return the report with the learning rate; the one that was asked for, or the optimizer's own, is judged."""
    lr = options.get("lr", USUAL_RATE)
    asked = lr if options.get("steps") or lr != USUAL_RATE else None
    of_model = {name: options[name] for name in ("mode", "clip") if name in options}
    search = ModelSearch.of(
        model, batch, loss, optimizer, lr=asked, updates=updates, optimizer_options=of_optimizer, seed=seed, **of_model
    )
    return add_rate(report, search, asked if isinstance(optimizer, str) else search.update.rates.first)


def load_model(target: str, arguments: dict[str, Any]) -> nn.Module:
    """Return the model that a target is, or returns when it is called with these arguments."""
    what, is_module = "a torch.nn.Module", lambda found: isinstance(found, nn.Module)
    return checked_module(loading.load_model(target, arguments, "torch", what, is_module, errors_in_one_line), "probe")


def load_loss(loss: str | None) -> str | Callable[..., torch.Tensor] | None:
    """Return the name of a loss, or the function that ``module:function`` names."""
    if loss is None:
        return None
    if ":" in loss:
        function: Callable[..., torch.Tensor] = load_attribute(loss, "--loss")
        return function
    return one_of("loss", canonical(loss, LOSSES), LOSSES, beside=", or module:function")


def _batches_of(given: Any, name: str) -> Callable[[], object]:  # noqa: ANN401
    """Return what returns a batch for each step: the user's function; or of a loader, also one that it returns."""
    if not callable(given):
        source = source_of(given)
        return source if callable(source) else lambda: given
    following: Callable[[], object] | None = None

    def make_batch() -> object:
        nonlocal following
        if following is not None:
            return following()
        with errors_in_one_line(f"--batch {name} failed: "):
            batch = given()
        source = source_of(batch)
        if source is batch:
            return batch
        following = source
        return following()

    return make_batch


def load_batch(model: nn.Module, shapes: list[str], function: str | None, seed: int) -> Batch | Callable[[], object]:
    """Return inputs of these shapes, or what returns a batch for each step: the function of that name."""
    if function is not None:
        if shapes:
            raise OptionError("batch", "brings its own inputs: drop --input")
        return _batches_of(load_attribute(function, "--batch"), function)
    if not shapes:
        problem = f"is not given; by the model's first layer it could be --input {suggest_input(model)}"
        raise OptionError("input", problem)
    generator = torch.Generator().manual_seed(seed)
    like = next((one for one in model.parameters() if one.is_floating_point()), torch.zeros(0))
    inputs = [draw_input(text, generator) for text in shapes]
    moved = (one.to(like.device, like.dtype if one.dtype == torch.float32 else one.dtype) for one in inputs)
    return Batch(tuple(moved), {})
