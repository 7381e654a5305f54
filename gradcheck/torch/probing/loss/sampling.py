"""Draws of a distribution whose parameters are trained, by sample(), which passes no gradient where rsample() would."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.graph import nodes
from gradcheck.torch.probing.hooks import Recording

#: What draws, by class: the others' own methods call these, or have no rsample().
DRAWING = (Distribution, Normal)


@dataclass
class Draws:
    """What has been drawn with sample() although rsample() would have passed a gradient on."""

    with_gradient: bool = False  # whether rsample() is called in its place
    drawn: list[Tensor] = field(default_factory=list)
    scored: bool = False  # whether the probability of a draw was asked for: a score function needs no other gradient


@contextmanager
def draws_watched(*, with_gradient: bool = False) -> Iterator[Draws]:
    """Note each draw of a distribution with a graph as long as the context lasts."""
    draws = Draws(with_gradient)
    before = {kind: (kind.sample, kind.log_prob) for kind in DRAWING}
    for kind, (sample, log_prob) in before.items():
        kind.sample = _sampling(draws, sample)
        kind.log_prob = _scoring(draws, log_prob)
    try:
        yield draws
    finally:
        for kind, (sample, log_prob) in before.items():
            kind.sample, kind.log_prob = sample, log_prob


def _sampling(draws: Draws, sample: Any) -> Any:  # noqa: ANN401
    """Return sample() as it is, but that it notes draws, or is rsample()."""

    def noted(self: Distribution, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: ANN401, B008
        graph = any(isinstance(one, Tensor) and one.requires_grad for one in vars(self).values())
        if not (graph and self.has_rsample and torch.is_grad_enabled()):
            drawn: Tensor = sample(self, sample_shape)
            return drawn
        drawn = self.rsample(sample_shape) if draws.with_gradient else sample(self, sample_shape)
        draws.drawn.append(drawn)
        return drawn

    return noted


def _scoring(draws: Draws, log_prob: Any) -> Any:  # noqa: ANN401
    """Return log_prob() as it is, but that it notes whether a draw is given."""

    def noted(self: Distribution, value: Any) -> Tensor:  # noqa: ANN401
        places = {one.data_ptr() for one in draws.drawn}
        draws.scored |= isinstance(value, Tensor) and value.data_ptr() in places
        found: Tensor = log_prob(self, value)
        return found

    return noted


def find_sampled(draws: Draws, record: Recording, value: Tensor) -> Iterator[Cause]:
    """Yield the layers that a gradient would reach through a draw, of a pass whose draws had one.

    Only through layers that a draw is given to: an action is drawn to be tried, not to be differentiated.
    """
    calls = {call.node: call for call in record.calls if call.node is not None}
    on_way = set(nodes([value.grad_fn]))
    fed = [call for node, call in calls.items() if node in on_way and _comes_of(node, draws)]
    behind = list(nodes([one.grad_fn for one in draws.drawn if one.grad_fn is not None]))
    names = tuple(dict.fromkeys(calls[node].layer.name for node in behind if node in calls))
    if fed and names:
        yield Cause("sampled", None, len(names), details={"names": names, "fed": fed[0].layer.name})


def _comes_of(node: Any, draws: Draws) -> bool:  # noqa: ANN401
    before = set(nodes([node]))
    return any(one.grad_fn in before for one in draws.drawn)
