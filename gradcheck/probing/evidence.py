"""What a pass through a user's own model has to show for the model to be judged, whoever measured it."""

from collections.abc import Sequence
from typing import Protocol

from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.status import Status
from gradcheck.flow.model_flow import ModelFlow
from gradcheck.probing.first_loss import FirstLoss
from gradcheck.probing.terms import Term

#: A softmax that another one follows is sharp where less than this share of its slope is left.
SHARP = 0.5


class PartsEvidence(Protocol):
    """What particular parts of a model show: recurrences, attention, checkpoints."""

    @property
    def status(self) -> Status | None:
        """The verdict where nothing else is wrong."""

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why."""

    @property
    def notes(self) -> tuple[Cause, ...]:
        """What else is worth knowing."""


class TrainedEvidence(Protocol):
    """Which parameters are trained at all."""

    @property
    def silent(self) -> int:
        """How many there are, if the gradient of all of them is exactly zero or missing; otherwise 0."""

    @property
    def zeros(self) -> tuple[str, ...]:
        """Of these the ones that are zero themselves."""

    @property
    def frozen(self) -> tuple[str, ...]:
        """Parameters that aren't trained."""


class LossEvidence(Protocol):
    """What lies between the output and the loss."""

    @property
    def first(self) -> FirstLoss:
        """The loss, and what a constant answer costs."""

    @property
    def terms(self) -> Sequence[Term]:
        """Of a loss that is a sum."""


class Evidence(Protocol):
    """What one pass through a model found."""

    @property
    def flow(self) -> ModelFlow:
        """What was measured, layer by layer."""

    @property
    def first_rms(self) -> float:
        """Root mean square of the floats that go in; nan without any."""

    @property
    def closed(self) -> Cause | None:
        """What lets no gradient through between loss and read-out, if anything does."""

    @property
    def cut(self) -> str:
        """Why no layer but the last receives a gradient, where none does."""

    @property
    def untrained(self) -> Cause | None:
        """Why nothing that is to be trained gets a gradient, where nothing does."""

    @property
    def origins(self) -> tuple[Cause, ...]:
        """What alone explains what the pass shows."""

    @property
    def of_loss(self) -> tuple[Cause, ...]:
        """What is wrong between the output and the loss."""

    @property
    def parts(self) -> PartsEvidence:
        """What particular parts of the model show."""

    @property
    def at_loss(self) -> LossEvidence:
        """What lies between the output and the loss."""

    @property
    def trained(self) -> TrainedEvidence:
        """Which parameters are trained."""

    @property
    def lost(self) -> tuple[str, ...]:
        """Layers that are trained and get no gradient, though the loss depends on them."""

    @property
    def rounding(self) -> tuple[str, ...]:
        """Layers whose gradient is rounding and nothing else."""

    @property
    def unused(self) -> tuple[str, ...]:
        """Parameters that no gradient reaches."""

    @property
    def silent(self) -> tuple[str, ...]:
        """Parameters whose gradient is exactly zero."""

    @property
    def opened(self) -> tuple[str, ...]:
        """Weights that start at zero, and are measured after the first steps of training."""

    @property
    def shut(self) -> tuple[str, ...]:
        """Weights that start at zero and stay there."""

    @property
    def gated(self) -> bool:
        """Whether some branches start next to nothing."""

    @property
    def ill_layers(self) -> list[int]:
        """Layers, from 1, whose weights are not finite before the pass."""

    @property
    def log10_readout_weight(self) -> float:
        """log10 of the norm of the read-out's weights; nan without a read-out."""
