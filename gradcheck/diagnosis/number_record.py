"""What a report says of number formats. Loads no NumPy."""

from typing import Literal

from gradcheck.base.record import Record, item
from gradcheck.spec.names import NUMBER_FORMATS


class SharesRecord(Record):
    """What a cast does to those of a tensor's entries that aren't zero."""

    to_zero: float = item("share that rounds to zero", minimum=0, maximum=1)
    subnormal: float = item("share that rounds to a subnormal number, which has fewer digits", minimum=0, maximum=1)
    overflow: float = item("share that rounds beyond the largest number", minimum=0, maximum=1)
    log2_scale: int | None = item(
        "log2 of what multiplies it before the cast, the least of several tensors; null: each block has its own"
    )


class CastLayerRecord(Record):
    """One layer in a format; null: it has no such tensor, or that is zero."""

    layer: int | None = item("its index among layers; null: it isn't one of them after training", minimum=1)
    name: str
    activations: SharesRecord | None = item("the inputs X of its linear maps")
    weights: SharesRecord | None = item("W; of a recurrence in each step the same")
    gradients: SharesRecord | None = item("∂loss/∂(X W)")
    weight_gradients: SharesRecord | None = item("∂loss/∂W; of a recurrence that of all steps together")


class FormatRecord(Record):
    """One format, and how tensors are scaled before they are cast."""

    format: str = item(enum=list(NUMBER_FORMATS))
    scaling: Literal["loss", "tensor", "block"] = item(
        "loss: gradients by the loss scale, all else as it is; tensor: each by the largest power of two that keeps its "
        "largest entry; block: each 32 neighbours along the sum of the product by theirs (OCP MX)"
    )
    loss_scale: int | None = item("the largest at which no gradient overflows, from 2**16 down by 2**4", minimum=1)
    largest: float = item("the format's largest number")
    smallest_normal: float = item("the smallest number with all its digits")
    smallest_subnormal: float = item("the smallest number above zero")
    layers: tuple[CastLayerRecord, ...]


class UpdateRecord(Record):
    """What rounding leaves of a layer's step of training."""

    layer: int | None = item("its index among layers", minimum=1)
    name: str
    lost: float | None = item(
        "share of the weights that a step leaves as they are, of those whose gradient isn't zero; null: none is",
        minimum=0,
        maximum=1,
    )


class NumberFormatsRecord(Record):
    """What number formats lose of the tensors that a network's matrix products take in."""

    lr: float = item("learning rate of the updates", exclusiveMinimum=0)
    weights: Literal["all", "drawn"] = item(
        "drawn: of weightless layers, 64 to 127 rows of the weights are drawn from their law and stand for all"
    )
    formats: tuple[FormatRecord, ...]
    updates_lost: float | None = item("of all layers together, as in updates", minimum=0, maximum=1)
    updates: tuple[UpdateRecord, ...] = item("of weights kept in bf16, by one step of plain SGD at lr")
