"""The report: plain data with one dict form, strict JSON values throughout. Loads no NumPy."""

from typing import Annotated, Any, Literal

from gradcheck.base.document import CommandReport
from gradcheck.base.record import Frozen, Record, banded, item
from gradcheck.diagnosis.model_record import ModelRecord
from gradcheck.diagnosis.number_record import NumberFormatsRecord
from gradcheck.diagnosis.rate_record import LearningRateRecord
from gradcheck.diagnosis.sentences.codes import CODES
from gradcheck.diagnosis.status import FLAGS, Flag, Status
from gradcheck.diagnosis.trial_record import NetworkTrialRecord

GRADIENT_SPAN = "decades between the strongest and the weakest layer's gradient; null: one is exactly zero"
EFFECTIVE_RANK_LAST = "effective rank of the last hidden layer's outputs"


def _log10(name: str) -> Any:  # noqa: ANN401
    return item(f"base-10 logarithm of {name}, right where {name} is null", banded=True, beside=True)


class LayerRecord(Record):
    """One hidden layer."""

    index: int = item(minimum=1)
    name: str
    kind: str | None = item(
        "what the layer is: gradient_ratio, local_gain and the spans compare layers of one kind and role only",
        default=None,
        of="probe",
    )
    fan_in: int = item(minimum=1)
    fan_out: int = item(minimum=1)
    preactivation_std: float | None = item(
        "standard deviation over batch and units of z: the pre-activations x W + b, or at a transformer's flow point "
        "what the branch adds to the residual stream, or the stream",
        banded=True,
    )
    activation_rms: float | None = item("root mean square of the layer's outputs over batch and units", banded=True)
    input_cosine: float | None = item(
        "mean cosine between the layer's outputs for distinct examples; 1: all point one way", banded=True
    )
    effective_rank: float | None = item(
        "exp of the entropy of the normalised squared singular values of the batch-centred outputs; "
        "1: the examples differ along one direction only",
        banded=True,
    )
    dead_fraction: float | None = item(
        "share of units whose derivative is exactly 0 for the whole batch; null where there is no activation",
        banded=True,
    )
    saturated_fraction: float | None = item(
        "share of entries whose activation derivative is below 1 % of that activation's largest; null where there is "
        "no activation",
        banded=True,
    )
    gradient_rms: float | None = item("root mean square over batch and units of ∂loss/∂z", banded=True)
    log10_gradient_rms: float | None = _log10("gradient_rms")
    gradient_ratio: float | None = item(
        "gradient_rms over that of the last hidden layer; small: vanishing, large: exploding", banded=True
    )
    log10_gradient_ratio: float | None = _log10("gradient_ratio")
    local_gain: float | None = item(
        "gradient_rms over that of the next layer: the chain rule's factor across one layer; null for the last",
        banded=True,
    )
    weight_norm: float | None = item(
        "Frobenius norm of W, of a weightless layer its root mean square; null where a flow point has no weights",
        banded=True,
    )
    weight_gradient_norm: float | None = item("Frobenius norm of ∂loss/∂W", banded=True)
    log10_weight_gradient_norm: float | None = _log10("weight_gradient_norm")
    status: Literal["ok", "underflow", "overflow", "nan"] = item(
        "why a number is null or 0: a magnitude is exactly zero or too small for a float, too large for one, or not a "
        "number"
    )
    flag: Flag
    role: str | None = item(
        "its place in a block: its name without the numbers of blocks and stages; layers whose role no other of their "
        "kind has are compared with each other",
        default=None,
        of="probe",
    )


class OutputRecord(Record):
    """The read-out and the loss."""

    loss: float | None = item("mean over the batch", banded=True)
    logit_rms: float | None = item("root mean square of the read-out's outputs", banded=True)
    weight_gradient_norm: float | None = item("Frobenius norm of ∂loss/∂W of the read-out", banded=True)


class RegionRecord(Record):
    """Neighbouring layers with one flag."""

    flag: Flag = item(enum=list(FLAGS[1:]))
    first_layer: int = item(minimum=1)
    last_layer: int = item(minimum=1)
    worst_layer: int = item(minimum=1)
    log10_worst_ratio: float | None = item("log10 of the gradient_ratio furthest from 1; null where it is zero")


class SummaryRecord(Record):
    """The whole network in a few numbers."""

    gradient_span: float | None = item(GRADIENT_SPAN, banded=True)
    mean_local_gain: float | None = item("geometric mean of the local gains; of a transformer, per block", banded=True)
    effective_rank_last: float | None = item(EFFECTIVE_RANK_LAST, banded=True)
    weight_gradient_span: float | None = item(
        "decades between the strongest and the weakest layer's weight gradient (root mean square of its entries; of a "
        "transformer, among flow points of one kind); null: one is exactly zero",
        banded=True,
    )
    effective_rank_least: float | None = item(
        "smallest effective rank of the layers, of a transformer's stream after its blocks; of a recurrence that of "
        "the last step",
        banded=True,
    )
    sensitivity: float | None = item(
        "by which part of what tells the examples apart the outputs change, to first order, as all weights and biases "
        "of the hidden layers move at random by 1 % of the layer's weights (root mean squares); null: it isn't known",
        banded=True,
    )
    parameters: int = item("how many numbers training would change, all biases among them")


