"""Which layer of a user's own model shows its verdict most, or what else does."""

import numpy as np

from gradcheck.diagnosis.summary import dead_layers, widest_group
from gradcheck.diagnosis.verdict import Diagnosis
from gradcheck.flow.model_flow import ModelFlow

#: Causes that no layer has ↦ where they lie.
PLACES = {
    "loss-cut": "the loss", "output-cut": "the read-out", "nothing-trained": "the whole model",
    "outside-loss": "the loss",
    "inputs-alike": "the inputs",
}  # fmt: skip

#: Causes that lie in the loss, not in the network.
IN_LOSS = {"loss-nonfinite", "labels-ignored"}

#: Causes that name the layers without a gradient.
WITHOUT_GRADIENT = ("detached", "rounding", "checkpoint-inputs", "no-derivative", "term-detached")


def sickest_layer(flow: ModelFlow, diagnosis: Diagnosis) -> str:
    """Return the name of the layer that shows the verdict most."""
    if found_in := PLACES.get(diagnosis.verdict.causes[0].code if diagnosis.verdict.causes else ""):
        return found_in
    silent = next((cause for cause in diagnosis.verdict.causes if cause.code in WITHOUT_GRADIENT), None)
    if diagnosis.verdict.status == "no-gradient" and silent is not None:
        return str(silent.details["names"][0])
    dead = dead_layers(flow)
    if diagnosis.verdict.status == "dead" and dead:
        return flow.name(dead[-1])
    if flow.obstacle and {cause.code for cause in diagnosis.verdict.causes} & IN_LOSS:
        return "the loss"
    if flow.obstacle:
        return flow.name(flow.reached + 1) if flow.reached < len(flow.layers) else "the read-out"
    alike = [region for region in diagnosis.regions if region.flag == diagnosis.verdict.status]
    if alike:
        return flow.name(alike[0].worst_layer)
    if diagnosis.verdict.status == "collapsed":
        ranks = np.where(flow.carriers, flow.column("effective_rank"), np.inf)
        return flow.name(int(np.nanargmin(ranks)) + 1)
    group = widest_group(flow)
    gradient = flow.column("log10_gradient_rms")[group]
    extreme = gradient.argmax() if diagnosis.verdict.status == "exploding" else gradient.argmin()
    return flow.name(int(group[extreme]) + 1)
