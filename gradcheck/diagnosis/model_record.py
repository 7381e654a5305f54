"""What a report says of a user's own model alone."""

from typing import Literal

from gradcheck.base.record import Record, item
from gradcheck.diagnosis.status import Status


class TrainingRecord(Record):
    """The steps that a probe took."""

    losses: tuple[float | None, ...] = item("before each step, and after the last")
    first_batch_loss: float | None = item(
        "that of the first batch after the last step, with the random numbers of its first pass"
    )
    statuses: tuple[Status, ...] = item("as many verdicts")
    sick_from_step: int | None = item("steps after which it is ill to the end; null: it is healthy then", minimum=0)
    first_layer: str | None = item("where that showed first")


class TrialRecord(Record):
    """Training on the batch, tried before a model is accused: 40 steps of Adam at each of three rates, or 80."""

    first: float = item("the loss at the start")
    constant: float | None = item("what a constant answer costs, or else outputs that are all zero; null: unknown")
    last: float | None = item("the loss in the end, the median of the last five; null: not finite")
    rate: float = item("the learning rate that did better")
    steps: int = item("taken at that rate", minimum=1)
    goal: float = item(
        "the loss that would have been enough: 0.7, of a collapsed model 0.5, of what is known without it"
    )
    learns: bool


class UnderflowRecord(Record):
    """What half precision loses of a layer's gradient."""

    layer: str
    share: float | None = item(
        "of the entries of its gradient that are not zero in full precision, those that are in half"
    )


class PrecisionRecord(Record):
    """Half precision."""

    amp: Literal["fp16", "bf16"]
    loss_scale: int = item(minimum=1)
    underflow: tuple[UnderflowRecord, ...] = item("layers that lose more than 1 %, worst first")


class TermRecord(Record):
    """One term of a loss that is a sum."""

    name: str
    gradient_norm: float | None = item(
        "Frobenius norm of its gradient at the weights of the last layer that all terms share; null: there is none"
    )
    share: float | None = item("of the sum of these norms")


class LossRecord(Record):
    """The loss where training starts."""

    first: float | None = item("of the model as it is, before any step")
    constant_answer: float | None = item(
        "what the best answer costs that is the same for all examples: ln(classes) of a cross-entropy, the targets' "
        "variance of a mean squared error; null: not known of this loss"
    )
    classes: int | None = item("those of a cross-entropy")
    terms: tuple[TermRecord, ...] = item("what it is a sum of, left to right; empty: it is none, or of more than 8")


class GateRecord(Record):
    """One gate of a recurrence, over all steps, units and examples."""

    name: str
    largest: float | None = item("its largest value")
    saturated: float | None = item("share of its entries whose slope is below 1 % of the largest")
    saturated_by_inputs: float | None = item("the share that the inputs times their weights alone would saturate")


class RecurrenceRecord(Record):
    """A recurrent cell, or a layer of a recurrent module in one direction, gone through step by step."""

    module: str
    part: str = item("as in the names of the module's weights: l0, l0_reverse; empty: it is a cell")
    kind: str = item("LSTM, GRU, RNN_TANH or RNN_RELU")
    steps: int = item(minimum=1)
    log10_gradient_ratio: float | None = item(
        "log10 of ‖∂loss/∂h‖ at the first step that has a gradient over that at the last one, h being the state after "
        "the step; of a direction in its own order"
    )
    step_gain: float | None = item(
        "by what factor a gradient at the last state changes with each step back, whatever the loss reads"
    )
    gates: tuple[GateRecord, ...]


class AttentionRecord(Record):
    """One attention at the start, of each head over up to 4 examples."""

    layer: str = item("the layer that takes it in")
    entropy: tuple[float | None, ...] = item(
        "mean over rows of a row's entropy over the largest it could have: 1 looks everywhere alike, 0 at one token"
    )
    largest_score: tuple[float | None, ...] = item("the largest above the mean of its row, before the softmax")


class ModelRecord(Record):
    """What only a user's own model has."""

    loss_by_default: bool = item("no loss was named: config has the one taken")
    loss: LossRecord
    readout: str | None = item("the last module with weights that is used: it is output, not one of layers")
    frozen: tuple[str, ...] = item("parameters that are not trained")
    lost: tuple[str, ...] = item("layers that are trained and get no gradient, though the loss depends on them")
    unused: tuple[str, ...] = item("parameters that are trained and never receive a gradient")
    zero_gradient: tuple[str, ...] = item("parameters whose gradient is exactly zero on this batch")
    opened: tuple[str, ...] = item(
        "weights that start at zero, measured with the values of the first steps of training"
    )
    attention: tuple[AttentionRecord, ...] = item("attention with a softmax over products of queries and keys")
    recurrences: tuple[RecurrenceRecord, ...] = item("recurrent modules and cells, step by step")
    shut: tuple[str, ...] = item("weights that start at zero and that no step of training changes")
    elasticity: float | None = item(
        "log10 of by which part of itself the loss changes as a typical layer's weights change by their own size"
    )
    trial: TrialRecord | None = item("null: nothing looked lost, or no trial was wanted")
    training: TrainingRecord | None = item("null: no steps were taken")
    precision: PrecisionRecord | None = item("null: full precision")
