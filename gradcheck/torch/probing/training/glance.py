"""One step of training as the user's own loop takes it: loss and gradients, and nothing measured beside them."""

from dataclasses import replace

import torch

from gradcheck.torch.layers import is_finite
from gradcheck.torch.probing.again import Again
from gradcheck.torch.probing.half_precision import autocast
from gradcheck.torch.probing.judgement import Judgement
from gradcheck.torch.probing.loss.losses import loss_and_targets
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.state import seed_all


def glance(again: Again, first: Judgement) -> Judgement | None:
    """Return the first judgement with another pass's loss and gradients; None where one of these isn't finite.

    The model was healthy before the first step, as it is taken to be after some.
    """
    seed_all(again.seed)
    batch, _ = again.batch.copied(with_gradient=False)
    with autocast(again.model, again.precision), torch.enable_grad():
        output = again.model(*batch.arguments, **batch.keywords)
        generator = torch.Generator().manual_seed(again.target_seed)
        chosen, targets = loss_and_targets(again.loss, output, batch.targets, generator)
        value = chosen.function(output, targets).float().reshape(())
    shift = 0 if again.precision is None else again.precision.shift
    trained = [one for one in again.model.parameters() if one.requires_grad]
    found = torch.autograd.grad(value * 2.0**shift, trained, allow_unused=True)
    if not (is_finite(value) and all(is_finite(one) for one in found if one is not None)):
        return None
    flow = replace(first.found.flow, output=first.found.flow.output._replace(loss=float(value.detach())))
    gradients: Gradients = dict(zip(trained, found, strict=True))
    return first._replace(found=replace(first.found, flow=flow, gradients=gradients, shift=shift))
