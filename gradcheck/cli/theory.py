"""``gradcheck theory``."""

from typing import Annotated

import typer

from gradcheck.cli import options as given
from gradcheck.cli.output import JSON, OutputFile, check_writable, show
from gradcheck.engine.threads import settle_threads

#: Format ↦ where it is made.
FORMATS = {
    "text": "gradcheck.mean_field.text:as_text",
    "json": JSON,
    "csv": "gradcheck.mean_field.formats:as_csv",
    "markdown": "gradcheck.mean_field.formats:as_markdown",
}

PhaseDiagram = Annotated[
    bool, typer.Option("--phase-diagram", help="Draw order and chaos in the plane of sigma_w and sigma_b.")
]
BatchSize = Annotated[int, typer.Option(metavar="N", help="Examples of the batch; only --norm batch asks for it.")]
Activation = Annotated[str | None, given.named(given.ACTIVATIONS, "Activation", show_default="sigmoid")]
Norm = Annotated[
    str | None,
    given.named(given.NORMS, "Normalisation between linear map and activation", show_default="none"),
]
ResidualScale = Annotated[
    float | None,
    typer.Option(metavar="A", help="Scale of what stands beside the skip connection.", show_default="1"),
]


def theory(
    depth: given.Depth = None,
    width: given.Width = None,
    activation: Activation = None,
    init: given.Init = None,
    gain: given.Gain = None,
    weight_std: given.WeightStd = None,
    bias_std: given.BiasStd = None,
    norm: Norm = None,
    residual: given.Residual = None,
    residual_scale: ResidualScale = None,
    batch_size: BatchSize = 64,
    phase_diagram: PhaseDiagram = False,
    format: given.Format = "text",
    json: given.Json = False,
    output: OutputFile = None,
    quiet: given.Quiet = False,
) -> None:
    """What does mean-field theory say of such a network, without drawing a single weight?

    Prints whether gradients vanish (ordered), explode (chaotic) or keep their size (critical) in the limit of
    infinite width, how deep such a network can be, the gain at which it would be critical, and the predicted gradient
    of each layer. The width turns --init into sigma_w^2 = fan_in * Var W; inputs count as standardised.
    """
    name = given.chosen_format(format, json, given.FORMATS)
    check_writable(output)
    settle_threads()
    from gradcheck import theory as said

    report = said(
        depth=depth,
        width=given.parse_width(width),
        activation=activation,
        init=init,
        gain=gain,
        weight_std=weight_std,
        bias_std=bias_std,
        norm=norm,
        residual=residual,
        residual_scale=residual_scale,
        batch_size=batch_size,
        phase_diagram=phase_diagram,
    )
    show(report, name, FORMATS, output, quiet=quiet)
