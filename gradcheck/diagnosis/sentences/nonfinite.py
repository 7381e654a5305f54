"""Operations that make infinity or NaN, forward or back, in words. Loads no NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck.diagnosis.sentences.code import Code

if TYPE_CHECKING:
    from gradcheck.diagnosis.causes import Cause
    from gradcheck.flow.gradient_flow import GradientFlow

#: What an operation was probably given where it makes numbers that are not finite, and what helps.
GIVEN = {
    **dict.fromkeys(
        ("log", "log1p", "log2", "log10"),
        "a logarithm of 0 or of a negative number: normalise what goes in, or clamp it from below",
    ),
    **dict.fromkeys(("exp", "exp2", "expm1"), "an exponential of a large number: clamp what goes in"),
    **dict.fromkeys(("div", "reciprocal"), "a division by 0: add a small number to the divisor"),
    **dict.fromkeys(("softmax", "log_softmax"), "a row that is masked throughout, or scores near infinity"),
    **dict.fromkeys(("acos", "asin"), "of more than 1: clamp what goes in"),
    "sqrt": "a root of a negative number: clamp what goes in",
    "rsqrt": "one over the root of 0 or of a negative number: add a small number under it",
    "pow": "a power of 0 or of a negative number: keep what goes in positive, by softplus or clamp",
    "std": "the standard deviation of one number",
    "var": "the variance of one number",
    "ctc_loss": "an example with fewer frames than labels need: zero_infinity=True, or leave it out",
}


#: Where an operation's slope is infinite, and what helps.
SLOPES = {
    "sqrt": "a root's slope is infinite at 0: add a small number under it",
    "pow": "the slope of a power below 1 is infinite at 0: add a small number under it",
    "log": "a logarithm's slope is infinite at 0: add a small number",
    "div": "a division by nearly 0",
    "std": "the slope of a standard deviation is infinite where all is alike",
    "acos": "its slope is infinite at 1: clamp the cosine",
    "asin": "its slope is infinite at 1: clamp the sine",
}


def _operation(cause: Cause, flow: GradientFlow) -> str:
    name, where = cause.details["operation"], cause.details["where"]
    given = f" ({GIVEN[name]})" if name in GIVEN else ""
    end = ": every layer's output is finite" if cause.code == "loss-nonfinite" else ""
    made = "NaN" if cause.details["nan"] else "infinity"
    if not name:
        finite = "though every layer's output is finite"
        return f"the loss is {made}, {finite}: look at the targets, and at logarithms, roots and divisions in the loss"
    return f"the operation {name} makes {made} of finite numbers {where}{end}{given}"


def _backward(cause: Cause, flow: GradientFlow) -> str:
    node = cause.details["node"]
    slope = SLOPES.get(node.partition("Backward")[0].lower())
    of_slope = f" ({slope})" if slope else ""
    size = "NaN" if cause.details["nan"] else "infinite"
    return f"the loss is finite, its gradient is not: {node} makes it {size} {cause.details['where']}{of_slope}"


#: Causes of operations that make what is not finite.
OF_OPERATIONS = {
    "loss-nonfinite": Code("an operation between the last layer and the loss makes infinity or NaN", _operation),
    "operation-nonfinite": Code("an operation between two layers makes infinity or NaN", _operation),
    "gradient-nonfinite": Code("the node of the graph at which the gradient becomes infinite or NaN", _backward),
}
