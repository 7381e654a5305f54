"""Recurrent networks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gradcheck.errors import OptionError, at_least, finite, one_of
from gradcheck.spec.initial import InitialSpec, pick
from gradcheck.spec.names import ACTIVATIONS, IDLE, RECURRENT, USUAL_FORGET_BIAS


@dataclass(frozen=True, kw_only=True)
class RecurrentSpec(InitialSpec):
    """One recurrent layer that reads a sequence, and a linear read-out of its last hidden state.

    Attributes
    ----------
    arch : str
        One of ``RECURRENT``.
    steps : int
        Time steps: an example's features are cut into so many equal pieces.
    width : int
        Units of the hidden state.
    activation : str
        One of ``ACTIVATIONS``, of an rnn; lstm and gru have tanh.
    init, gain, weight_std, bias_std
        As in ``InitialSpec``, of each gate's matrices.
    recurrent_gain : float
        Multiplies the standard deviation of the recurrent weights, from hidden state to hidden state, once more.
    forget_bias : float or None
        Initial bias of the gate that keeps the memory: an lstm's forget gate (1; Gers et al. 2000), a gru's update
        gate (0); an rnn has none.
    """

    arch: str = "rnn"
    steps: int = 64
    width: int = 128
    activation: str = "tanh"
    recurrent_gain: float = 1.0
    forget_bias: float | None = None

    def __post_init__(self) -> None:
        one_of("arch", self.arch, RECURRENT)
        one_of("activation", self.activation, ACTIVATIONS)
        super().__post_init__()
        if isinstance(self.width, list | tuple):
            raise OptionError("width", f"is one number with --arch {self.arch}: it has one hidden layer")
        gain = finite("recurrent_gain", self.recurrent_gain, "it multiplies the recurrent weights", above=0)
        self._settle(
            steps=at_least("steps", self.steps, 1, "a sequence has at least one time step"),
            width=at_least("width", self.width, 1, "the hidden state has at least one unit; 128 is the default"),
            recurrent_gain=gain,
            forget_bias=self._keeper_bias(),
        )
        if self.arch != "rnn" and self.activation != "tanh":
            problem = f"{self.activation} goes with --arch rnn; {self.arch} has sigmoid gates and tanh: drop it"
            raise OptionError("activation", problem)

    def _keeper_bias(self) -> float | None:
        """Return the bias of the gate that keeps the memory; None where there is no such gate, or weights are given."""
        usual = USUAL_FORGET_BIAS.get(self.arch)
        if self.forget_bias is None:
            return None if self.init is None else usual
        if usual is None:
            raise OptionError("forget_bias", "goes with --arch lstm or gru; an rnn has no gate that keeps its memory")
        return finite("forget_bias", self.forget_bias, "it opens the gate that keeps the memory; 1 is usual")

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain JSON values: every option of a network."""
        return self._laid_out(IDLE[self.arch])

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the network that `values` describes; keys that aren't a network's are passed over."""
        return cls(**pick(cls, values))
