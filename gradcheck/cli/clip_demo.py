"""``gradcheck clip-demo``."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from gradcheck.cli import INTERRUPTED
from gradcheck.cli import demo_options as demo
from gradcheck.cli import options as given
from gradcheck.cli.output import JSON, OutputFile, check_writable, show
from gradcheck.cli.progress import CountedProgress
from gradcheck.engine.threads import settle_threads
from gradcheck.errors import one_of

if TYPE_CHECKING:
    from gradcheck import DemoReport
    from gradcheck.spec.clip_rules import Rule
    from gradcheck.training.strategy import Strategy

#: Format ↦ where it is made.
FORMATS = {
    "text": "gradcheck.training.text:as_text",
    "json": JSON,
    "csv": "gradcheck.training.formats:as_csv",
    "markdown": "gradcheck.training.formats:as_markdown",
}

#: Options that say how the result is shown rather than what is trained.
PRESENTATION = ("format", "json", "output", "fail_on", "quiet")


def clip_demo(
    context: typer.Context,
    network: demo.Network = "rnn",
    clip: demo.Clip = None,
    lr: demo.Lr = 0.3,
    momentum: demo.Momentum = 0.9,
    epochs: demo.Epochs = 30,
    nonfinite: demo.Nonfinite = "skip",
    sequence: demo.Sequence = None,
    depth: given.Depth = None,
    steps: demo.DemoSteps = None,
    width: demo.DemoWidth = None,
    activation: demo.DemoActivation = None,
    init: demo.DemoInit = None,
    gain: given.Gain = None,
    recurrent_gain: demo.DemoRecurrentGain = None,
    forget_bias: given.ForgetBias = None,
    weight_std: given.WeightStd = None,
    bias_std: given.BiasStd = None,
    norm: demo.DemoNorm = "none",
    residual: demo.DemoResidual = False,
    residual_scale: demo.DemoResidualScale = 1.0,
    data: demo.DemoData = "digits",
    labels: given.Labels = False,
    batch_size: demo.DemoBatchSize = 64,
    shuffle: demo.DemoShuffle = True,
    weights: demo.DemoWeights = None,
    layers: given.Layers = "auto",
    seed: demo.DemoSeed = 0,
    dtype: given.Dtype = "float64",
    format: given.Format = "text",
    json: given.Json = False,
    output: OutputFile = None,
    fail_on: demo.DemoFailOn = None,
    quiet: given.Quiet = False,
) -> None:
    """What does each kind of gradient clipping do to a run whose gradients explode?

    Trains one network once per strategy, from the same start on the same batches, and shows side by side what
    clipping did. By default a tanh RNN reads handwritten digits row by row, with recurrent weights that explode.
    """
    name = given.chosen_format(format, json, given.FORMATS)
    causes = [one_of("fail_on", cause, demo.DEMO_CAUSES) for cause in fail_on or ()]
    check_writable(output)
    options = {key: value for key, value in context.params.items() if key not in PRESENTATION}
    options["width"] = given.parse_width(width)
    settle_threads()
    report, code = _demonstrated(options, quiet)
    if report is not None:
        show(report, name, FORMATS, output, quiet=quiet)
    raise typer.Exit(code or (1 if report and _fails(report, causes) else 0))


def _demonstrated(options: Mapping[str, Any], quiet: bool) -> tuple["DemoReport | None", int]:
    """Train under each strategy; an interrupt keeps what is finished."""
    from gradcheck.training.demonstration import Demonstration

    demonstration = Demonstration.from_options(options)
    for warning in demonstration.warnings:
        _say(f"warning: {warning}", quiet)
    finished: list[Strategy] = []
    code = 0
    with CountedProgress(demonstration.steps * len(demonstration.rules), quiet, "steps") as progress:

        def tick(rule: "Rule") -> None:
            progress.what = str(rule)
            progress()

        try:
            for strategy in demonstration.runs(tick):
                finished.append(strategy)
        except KeyboardInterrupt:
            code = INTERRUPTED
    if code:
        from gradcheck.training.cells import interrupted

        _say(interrupted(len(finished), len(demonstration.rules)), quiet)
    return demonstration.report(finished) if finished else None, code


def _say(text: str, quiet: bool) -> None:
    """Say something beside the document."""
    if not quiet and sys.stderr is not None:
        print(text, file=sys.stderr)  # noqa: T201


def _fails(report: "DemoReport", causes: list[str]) -> bool:
    """Whether a strategy ended as one of the causes says."""
    found = {"diverged" for one in report.strategies if one.diverged}
    found |= {"nonfinite" for one in report.strategies if one.nonfinite_steps}
    return bool(found if "any" in causes else found & set(causes))
