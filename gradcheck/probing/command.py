"""``gradcheck probe`` of a model of arrays: it, its batch and its loss by the names that a command line gives."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.base.record import Frozen
from gradcheck.diagnosis.report import Report
from gradcheck.errors import OptionError, at_least
from gradcheck.probing.loading import load_attribute, parse_arguments
from gradcheck.probing.shapes import draw_array
from gradcheck.probing.user_errors import errors_in_one_line
from gradcheck.probing.users_code import users_code


def probe_named(
    target: str,
    load_model: Callable[[str, dict[str, Any]], Any],
    hint: Callable[[Any], str],
    probe: Callable[..., Report],
    *,
    kwargs: str | None = None,
    input: Sequence[str] | None = None,
    batch: str | None = None,
    loss: str | None = None,
    seed: int = 0,
    **options: Any,  # noqa: ANN401
) -> Report:
    """Probe what a command line names; this imports and runs the user's own code, whose output goes to stderr.

    The options are those of ``gradcheck probe`` (``spec.options.probing``); what isn't named here goes to the
    framework's `probe`. The model is loaded from the target and the arguments; the hint says how --input could be given
    for it, where neither that nor --batch is.
    """
    at_least("seed", seed, 0, "it seeds the random numbers")
    arguments, shapes = parse_arguments(kwargs), list(input or ())
    with users_code():
        model = load_model(target, arguments)
        given = load_batch(shapes, batch, seed, lambda: hint(model))
        report = probe(model, given, load_loss(loss), seed=seed, **options)
    names = {"target": target, "kwargs": arguments or None, "input": shapes or None, "batch": batch}
    return with_names(report, names, loss=loss)


def load_batch(shapes: Sequence[str], function: str | None, seed: int, hint: Callable[[], str]) -> Any:  # noqa: ANN401
    """Return the batch that ``module:function`` returns, or random inputs of these shapes, one each.

    Raises
    ------
    OptionError
        Both are given; or neither, and the hint is how --input could be.
    """
    if function is not None:
        if shapes:
            raise OptionError("batch", "brings its own inputs: drop --input")
        made = load_attribute(function, "--batch")
        with errors_in_one_line(f"--batch {function} failed: "):
            return made()
    if not shapes:
        raise OptionError("input", f"is not given; {hint()}")
    generator = np.random.default_rng(seed)
    inputs = [draw_array(one, generator) for one in shapes]
    return inputs[0] if len(inputs) == 1 else inputs


def load_loss(loss: str | None) -> Any:  # noqa: ANN401
    """Return the function that ``module:function`` names; a name as it is."""
    return load_attribute(loss, "--loss") if loss is not None and ":" in loss else loss


def with_names(report: Report, names: dict[str, Any], **typed: str | dict[str, Any] | None) -> Report:
    """Return the report with target, arguments, inputs and batch before its options, and those that were typed."""
    given = {name: one for name, one in typed.items() if one is not None}
    return replace(report, config=Frozen(names | report.config.to_dict() | given))
