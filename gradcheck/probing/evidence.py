"""What a pass through a user's own model shows, whoever measured it: what its verdict is made of."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import NamedTuple

from gradcheck.base.record import power_of_ten
from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.status import Status
from gradcheck.flow.model_flow import ModelFlow
from gradcheck.probing.first_loss import FirstLoss
from gradcheck.probing.terms import Term

#: A softmax that another one follows is sharp where less than this share of its slope is left.
SHARP = 0.5


@dataclass(frozen=True)
class Parts:
    """What particular parts of a model show: recurrences, attention, checkpoints."""

    status: Status | None = None  # the verdict where nothing else is wrong
    causes: tuple[Cause, ...] = ()  # why
    notes: tuple[Cause, ...] = ()  # what else is worth knowing


class Trained(NamedTuple):
    """Which parameters are trained at all."""

    silent: int = 0  # how many there are, if the gradient of all of them is exactly zero or missing; otherwise 0
    zeros: tuple[str, ...] = ()  # of these the ones that are zero themselves
    frozen: tuple[str, ...] = ()  # those that aren't trained


class AtLoss(NamedTuple):
    """What lies between the output and the loss."""

    first: FirstLoss = FirstLoss()  # the loss, and what a constant answer costs
    terms: tuple[Term, ...] = ()  # of a loss that is a sum
    adds_constant: bool = False  # one of its terms has no graph


@dataclass(frozen=True, kw_only=True)
class Evidence(ABC):
    """What one pass through a model found."""

    flow: ModelFlow
    loss: str  # its name
    first_rms: float  # root mean square of the floats that go in; nan without any
    at_loss: AtLoss
    trained: Trained
    parts: Parts = field(default_factory=Parts)
    closed: Cause | None = None  # what lets no gradient through between loss and read-out, if anything does
    cut: str = ""  # why no layer but the last receives a gradient, where none does
    untrained: Cause | None = None  # why nothing that is to be trained gets a gradient, where nothing does
    origins: tuple[Cause, ...] = ()  # what alone explains what the pass shows
    of_loss: tuple[Cause, ...] = ()  # what is wrong between the output and the loss
    lost: tuple[str, ...] = ()  # layers that are trained and get no gradient, though the loss depends on them
    rounding: tuple[str, ...] = ()  # layers whose gradient is rounding and nothing else
    unused: tuple[str, ...] = ()  # parameters that no gradient reaches
    silent: tuple[str, ...] = ()  # parameters whose gradient is exactly zero
    # weights that start at zero and are measured after the first steps of training, and those that stay there
    opened: tuple[str, ...] = ()
    shut: tuple[str, ...] = ()
    columns: Cause | None = None  # that one column of a table is all that tells its rows apart, so that they look alike
    outputs_apart: float = math.nan  # root mean square of the outputs, centred over the examples; nan where unknown
    outputs: int = 1  # their numbers, which a loss may be summed over
    given_rms: float = math.nan  # root mean square of what the first layer is given; nan where it isn't of floats
    suspected: tuple[Cause, ...] = ()  # what is a reason for a trial, and nothing to say where the model learns
    partial: Cause | None = None  # that the gradient is that of a part of the loss only, if it is
    unheard: float = math.nan  # share of the examples whose gradient is lost between the read-out and the first layer
    gated: bool = False  # some branches start next to nothing

    @property
    def drowning_column(self) -> Cause | None:
        """What makes the examples look alike where that is a column which drowns the others."""
        named = self.columns is not None and (self.columns.value or 0) > (self.columns.limit or 0)
        return self.columns if named else None

    def sized(self, first: FirstLoss) -> FirstLoss:
        """Return a first loss with the sizes that it is held against."""
        inputs_rms = math.nan if self.flow.normalized[0] else self.first_rms
        log10_rms = self.flow.output.log10_logit_rms
        readout_rms = math.nan if math.isnan(log10_rms) else power_of_ten(log10_rms)
        return first._replace(readout_rms=readout_rms, inputs_rms=inputs_rms)

    @property
    @abstractmethod
    def ill_layers(self) -> list[int]:
        """Layers, from 1, whose weights are not finite before the pass."""

    @property
    @abstractmethod
    def log10_readout_weight(self) -> float:
        """log10 of the norm of the read-out's weights; nan without a read-out."""
