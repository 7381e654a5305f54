"""What is drawn of a log: the norm, the loss and the layers over the steps, in parts of the run."""

import numpy as np
import numpy.typing as npt

from gradcheck.base.record import Record, item, number
from gradcheck.logs.findings.clips import clip_limit
from gradcheck.logs.findings.players import players
from gradcheck.logs.robust import distinct
from gradcheck.logs.series import Numbers, Series, logarithms
from gradcheck.logs.what_was_read import number_of

#: Parts of a run at most.
POINTS = 240


class Curve(Record):
    """A quantity over the steps, in parts of the run."""

    step: tuple[float | None, ...]
    value: tuple[float | None, ...] = item("highest of its part of the run; null: not finite")


class PlayerCurve(Record):
    """The loss of one of two networks that play against each other."""

    name: str
    loss: Curve
    losses: tuple[Numbers, Numbers]


class LayerCurves(Record):
    """The layers' gradient norms over the steps, in parts of the run."""

    names: tuple[str, ...]
    step: tuple[float | None, ...]
    log10_norm: Numbers  # (layers, parts): of the highest; -inf: zero, inf: not finite, nan: none is logged


class Curves(Record):
    """What is drawn."""

    grad_norm: Curve
    loss: Curve
    norms: tuple[Numbers, Numbers] | None = item("every row that was kept: its step and norm", default=None, inner=True)
    losses: tuple[Numbers, Numbers] | None = item("the same of the loss", default=None, inner=True)
    players: tuple[PlayerCurve, ...] = item("of a game of two networks: the loss of each", default=(), inner=True)
    layers: LayerCurves | None = item("null: no layer's norm is logged", default=None, inner=True)
    clip_limit: float | None = item("the threshold of the global norm, as given or logged", default=None, inner=True)


def draw_curves(series: Series, max_norm: float | None) -> Curves:
    """Return what is drawn of a run."""
    sides = players(series)
    played = next(iter(sides), series)
    return Curves(
        grad_norm=_curve(series, "grad_norm"),
        loss=_curve(played, "loss"),
        norms=series.course("grad_norm"),
        losses=played.course("loss"),
        players=tuple(
            PlayerCurve(name=one.loss_name, loss=_curve(one, "loss"), losses=one.course("loss")) for one in sides
        ),
        layers=_layer_curves(series) if series.layers and len(series.steps) else None,
        clip_limit=clip_limit(series, max_norm),
    )


def _parts(rows: int) -> npt.NDArray[np.int_]:
    """Return where the parts of a run begin."""
    return distinct(np.linspace(0, rows, min(POINTS, rows), endpoint=False).astype(int))


def _layer_curves(series: Series) -> LayerCurves:
    """Return the highest norm of each layer and part of the run."""
    places, starts = series.places("grad_norm"), _parts(len(series.steps))
    values = np.abs(series.peaks[:, list(places.values())])
    highest = logarithms(np.fmax.reduceat(values, starts).T)
    highest.setflags(write=False)
    return LayerCurves(
        names=tuple(places), step=tuple(map(number_of, series.steps[starts].tolist())), log10_norm=highest
    )


def _curve(series: Series, quantity: str) -> Curve:
    """Return the highest value of each part of the run, None where one isn't finite."""
    steps, values = series.course(quantity)
    starts = _parts(len(steps))
    highest = np.maximum.reduceat(values, starts).tolist() if len(starts) else []
    return Curve(step=tuple(map(number_of, steps[starts].tolist())), value=tuple(map(number, highest)))
