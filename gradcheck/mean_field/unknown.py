"""Why mean-field theory has no number: a code and its sentence."""

from typing import Self

_GRADIENT_ONLY = "for batch norm only the gradient's rate is published"

#: Code ↦ its sentence; {} is the value.
SENTENCES = {
    "many_tokens": "each pair of tokens is followed, of sequences of up to 512; these have {}",
    "many_steps": "each pair of steps is followed, of sequences of up to 512; these have {}",
    "steps": "a recurrent network is followed step by step: there is no single fixed point",
    "blocks": "a transformer is followed block by block: there is no single fixed point",
    "given_weights": "mean-field theory is about random weights, and these are given",
    "inputs": "the inputs are all zero, or their squares overflow",
    "float_range": "the predicted signal or gradient leaves the range of floats",
    "flat": "the derivative of step is 0: nothing passes backwards",
    "no_branch": "with --residual-scale 0 only the first layer does anything",
    "batch_norm_residual": "no rate is known here for batch norm with skip connections",
    "batch_norm_activation": "the rate of batch norm is published for relu and linear (Yang et al. 2019), not for {}",
    "batch_size": "the rate of batch norm, (B-2)/(B-3), needs a batch of more than 3 examples; this has {}",
    "unlike_widths": "with --init {} each width has its own scales: there is no single fixed point",
    "residual": "the variance of a residual stream grows with each layer: there is no fixed point",
    "batch_norm_plane": "--norm batch undoes both scales",
    "endless": "infinite: at a factor of 1 a layer nothing fades",
    "unbounded": "the variance grows without bound",
    "unbounded_depth": "it would follow from ξ_c, but the variance grows without bound",
    "dies_out": "the signal dies out: nothing is left to correlate",
    "flat_at_any_scale": "the derivative of step is 0 at any weight scale",
    "norm_without_biases": "after a norm without biases χ₁ is the same at any weight scale",
    "norm": "after a norm chi stays below 1 at any weight scale",
    "no_crossing": "at small weight scales the variance settles where χ₁ is below 1, at large ones it is unbounded",
    "batch_norm": _GRADIENT_ONLY,
    "batch_norm_depth": f"it would follow from ξ_c, and {_GRADIENT_ONLY}",
    "batch_norm_scale": "batch norm undoes the weight scale: χ₁ is the same at any scale",
}


class Unknown(str):
    """Theory has no answer, and why: a sentence that knows its code."""

    code: str  # a key of ``SENTENCES``
    value: str | int | None  # the value of the network that it names

    def __new__(cls, code: str, value: str | int | None = None) -> Self:
        """Make the sentence."""
        made = super().__new__(cls, SENTENCES[code].format(value))
        made.code, made.value = code, value
        return made

    def __getnewargs__(self) -> tuple[str, str | int | None]:  # type: ignore[override]
        return self.code, self.value

    @property
    def reason(self) -> str:
        """The sentence."""
        return str(self)


#: The code of a number that is infinite, which JSON can't carry.
ENDLESS = "endless"
