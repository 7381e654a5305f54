"""``gradcheck compare``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gradcheck.cli import options as given
from gradcheck.cli.output import OutputFile, check_writable
from gradcheck.errors import OptionError, one_of


def _varied(meaning: str, example: str) -> Any:  # noqa: ANN401
    """Return an option that takes several values."""
    return typer.Option(metavar="LIST", help=f"{meaning}, as in {example}")


Text = str | None


def compare(
    command: typer.Context,
    new: Annotated[Path | None, typer.Argument(metavar="[NEW]", help="A report to hold against --baseline.")] = None,
    preset: Annotated[Text, _varied("Published transformers", "gpt2,bert-base")] = None,
    arch: Annotated[Text, _varied("Kinds of network", "rnn,lstm,gru")] = None,
    depth: Annotated[Text, _varied("Hidden layers", "10,50 or 10:100:10")] = None,
    steps: Annotated[Text, _varied("Time steps of rnn, lstm, gru", "8,16,64")] = None,
    width: Annotated[Text, _varied("Units of the hidden layers", "64,128")] = None,
    blocks: Annotated[Text, _varied("Blocks of a transformer", "6:48:6")] = None,
    model_width: Annotated[Text, _varied("Widths of a residual stream", "256,768")] = None,
    heads: Annotated[Text, _varied("Attention heads", "1,12")] = None,
    kv_heads: Annotated[Text, _varied("Heads with keys and values of their own", "1,12")] = None,
    mlp_ratio: Annotated[Text, _varied("Hidden units of an MLP over the width", "2,4")] = None,
    tokens: Annotated[Text, _varied("Tokens of a sequence", "16,64")] = None,
    activation: Annotated[Text, _varied("Activations", "sigmoid,tanh,relu")] = None,
    init: Annotated[Text, _varied("Initialisations", "xavier,he,orthogonal")] = None,
    gain: Annotated[Text, _varied("Factors of the initial standard deviation", "0.5:3.0:6log")] = None,
    recurrent_gain: Annotated[Text, _varied("Factors of the recurrent weights", "0.5,1,2")] = None,
    forget_bias: Annotated[Text, _varied("Biases of the gate that keeps the memory", "0,1,4")] = None,
    weight_std: Annotated[Text, _varied("Standard deviations of --init normal, uniform", "0.05,0.1")] = None,
    bias_std: Annotated[Text, _varied("Standard deviations of the initial biases", "0,0.1")] = None,
    norm: Annotated[Text, _varied("Normalisations", "none,layer,batch")] = None,
    norm_placement: Annotated[Text, _varied("Places of a transformer's norms", "pre,post,both")] = None,
    residual: Annotated[Text, _varied("Skip connections", "yes, no or both")] = None,
    residual_scale: Annotated[Text, _varied("Scales beside the skip connection", "0.1,1,gpt2,deepnorm")] = None,
    causal: Annotated[Text, _varied("Tokens see only those before them", "yes, no or both")] = None,
    positions: Annotated[Text, _varied("Kinds of positions", "learned,rotary")] = None,
    tied: Annotated[Text, _varied("Transposed embedding as read-out", "yes, no or both")] = None,
    biases: Annotated[Text, _varied("Biases in a transformer's maps", "yes, no or both")] = None,
    vocabulary: Annotated[Text, _varied("Kinds of tokens", "256,50257")] = None,
    context: Annotated[Text, _varied("Positions that a learned embedding knows", "1024")] = None,
    patch: Annotated[Text, _varied("Numbers of a patch", "8,16")] = None,
    data: Annotated[Text, _varied("Data", "digits,gaussian,mine.npz")] = None,
    batch_size: Annotated[Text, _varied("Examples in the batch", "32,64")] = None,
    dtype: Annotated[Text, _varied("Arithmetic", "float64,float32")] = None,
    layers: Annotated[Text, _varied("How random layers are represented", "dense,weightless")] = None,
    labels: given.Labels = False,
    shuffle: given.Shuffle = True,
    seed: given.Seed = 0,
    seeds: given.CompareSeeds = None,
    vanish_below: given.VanishBelow = 1e-3,
    explode_above: given.ExplodeAbove = 1e3,
    max_span: given.MaxSpan = 2.3,
    min_rank: given.MinRank = 1.8,
    dead_above: given.DeadAbove = 0.9,
    saturated_above: given.SaturatedAbove = 0.9,
    sort: given.Sort = "score",
    top: given.Top = None,
    group_by: given.GroupBy = None,
    workers: given.WorkersOption = None,
    scheduler: given.Scheduler = None,
    journal: given.JournalFile = None,
    max_rows: given.MaxRows = 100_000,
    baseline: given.Baseline = None,
    tolerance: given.Tolerance = 0.1,
    format: given.CompareFormat = "text",
    json: given.Json = False,
    output: OutputFile = None,
    fail_on: given.CompareFailOn = None,
    any_healthy: given.AnyHealthy = False,
    quiet: given.Quiet = False,
) -> None:
    """Which of these initialisations, activations, norms, depths keeps the gradient alive? Ranked.

    Simulates every combination. Each network option takes a comma list, a range first:last:step, or of numbers
    first:last:6log; with --baseline it holds one network against an earlier report instead.
    """
    name = given.chosen_format(format, json, given.COMPARE_FORMATS)
    causes = [one_of("fail_on", cause, given.COMPARE_CAUSES) for cause in fail_on or ()]
    check_writable(output)
    options = {**command.params, "new": new, "baseline": baseline, "output": output, "journal": journal}
    if baseline is not None:
        from gradcheck.cli.baseline import run_baseline

        raise typer.Exit(run_baseline(options, name, causes))
    if new is not None or "regression" in causes:
        option, subject = ("baseline", "NEW") if new is not None else ("fail_on", "regression")
        raise OptionError(option, f"{subject} needs an earlier report: --baseline OLD.json")
    from gradcheck.cli.sweep import run_sweep

    raise typer.Exit(run_sweep(options, name, causes))
