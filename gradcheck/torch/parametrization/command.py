"""``gradcheck transfer TARGET``: what builds the models, their batch and loss, as a command line names them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from inspect import signature
from typing import Any

from torch import nn

from gradcheck.base.record import Frozen
from gradcheck.errors import GradcheckError, OptionError
from gradcheck.parametrization.report import TransferReport
from gradcheck.probing.loading import load_attribute
from gradcheck.probing.users_code import users_code
from gradcheck.torch.parametrization.building import Build
from gradcheck.torch.parametrization.transfer import transfer
from gradcheck.torch.probing.command import load_batch, load_loss
from gradcheck.torch.probing.error_text import errors_in_one_line
from gradcheck.torch.probing.state import random_states_kept, seed_all


def transfer_target(
    target: str,
    *,
    width: Sequence[int] | None = None,
    depth: Sequence[int] | None = None,
    input: Sequence[str] | None = None,
    batch: str | None = None,
    loss: str | None = None,
    optimizer: str | None = None,
    seed: int = 0,
    **options: Any,  # noqa: ANN401
) -> TransferReport:
    """Train what a command line names; this imports and runs the user's own code, whose output goes to stderr.

    The options are those of ``gradcheck transfer`` for a model of one's own (``spec.options.transfer``); what isn't
    named here goes to ``transfer``.
    """
    axis, sizes = ("depth", depth) if width is None else ("width", width)
    if not sizes or len(set(sizes)) < 2 or (width and depth):
        problem = f"or --depth: {target} is called with each of several widths, or of several depths"
        raise OptionError("width", f"{problem}; give one of them, as in --width 64,256,1024")
    with users_code():
        build = _calling(load_attribute(target, "TARGET"), target, axis)
        given = load_batch(_smallest(build, min(sizes), seed), list(input or ()), batch, seed)
        takes_steps = load_attribute(optimizer, "--optimizer") if optimizer and ":" in optimizer else optimizer
        report = transfer(
            build, width, depths=depth, batch=given, loss=load_loss(loss), optimizer=takes_steps, seed=seed, **options
        )
    typed = {"input": list(input) if input else None, "batch": batch, "loss": loss}
    own = {"optimizer": optimizer} if optimizer and ":" in optimizer else {}
    config = {name: one for name, one in report.config.to_dict().items() if name != "build"}
    return replace(report, config=Frozen({"target": target} | config | typed | own))


def _calling(found: object, target: str, axis: str) -> Build:
    """Return what builds a model of a size: by the name of the argument where it has that name, else as the first."""
    if isinstance(found, nn.Module) or not callable(found):
        what = f"is {type(found).__name__}: it has to be a function that returns the model of a {axis}"
        raise GradcheckError(f"TARGET {target} {what}")
    build: Callable[..., Any] = found
    try:
        named = axis in signature(build).parameters
    except (TypeError, ValueError):  # some builtins have none
        named = False
    return (lambda size: build(**{axis: size})) if named else build


def _smallest(build: Build, size: int, seed: int) -> nn.Module:
    """Return a model whose first layer says which inputs it takes."""
    with random_states_kept(), errors_in_one_line(f"TARGET called with {size} failed: "):
        seed_all(seed)
        built = build(size)
    model = built[0] if isinstance(built, tuple | list) and built else built
    return model if isinstance(model, nn.Module) else nn.Identity()  # what it is instead, is said later
