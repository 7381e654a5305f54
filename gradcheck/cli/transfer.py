"""``gradcheck transfer``."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import typer

from gradcheck.cli.options import command
from gradcheck.cli.output import formats_of
from gradcheck.cli.progress import CountedProgress
from gradcheck.cli.shown import AS_JSON, FAIL_ON, FILE, PLOT, QUIET, Shown, format_of
from gradcheck.engine.threads import settle_threads
from gradcheck.errors import MissingExtraError, OptionError
from gradcheck.spec.options.option import Names
from gradcheck.spec.options.transfer import OF_BOTH, BuildOptions, TransferOptions

if TYPE_CHECKING:
    from gradcheck import TransferReport

#: Format ↦ where it is made.
FORMATS = formats_of("parametrization")

TRANSFER_FAIL_ON = FAIL_ON.but(
    help="Exit with 1 if the verdict, or a layer's course, is this, or training diverges: then nothing else is known "
    "(repeatable)",
    range=Names(("grows", "shrinks", "unclear", "diverges", "any")),
)


@command(BuildOptions, TransferOptions, shown=(format_of(FORMATS), AS_JSON, FILE, PLOT, TRANSFER_FAIL_ON, QUIET))
def transfer(model: BuildOptions, options: TransferOptions, shown: Shown) -> None:
    """Do activations, updates and logits keep their size as the network becomes wider, or deeper?

    Trains networks of several widths (or depths) for a few steps in one parametrisation, and says as which power of the
    width each layer's output, its change and what its own weights gain grow. Where all keep their size, as in mup, a
    learning rate that was tuned on a narrow network holds on a wide one. With TARGET they are your own PyTorch models:
    this executes your own code.
    """
    settle_threads()
    target = model.pop("target")
    report = _of_description(model, options, shown) if target is None else _of_target(target, model, options, shown)
    shown.show(report, FORMATS)
    raise typer.Exit(1 if _fails(report, shown.causes) else 0)


def _of_description(model: BuildOptions, options: TransferOptions, shown: Shown) -> "TransferReport":
    from gradcheck import transfer as compared
    from gradcheck.spec.transfer import transfer_specs

    for name in (one for one in model if one in shown.typed):
        problem = (
            "is for models of your own: name what builds them, as in gradcheck transfer models:build --width 64,256"
        )
        raise OptionError(name, problem)
    spec, _ = transfer_specs(options)
    with CountedProgress(len(spec.scales) * spec.seeds, shown.quiet, "networks") as progress:
        return compared(**options, tick=progress)


def _of_target(target: str, model: BuildOptions, options: TransferOptions, shown: Shown) -> "TransferReport":
    for name in (one for one in options if one in shown.typed and one not in OF_BOTH):
        raise OptionError(name, f"is for networks that gradcheck draws itself: drop it, or {target}")
    if find_spec("torch") is None:
        raise MissingExtraError("transfer TARGET", "PyTorch", "torch")
    from gradcheck.torch.parametrization.command import transfer_target

    sizes = options["width"] or options["depth"]
    networks = (len(sizes) if isinstance(sizes, Sequence) else 1) * options["seeds"]
    taken: dict[str, Any] = {**model, **{name: one for name, one in options.items() if name in OF_BOTH}}
    with CountedProgress(networks, shown.quiet, "networks") as progress:
        return transfer_target(target, **taken, tick=progress)


def _fails(report: "TransferReport", causes: list[str]) -> bool:
    """Whether the verdict, or a layer, is what one of the causes says."""
    if causes and report.verdict.status == "diverges":
        return True  # whatever was asked about, nobody knows
    found = {one.code for one in report.verdict.causes if one.code == "diverges"}
    found |= {report.verdict.status, *(one.course for one in report.layers)} & {"grows", "shrinks", "unclear"}
    return bool(found if "any" in causes else found & set(causes))
