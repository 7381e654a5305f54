"""A linear map that is trained: it keeps its first weights, and the last batch that went through it."""

from dataclasses import dataclass, field

from gradcheck.engine.linear import Dense
from gradcheck.engine.types import Array, Pullback
from gradcheck.parametrization.coordinates import Kind, Size


@dataclass(eq=False)
class TrainedMap:
    """x ↦ x W + b, as a layer of the engine; W and b are changed in place."""

    name: str  # what its output is called
    kind: Kind  # ``hidden`` or ``output``
    dense: Dense  # its present weights
    factors: tuple[float, ...]  # what multiplies the learning rate of W, and of b if there is one
    output: Array = field(init=False)
    _input: Array = field(init=False)
    _delta: Array = field(init=False)

    def __post_init__(self) -> None:
        self._first = Dense(self.dense.weight.copy())

    def __call__(self, x: Array) -> tuple[Array, Pullback]:
        """Return x W + b (batch, fan_out) and the pullback δ ↦ δ Wᵀ, and keep x, the output, δ."""
        output, through = self.dense(x)
        self._input, self.output = x, output

        def pullback(delta: Array) -> Array:
            self._delta = delta
            return through(delta)

        return output, pullback

    def begin(self, rows: int, *, back: bool = False) -> None:
        """Do nothing: the matrix is there."""

    @property
    def log10_weight_norm(self) -> float:
        """log10 of the Frobenius norm of W."""
        return self.dense.log10_weight_norm

    @property
    def holds_nan(self) -> bool:
        """Whether a weight or bias is not a number."""
        return self.dense.holds_nan

    @property
    def parameters(self) -> tuple[Array, ...]:
        """W and b."""
        return tuple(one for one in self.dense if one is not None)

    @property
    def gradients(self) -> tuple[Array, ...]:
        """∂𝓛/∂W and ∂𝓛/∂b of the last batch."""
        return self.dense.gradient(self._input, self._delta)

    @property
    def update(self) -> Size:
        """The size of what W has gained, for the last batch: x (W − W₀).

        Without the bias, whose rate is another one and would cover what a matrix lacks.
        """
        gained = self.output - self._first(self._input)[0]
        return Size.of(gained if self.dense.bias is None else gained - self.dense.bias)
