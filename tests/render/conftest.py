"""Reports laid out by hand, for what is shown rather than what is measured."""

import math

import pytest

from gradcheck.data import DataSpec
from gradcheck.diagnosis import diagnose
from gradcheck.engine.transformer import POINTS
from gradcheck.experiment import RunSpec
from gradcheck.flow import GradientFlow, LayerFlow, OutputFlow
from gradcheck.report import Record, make_report
from gradcheck.spec import NetworkSpec, RecurrentSpec, TransformerSpec
from gradcheck.summary import summarize
from gradcheck.thresholds import Thresholds

LAYER = LayerFlow(-0.1, -0.3, 0.5, 9.0, 0.25, 0.125, 0.0, 1.0, 0.0)

#: What a layer is called, and the flow points of each where it has several.
UNITS = {"mlp": ("layer", ()), "transformer": ("block", POINTS)}


def spec_of(arch, depth):
    """The description of a network with so many layers, of a transformer so many flow points."""
    if arch == "transformer":
        return TransformerSpec(blocks=depth // len(POINTS), model_width=8, heads=2, tokens=6)
    return NetworkSpec(depth=depth, width=8) if arch == "mlp" else RecurrentSpec(arch=arch, steps=depth, width=8)


def spread(gradients, columns):
    """Layers with these log10 gradients; other fields one a layer, by name."""
    for index, gradient in enumerate(gradients):
        yield LAYER._replace(log10_gradient_rms=gradient, **{name: values[index] for name, values in columns.items()})


@pytest.fixture(scope="session")
def report_of():
    """Log10 gradients ↦ the report on a network that has them; None is a layer that was not reached.

    Of a transformer they are those of its flow points, three a block.
    """

    def report(gradients, *, arch="mlp", obstacle="overflow", suggestions=None, columns=None, **config):
        depth, reached = len(gradients), sum(gradient is not None for gradient in gradients)
        layers = [*spread(gradients[:reached], columns or {}), *[LayerFlow()] * (depth - reached)]
        output = OutputFlow(2.3, 0.1, -1.0) if reached == depth else OutputFlow()
        obstacle = obstacle if reached < depth else ""
        flow = GradientFlow(
            (8,) * depth, (8,) * depth, tuple(layers), output, reached, obstacle, *UNITS.get(arch, ("step", ()))
        )
        summary, thresholds = summarize(flow), Thresholds()
        parts = spec_of(arch, depth), DataSpec(), RunSpec(), thresholds
        options = {name: value for part in parts for name, value in part.to_dict().items()}
        options |= {"weights": None, "save_weights": None, "suggest": suggestions is not None, **config}
        diagnosis = diagnose(flow, summary, thresholds)
        made = make_report("simulate", options, [flow], flow, [summary], summary, diagnosis, parameters=72)
        return type(made)(**{**vars(made), "suggestions": suggestions})

    return report


@pytest.fixture(scope="session")
def suggestion_of():
    """Changes ↦ a suggestion that makes them."""

    def suggestion(command="gradcheck simulate --norm batch", score=0.9, **changes):
        return Record(
            changes=changes, command=command, status="healthy", score=score, gradient_span=0.5, effective_rank_last=9.0
        )

    return suggestion


@pytest.fixture(scope="session")
def vanishing(report_of):
    """Fifty layers, each with a third of the gradient of the next."""
    return report_of([(layer - 49) * math.log10(3) for layer in range(50)])


@pytest.fixture(scope="session")
def healthy(report_of):
    return report_of([-0.5, -0.2, -0.1, 0.0])
