"""``gradcheck probe``."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from gradcheck.cli.options import command
from gradcheck.cli.progress import ShareProgress
from gradcheck.cli.shown import (
    ALL_LAYERS,
    AS_JSON,
    BASELINE,
    FAIL_ON,
    FILE,
    FOR_PEOPLE,
    MODEL_CAUSES,
    PLOT,
    QUIET,
    SATURATED,
    TOLERANCE,
    Shown,
)
from gradcheck.cli.simulate import FORMATS, REPORT_FORMAT, fails
from gradcheck.diagnosis.remarks import ANY_DOUBT, ASKED_FOR, BY_NAME, REMARKS
from gradcheck.engine.threads import wait_asleep
from gradcheck.errors import MissingExtraError, OptionError
from gradcheck.spec.options.option import ARGUMENT, Names, Option, rows
from gradcheck.spec.options.probing import ProbeOptions

if TYPE_CHECKING:
    from gradcheck import Report

#: Framework ↦ the package that it needs, what that is called, and the module that probes its models.
FRAMEWORKS = {
    "torch": ("torch", "PyTorch", "gradcheck.torch.probing.command"),
    "keras": ("keras", "Keras 3", "gradcheck.keras.probing.command"),
    "flax": ("flax", "Flax", "gradcheck.jax.command"),
    "equinox": ("equinox", "Equinox", "gradcheck.jax.command"),
}

#: Options that only PyTorch's models can be asked.
ONLY_TORCH = (
    "number_format",
    "amp",
    "steps",
    "optimizer",
    "lr",
    "optimizer_options",
    "warmup",
    "clip",
    "suggest",
    "rate",
    "rate_updates",
)


class TargetOptions(TypedDict):
    """Whose gradient."""

    # fmt: off
    target: Annotated[str, Option(
        "module:attribute or file.py:attribute, from the current folder: a model, or what returns one.", ARGUMENT,
        "TARGET", default=...,
    )]
    # fmt: on


class BaselineOptions(TypedDict):
    """What the report is held against."""

    baseline: Annotated[Path | None, BASELINE]
    tolerance: Annotated[float, TOLERANCE]


PROBE_FAIL_ON = FAIL_ON.but(
    help="Exit with 1 if the verdict (HEALTHY, BUT: doubts, not any) or a layer's flag is this (repeatable)",
    range=Names((*MODEL_CAUSES, SATURATED, ANY_DOUBT, REMARKS, *ASKED_FOR, *BY_NAME, "regression")),
)


@command(
    TargetOptions,
    ProbeOptions,
    BaselineOptions,
    shown=(REPORT_FORMAT, AS_JSON, FILE, PLOT, PROBE_FAIL_ON, ALL_LAYERS, QUIET),
)
def probe(model: TargetOptions, options: ProbeOptions, baseline: BaselineOptions, shown: Shown) -> None:
    """Does the gradient survive in your own model, of PyTorch, Keras, Flax or Equinox?

    Imports TARGET from the current folder and runs it: this executes your own code. One batch goes forward and its
    gradient back by the framework's own derivatives; every module that holds weights is measured. Needs the framework
    (pip install torch).
    """
    _check_steps(options, shown.typed)
    if shown.format not in FOR_PEOPLE or shown.silent or baseline["baseline"] is not None:
        options["suggest"] = bool(options["suggest"])
    if baseline["baseline"] is not None:
        from gradcheck.cli.baseline import checked_tolerance, hold_against
        from gradcheck.diagnosis.regression import read_report

        tolerance, before = checked_tolerance(baseline["tolerance"], shown), read_report(baseline["baseline"])
        after = _probed(model["target"], options, shown.quiet, shown.typed).to_dict()
        raise typer.Exit(hold_against(before, after, tolerance, shown))
    if "tolerance" in shown.typed or "regression" in shown.causes:
        name = "tolerance" if "tolerance" in shown.typed else "fail_on"
        raise OptionError(
            name, f"{'needs' if name == 'tolerance' else 'regression needs'} a report: --baseline OLD.json"
        )
    report = _probed(model["target"], options, shown.quiet, shown.typed)
    shown.show(report, FORMATS, **shown.layers)
    raise typer.Exit(1 if fails(report, shown.causes) else 0)


def _check_steps(options: ProbeOptions, typed: Collection[str]) -> None:
    """Raise an error for an option of steps that aren't taken, and for a rate that the user's own function sets."""
    for name in ("optimizer", "lr", "optimizer_options", "warmup", "clip"):
        beside = (options["rate"] and name != "warmup") or (name == "lr" and options["number_format"])
        if name in typed and not (options["steps"] or beside):
            option = name.removesuffix("s")
            raise OptionError(
                option, "is of the steps of training: say how many with --steps N, ask for --rate, or drop it"
            )
    if "rate_updates" in typed and not options["rate"]:
        raise OptionError("rate-updates", "is of the search of a learning rate: add --rate, or drop it")
    if "lr" in typed and ":" in options["optimizer"]:
        raise OptionError(
            "lr", f"is what {options['optimizer']} sets: --optimizer-option lr={options['lr']:g} if it takes that"
        )


def _probed(target: str, options: ProbeOptions, quiet: bool, typed: Collection[str]) -> "Report":
    from importlib import import_module
    from importlib.util import find_spec

    _check_names(target, options)
    framework = rows(ProbeOptions)["framework"].check(options.pop("framework", "torch"))
    package, name, module = FRAMEWORKS[framework]
    if find_spec(package) is None:
        raise MissingExtraError(f"probe --framework {framework}" if framework != "torch" else "probe", name, package)
    _check_framework(framework, options, typed)
    wait_asleep()
    probe_target = import_module(module).probe_target
    with ShareProgress(quiet) as tick:
        tick.what, tick.then = "of the steps taken", "changes are tried"
        report: Report = probe_target(target, tick=tick, **options)
        return report


def _check_names(target: str, options: ProbeOptions) -> None:
    """Raise the error of a slip of the pen before the framework is imported, which takes seconds."""
    from gradcheck.probing.loading import parse_arguments, parted

    parted(target, "TARGET")
    if options["batch"] is not None:
        parted(options["batch"], "--batch")
    for option, name in (("--loss", options["loss"]), ("--optimizer", options["optimizer"])):
        if name is not None and ":" in name:
            parted(name, option)
    parse_arguments(options["kwargs"])


def _check_framework(framework: str, options: ProbeOptions, typed: Collection[str]) -> None:
    """Raise an error for what only PyTorch's models can be asked; choose what Keras computes with, if nobody has."""
    from importlib.util import find_spec

    from gradcheck.probing.backends import choose_backend

    if framework in ("torch", "keras") and find_spec("keras") is not None:
        choose_backend()  # before TARGET is imported, whose module may import Keras
    if framework == "torch":
        return
    for name in ONLY_TORCH:
        if name in typed:
            option = "optimizer-option" if name == "optimizer_options" else name.replace("_", "-")
            raise OptionError(option, f"is for PyTorch models alone: drop it with --framework {framework}")
        options.pop(name, None)  # type: ignore[misc]
    if framework != "keras":
        options["framework"] = framework
