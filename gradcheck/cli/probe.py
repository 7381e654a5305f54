"""``gradcheck probe``."""

from typing import TYPE_CHECKING

import typer

from gradcheck.cli import options as given
from gradcheck.cli import probe_options as probing
from gradcheck.cli.output import OutputFile, check_writable, show
from gradcheck.cli.progress import ShareProgress
from gradcheck.cli.simulate import FORMATS as OF_SIMULATE
from gradcheck.cli.simulate import fails
from gradcheck.errors import MissingExtraError, one_of

if TYPE_CHECKING:
    from gradcheck import Report

#: Format ↦ where it is made.
FORMATS = {**OF_SIMULATE, "github": "gradcheck.diagnosis.ci:as_github", "junit": "gradcheck.diagnosis.ci:as_junit"}

#: Options that say how the result is shown rather than what is probed.
PRESENTATION = ("format", "json", "output", "fail_on", "all_layers", "quiet")


def probe(
    command: typer.Context,
    target: probing.Target,
    kwargs: probing.Kwargs = None,
    input: probing.Input = None,
    batch: probing.BatchOption = None,
    loss: probing.LossOption = None,
    mode: probing.Mode = "train",
    amp: probing.AmpOption = None,
    steps: probing.TrainingSteps = 0,
    optimizer: probing.OptimizerOption = "sgd",
    lr: probing.Rate = 0.1,
    seed: probing.ProbeSeed = 0,
    vanish_below: given.VanishBelow = 1e-3,
    explode_above: given.ExplodeAbove = 1e3,
    max_span: given.MaxSpan = 2.3,
    min_rank: given.MinRank = 1.8,
    dead_above: given.DeadAbove = 0.9,
    saturated_above: given.SaturatedAbove = 0.9,
    format: probing.ProbeFormat = "text",
    json: given.Json = False,
    output: OutputFile = None,
    fail_on: given.FailOn = None,
    all_layers: given.AllLayers = False,
    quiet: given.Quiet = False,
) -> None:
    """Does the gradient survive in your own PyTorch model?

    Imports TARGET from the current folder and runs it: this executes your own code. One batch goes forward and its
    gradient back by PyTorch's autograd; every module that holds weights is measured. Needs PyTorch
    (pip install "gradcheck[torch]").
    """
    name = given.chosen_format(format, json, probing.PROBE_FORMATS)
    causes = [one_of("fail_on", cause, given.CAUSES) for cause in fail_on or ()]
    check_writable(output)
    report = _probed({key: value for key, value in command.params.items() if key not in PRESENTATION}, quiet)
    how = {"all_layers": all_layers} if name == "text" else {}
    show(report, name, FORMATS, output, quiet=quiet, **how)
    raise typer.Exit(1 if fails(report, causes) else 0)


def _probed(options: dict[str, object], quiet: bool) -> "Report":
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise MissingExtraError("probe", "PyTorch", "torch")
    from gradcheck.torch.probing.command import probe_target

    with ShareProgress(quiet) as tick:
        tick.what = "of the steps taken"
        return probe_target(**options, tick=tick)  # type: ignore[arg-type]
