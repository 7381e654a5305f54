"""What number formats lose of a model: its layers' inputs, weights, gradients and updates, in full precision."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from gradcheck.diagnosis.number_formats import Place, numbers_record
from gradcheck.diagnosis.report import Report
from gradcheck.diagnosis.reporting import with_numbers
from gradcheck.engine.magnitude import Scaled
from gradcheck.engine.types import Array
from gradcheck.flow.gradient_flow import GradientFlow
from gradcheck.flow.number_formats import Tally, cases_of
from gradcheck.spec.probing import LOSS_SCALES
from gradcheck.torch.layers import Layer, by_channel
from gradcheck.torch.probing.hooks import as_array
from gradcheck.torch.probing.passing import ModelPass


class Numbers(NamedTuple):
    """What formats lose of the layers of a model."""

    tally: Tally
    layers: tuple[Layer, ...]

    def added(self, report: Report, flow: GradientFlow) -> Report:
        """Return a report with them, and remarks on them."""
        indices = {layer.name: layer.index for layer in report.layers}
        places = [Place(one, indices.get(one.name), one.name) for one in self.layers]
        return with_numbers(report, numbers_record(self.tally, places), flow)


def count_numbers(run: Callable[[Tally], ModelPass], formats: Sequence[str], rate: float) -> Numbers | None:
    """Count what formats lose; `run` passes a batch in full precision; None where no format is asked for."""
    if not formats:
        return None
    tally = Tally(cases_of(formats, LOSS_SCALES), rate)
    found = run(tally)
    for layer in found.layers:
        for weight in layer.matrices:
            gradient = found.gradients.get(weight)
            scaled = None if gradient is None else Scaled(_as_sums(layer, gradient), -found.shift)
            tally.add_weights(layer, _as_sums(layer, weight), scaled)
    return Numbers(tally, found.layers)


def _as_sums(layer: Layer, weight: Tensor) -> Array:
    """Return weights as (all others, channels of the input), which the layer's products add up."""
    transposed = isinstance(layer.module, nn.modules.conv._ConvTransposeNd)
    dense = (weight.to_dense() if weight.is_sparse else weight).detach()
    return as_array(by_channel(dense, 1 if dense.dim() > 1 and not transposed else 0))
