"""By which part of itself a model's loss changes as its layers' weights change by their own size."""

import math

from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.summary import gradient_shrinks
from gradcheck.flow.model_flow import ModelFlow
from gradcheck.probing.evidence import Evidence
from gradcheck.probing.first_loss import HUGE_TARGETS, LARGE_LOSS

#: log10 of the elasticity that a typical layer should have. Of 132 published architectures one is below 10^-3.3, whose
#: branches start at 1e-5 and which learns in a trial; of those whose gradient vanishes all are (benchmarks/zoo.py).
ELASTICITY = -4.0

#: log10 of the elasticity below which no trial is held: of chains as PyTorch draws them Adam trains those of 20 layers
#: with ReLU (-4.9), not those of 24 (-5.6), which learn a single batch all the same (benchmarks/default_chains.py).
HOPELESS = -5.5

#: The same where there are ways round the layers: small encoders and decoders drawn as transformers draws them are at
#: -5.5 to -7.8, and Adam trains them; a U-Net with weights of N(0, 1e-3) is at -33, and yet learns a single batch.
HOPELESS_WITH_WAYS_ROUND = -12.0

#: log10 of the changes of a number that single precision can't show.
UNSEEN = -7.0


def elasticity_of_end(found: Evidence) -> float:
    """Return log10 of the read-out's elasticity, inf where it has none: if it is low, the loss is to blame."""
    output = found.flow.output
    if not math.isfinite(output.log10_weight_gradient_norm) or not output.loss:
        return math.inf
    return found.log10_readout_weight + output.log10_weight_gradient_norm - math.log10(abs(output.loss))


def is_to_blame(found: Evidence) -> bool:
    """Whether it is the network's doing that the loss hardly depends on its layers.

    Where it depends as little on the read-out, only below what single precision resolves, and of a loss that is known
    not to start far off: scores that start small are usual.
    """
    if elasticity_of_end(found) >= ELASTICITY:
        return True
    first = found.at_loss.first
    known = first.value <= LARGE_LOSS * first.constant_answer  # not where a constant answer's is unknown
    return known and found.flow.log10_typical_elasticity < UNSEEN


def causes_of_elasticity(flow: ModelFlow) -> tuple[Cause, ...]:
    """Return the cause that the loss hardly depends on the layers, if that is so."""
    elasticity = flow.log10_typical_elasticity
    return (Cause("elasticity", None, elasticity, ELASTICITY),) if elasticity < ELASTICITY else ()


def why_inelastic(found: Evidence) -> tuple[Cause, ...]:
    """Return why the loss hardly depends on the layers, if that is so: targets that are huge drown what they give."""
    first, causes = found.at_loss.first, causes_of_elasticity(found.flow)
    if not first.has_targets_out_of_sight and not (causes and first.has_huge_targets):
        return causes
    return (Cause("targets-huge", None, first.targets_rms, HUGE_TARGETS, {"outputs": first.output_rms}), *causes)


def is_hopeless(found: Evidence) -> bool:
    """Whether so little of the gradient is left that no trial is worth its time.

    Where the signal of a chain fades on its way forward as well, the loss depends on the read-out as little as on the
    layers.
    """
    flow, elasticity = found.flow, found.flow.log10_typical_elasticity
    if not flow.carriers[: flow.reached].all() or any(flow.normalized[: flow.reached]):
        return elasticity < HOPELESS_WITH_WAYS_ROUND
    fades = gradient_shrinks(flow) and elasticity_of_end(found) < ELASTICITY
    return fades or elasticity < HOPELESS
