"""Recurrent networks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gradcheck.base.calls import public_class
from gradcheck.base.wording import counted
from gradcheck.errors import OptionError, at_least, one_of
from gradcheck.spec.family import Spec, heading_of_weights
from gradcheck.spec.names import ACTIVATIONS, FRAMEWORKS, RECURRENT, USUAL_FORGET_BIAS
from gradcheck.spec.options.option import Names


@public_class
@dataclass(frozen=True, kw_only=True)
class RecurrentSpec(Spec):
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
        gate (0), or what the framework that `init` names has there; an rnn has none.
    """

    architectures: ClassVar[tuple[str, ...]] = RECURRENT
    fixed: ClassVar[Mapping[str, Any]] = {"depth": 1, "norm": "none", "residual": False, "residual_scale": 1.0}
    layer: ClassVar[str] = "step"
    lacking: ClassVar[str] = "has no time steps"

    arch: str = "rnn"
    steps: int = 64
    width: int = 128
    activation: str = "tanh"
    recurrent_gain: float = 1.0
    forget_bias: float | None = None

    def __post_init__(self) -> None:
        one_of("arch", self.arch, RECURRENT)
        self._settle(activation=Names(ACTIVATIONS)("activation", self.activation))
        if isinstance(self.width, list | tuple):
            raise OptionError("width", f"is one number with --arch {self.arch}: it has one hidden layer")
        at_least("width", self.width, 1, "the hidden state has at least one unit; 128 is the default")
        super().__post_init__()
        self._settle(forget_bias=self._keeper_bias())
        if self.arch != "rnn" and self.activation != "tanh":
            problem = f"{self.activation} goes with --arch rnn; {self.arch} has sigmoid gates and tanh: drop it"
            raise OptionError("activation", problem)

    def _keeper_bias(self) -> float | None:
        """Return the bias of the gate that keeps the memory; None where there is no such gate, or weights are given."""
        usual = usual_forget_bias(self.init, self.arch)
        if self.forget_bias is None:
            return None if self.init is None else usual
        if usual is None:
            raise OptionError("forget_bias", "goes with --arch lstm or gru; an rnn has no gate that keeps its memory")
        return self.forget_bias

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of the hidden state."""
        return (self.width,)

    def why_dense(self) -> str:
        """Return why a recurrence can't do without its matrices."""
        return f"the steps of --arch {self.arch} share their weights, and a weightless layer is used once"

    @classmethod
    def owners(cls, option: str) -> tuple[str, ...]:
        """Return those of its architectures that have an option."""
        return tuple(USUAL_FORGET_BIAS) if option == "forget_bias" else super().owners(option)

    @classmethod
    def refuse(cls, arch: str, option: str, value: object, others: Mapping[str, type[Spec]]) -> str:
        """Say why an option is not this family's."""
        if option == "depth":
            return f"{value} goes with --arch mlp; {arch} has one hidden layer, unrolled over its --steps"
        if option in cls.fixed:
            return f"goes with --arch mlp; {arch} has none"
        return super().refuse(arch, option, value, others)

    @classmethod
    def usual(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the defaults of options: as many steps as the data has, but for the digits."""
        by_data = {} if config.get("data") == "digits" and not config.get("weights") else {"steps": None}
        usual = super().usual(config) | by_data
        return usual | {"forget_bias": usual_forget_bias(config.get("init"), config.get("arch", "rnn"))}

    @classmethod
    def heading(cls, config: Mapping[str, Any]) -> Iterator[str]:
        """Yield the parts of a line that says which network it is."""
        arch, bias = config["arch"], config["forget_bias"]
        yield f"{config['activation']} rnn" if arch == "rnn" else arch
        yield heading_of_weights(config)
        if bias is not None and bias != usual_forget_bias(config["init"], arch):
            yield f"forget bias {bias:g}"
        yield f"{counted(config['steps'], 'step')} of width {config['width']}"


def usual_forget_bias(init: str | None, arch: str) -> float | None:
    """Return the initial bias of the gate that keeps the memory; None where there is no such gate."""
    usual = USUAL_FORGET_BIAS.get(arch)
    if usual is None or init not in FRAMEWORKS:
        return usual
    from gradcheck.spec.frameworks import cell_of

    return cell_of(init, arch).forget_bias