class CauseRecord(Record):
    """What decided, as data and as a sentence."""

    code: str = item(oneOf=[{"const": code, "description": one.meaning} for code, one in CODES.items()])
    layers: tuple[int, ...] | None = item("the first and the last one concerned", minItems=2, maxItems=2)
    value: float | None = item("the number that decided")
    limit: float | None = item("what it was compared with")
    text: str = item("the same in words, as in reasons")
    passed: bool = item(
        "whether it is a check that went well; false: it speaks against the network, or is a remark", default=False
    )


class VerdictRecord(Record):
    """The verdict, and why."""

    status: Status = item("no-gradient and not-learning: of probe only")
    trainable: bool = item("score ≥ 0.5")
    score: float = item(
        "probability that plain SGD trains the network; it doesn't hold where a healthy verdict has causes that aren't "
        "passed, and text then gives none",
        minimum=0,
        maximum=1,
    )
    reasons: tuple[str, ...]
    causes: tuple[CauseRecord, ...] = item("the reasons as data, in the same order")


class PredictionRecord(Record):
    """What mean-field theory says of the network; all None but the words where it says nothing."""

    mean_local_gain: float | None = item("geometric mean of the predicted local gains")
    gradient_span: float | None = item("decades between the strongest and the weakest layer's predicted gradient")
    log10_gradient_ratio: float | None = item("predicted log10 of the first layer's gradient_rms over the last one's")
    log10_gradient_ratio_std: float | None = item("its standard deviation among networks of this width")
    agrees: bool | None = item("whether the measurement lies where such networks lie")
    local_gains: tuple[Annotated[float | None, "one layer's"], ...] | None = item(
        "the local gain of each layer, first to last; null for the last"
    )
    says: str = item("the comparison in words, or why there is no prediction")
    log10_gradient_ratios: tuple[float, ...] | None = item(
        "predicted log10 of each layer's gradient_rms over the last one's", default=None, inner=True
    )
    log10_gradient_ratio_stds: tuple[float | None, ...] | None = item(
        "their standard deviations among networks of this width", default=None, inner=True
    )
    preactivation_stds: tuple[Annotated[float | None, "one flow point's"], ...] | None = item(
        "of a transformer: the predicted preactivation_std of each flow point", default=None
    )
    token_cosines: tuple[Annotated[float | None, "one flow point's"], ...] | None = item(
        "of a transformer: the predicted input_cosine of each flow point", default=None
    )


class SuggestionRecord(Record):
    """A change that fixes the network, simulated."""

    changes: Frozen[Any] = item("options and their new values; of probe what the code changes")
    command: str = item("the whole command line with these changes; of probe the PyTorch code")
    status: Status
    score: float = item("as in the verdict", minimum=0, maximum=1)
    gradient_span: float | None = item(GRADIENT_SPAN)
    effective_rank_last: float | None = item(EFFECTIVE_RANK_LAST)
    loss: float | None = item("of other steps: the first batch's loss after them", default=None, of="probe")
    first_loss: float | None = item(
        "of simulate: the loss where training starts, if it is more than 10 times what guessing costs", default=None
    )


BandedLayerRecord = banded(LayerRecord)
BandedOutputRecord = banded(OutputRecord)
BandedSummaryRecord = banded(SummaryRecord)


class Report(CommandReport):
    """What one command found; the fields' meanings are in ``gradcheck schema``."""

    text = "gradcheck.diagnosis.text:as_text"
    figure = "gradcheck.diagnosis.plot:plot"
    page = "gradcheck.diagnosis.html:as_html"

    config: Frozen[Any] = item("every option with its resolved value")
    layers: tuple[LayerRecord, ...] = item("the hidden layers, first to last")
    output: OutputRecord
    regions: tuple[RegionRecord, ...]
    summary: SummaryRecord
    verdict: VerdictRecord
    prediction: PredictionRecord | None = item(default=None, of="simulate")
    trial: NetworkTrialRecord | None = item("of simulate --trial", default=None)
    suggestions: tuple[SuggestionRecord, ...] | None = item(
        "each is enough alone; the likeliest to train first, of those above 95 % the smallest change, a smaller "
        "network last; of other steps of training the lowest loss first",
        default=None,
    )
    model: ModelRecord | None = item(default=None, of="probe")
    number_formats: NumberFormatsRecord | None = item("what --number-format asked for", default=None)
    learning_rate: LearningRateRecord | None = item("what probe --rate found", default=None)
    unit: str = item("what a layer is called: layer, step, or block", default="layer", inner=True)
    points: tuple[str, ...] = item("flow points of each block, a layer each", default=(), inner=True)
