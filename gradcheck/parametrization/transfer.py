"""``transfer``: do activations, updates and logits keep their size as a network becomes wider, or deeper?"""

from collections import defaultdict
from collections.abc import Callable
from itertools import product
from typing import Literal, Unpack

from gradcheck.families import FAMILIES
from gradcheck.parametrization.coordinates import Coordinate
from gradcheck.parametrization.networks import Maker
from gradcheck.parametrization.report import TransferReport, make_transfer_report
from gradcheck.parametrization.training import train
from gradcheck.spec.options.option import takes
from gradcheck.spec.options.transfer import TransferOptions
from gradcheck.spec.transfer import transfer_specs


@takes(TransferOptions)
def transfer(*, tick: Callable[[], None] | None = None, **options: Unpack[TransferOptions]) -> TransferReport:
    """Return whether activations, updates and logits keep their size as a network becomes wider, or deeper.

    >>> report = gradcheck.transfer(width=[32, 64, 128], param="standard", seeds=2, steps=2)
    >>> report.verdict.status
    'grows'

    Parameters
    ----------
    tick : callable, optional
        Called after each network.
    **options
        As on the command line; ``gradcheck transfer --help`` lists them.

    Returns
    -------
    TransferReport
        ``print`` shows it; it has ``to_json()``, ``to_frame()``, ``plot()`` and ``to_html()``.

    Raises
    ------
    GradcheckError
        An option has a value that it can't have, or a file can't be read.

    Notes
    -----
    Networks of several widths are trained for a few steps on one batch, each in the same parametrisation, and the size
    of every layer's output, of its change and of what its own weights have added to it is followed: as which power of
    the width does it grow? In a parametrisation in which all of them are 0 a learning rate that is tuned on a narrow
    network holds on a wide one (Yang, Hu et al. 2022).
    """
    spec, data = transfer_specs(options)
    network, dataset = FAMILIES[spec.arch].fit(spec.network(spec.width[0], spec.depth[0]), data, frozenset(), None)
    outputs = network.token_kinds or dataset.outputs
    records, losses = list[Coordinate](), defaultdict[int, list[list[float]]](list)
    for width, depth, draw in product(spec.width, spec.depth, range(spec.seeds)):
        seed = spec.seed + draw
        found = train(Maker(spec, width, depth, seed), dataset.batch(data, seed, spec.dtype), outputs)
        records += found.coordinates
        losses[depth if spec.axis == "depth" else width].append(found.losses)
        if tick is not None:
            tick()
    axis: Literal["width", "depth"] = "depth" if spec.axis == "depth" else "width"
    return make_transfer_report({**spec.to_dict(), **data.to_dict()}, records, axis, losses)
