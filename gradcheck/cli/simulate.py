"""``gradcheck simulate``."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from gradcheck.cli import options as given
from gradcheck.cli.output import JSON, OutputFile, check_writable, show
from gradcheck.cli.progress import ShareProgress
from gradcheck.engine.threads import settle_threads
from gradcheck.errors import one_of

if TYPE_CHECKING:
    from gradcheck import Report

#: Format ↦ where it is made.
FORMATS = {
    "text": "gradcheck.diagnosis.text:as_text",
    "json": JSON,
    "csv": "gradcheck.diagnosis.formats:as_csv",
    "markdown": "gradcheck.diagnosis.formats:as_markdown",
}

#: Options that say how the result is shown rather than what is simulated.
PRESENTATION = ("format", "json", "output", "fail_on", "suggest", "all_layers", "quiet")


def simulate(
    command: typer.Context,
    preset: given.Preset = None,
    arch: given.Arch = None,
    depth: given.Depth = None,
    steps: given.Steps = None,
    width: given.Width = None,
    blocks: given.Blocks = None,
    model_width: given.ModelWidth = None,
    heads: given.HeadsOption = None,
    kv_heads: given.KvHeads = None,
    mlp_ratio: given.MlpRatio = None,
    tokens: given.TokensOption = None,
    activation: given.Activation = None,
    init: given.Init = None,
    gain: given.Gain = None,
    recurrent_gain: given.RecurrentGain = None,
    forget_bias: given.ForgetBias = None,
    weight_std: given.WeightStd = None,
    bias_std: given.BiasStd = None,
    norm: given.Norm = None,
    norm_placement: given.Placement = None,
    residual: given.Residual = None,
    residual_scale: given.ResidualScale = None,
    causal: given.Causal = None,
    positions: given.Positions = None,
    tied: given.Tied = None,
    biases: given.Biases = None,
    vocabulary: given.Vocabulary = None,
    context: given.Context = None,
    patch: given.Patch = None,
    data: given.Data = None,
    labels: given.Labels = False,
    batch_size: given.BatchSize = None,
    shuffle: given.Shuffle = True,
    weights: given.Weights = None,
    save_weights: given.SaveWeights = None,
    layers: given.Layers = "auto",
    seed: given.Seed = 0,
    seeds: given.Seeds = 1,
    dtype: given.Dtype = "float64",
    vanish_below: given.VanishBelow = 1e-3,
    explode_above: given.ExplodeAbove = 1e3,
    max_span: given.MaxSpan = 2.3,
    min_rank: given.MinRank = 1.8,
    dead_above: given.DeadAbove = 0.9,
    saturated_above: given.SaturatedAbove = 0.9,
    suggest: given.Suggest = None,
    format: given.Format = "text",
    json: given.Json = False,
    output: OutputFile = None,
    fail_on: given.FailOn = None,
    all_layers: given.AllLayers = False,
    quiet: given.Quiet = False,
) -> None:
    """Does this network's gradient survive from the last layer to the first, before any training?

    Passes one batch forward and its gradient back through a network at initialisation (or with your own
    --weights), and prints the verdict, where the gradient is lost, and what would bring it back.
    """
    name = given.chosen_format(format, json, given.FORMATS)
    causes = [one_of("fail_on", cause, given.CAUSES) for cause in fail_on or ()]
    check_writable(output)
    network = {key: value for key, value in command.params.items() if key not in PRESENTATION}
    network["width"] = given.parse_width(width)
    settle_threads()
    from gradcheck import simulate as simulation

    with ShareProgress(quiet) as tick:
        report = simulation(**network, suggest=suggest if name == "text" else bool(suggest), tick=tick)
    how = {"all_layers": all_layers} if name == "text" else {}
    show(report, name, FORMATS, output, quiet=quiet, **how)
    raise typer.Exit(1 if fails(report, causes) else 0)


def fails(report: "Report", causes: Iterable[str]) -> bool:
    """Whether the verdict or a layer's flag is one of the causes."""
    found = {report.verdict.status, *(layer.flag for layer in report.layers)}
    wanted = set(given.CAUSES) if "any" in causes else set(causes)
    return bool(found & wanted)
