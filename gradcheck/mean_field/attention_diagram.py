"""A transformer's plane: how far attention's scores spread, and how much a branch adds to the stream beside it."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gradcheck.mean_field.attention import AttentionLaw
from gradcheck.mean_field.flow_points import mean_token_cosine
from gradcheck.mean_field.laws import weight_law
from gradcheck.mean_field.report import AttentionDiagram, MarkedNetwork
from gradcheck.mean_field.tokens import first_tokens, unlike_tokens
from gradcheck.mean_field.transformer import patch_law, sublayer_laws
from gradcheck.spec import TransformerSpec, network_spec
from gradcheck.spec.presets import PRESETS, with_preset

#: The ends of both scales, and how many values there are, evenly on a log scale; a network's own lies between.
SCORES, RESIDUALS = (0.05, 20.0, 25), (0.03, 3.0, 11)

#: Rows times heads over which means over the softmax are taken: fewer than for one network, as there are hundreds.
SAMPLED = 256


def attention_diagram(spec: TransformerSpec) -> AttentionDiagram:
    """Return how alike tokens are after the blocks, and how widely attention is spread, over both scales.

    Where branches outweigh the stream and attention is spread evenly, tokens become alike: rank collapse (Noci et al.
    2022). Where scores spread far, a head looks at one token: entropy collapse. Between them signals pass
    (Giorlandino & Goldt 2025).
    """
    own = scales_of(spec)
    scores, residuals = _values(*SCORES, own[0]), _values(*RESIDUALS, own[1])
    found = [[_followed(spec, score, residual) for score in scores] for residual in residuals[::-1]]
    return AttentionDiagram(
        score_std=scores,
        residual_scale=residuals[::-1],
        token_cosine=tuple(tuple(cosine for cosine, _ in row) for row in found),
        attended=tuple(tuple(attended for _, attended in row) for row in found),
        networks=(MarkedNetwork(name="this network", score_std=own[0], residual_scale=own[1]), *_published()),
    )


def scales_of(spec: TransformerSpec) -> tuple[float, float]:
    """Return the standard deviation of scores between unlike tokens of unit size, and the scale of a branch."""
    attention = sublayer_laws(spec, weight_law(spec), 1, 1)[0].branch
    assert isinstance(attention, AttentionLaw)
    query, key = (one.fan_in * one.weight for one in (attention.query, attention.key))
    return math.sqrt(query * key), spec.branch_scale * spec.branch_gain * spec.inner_gain / spec.stream_scale


def _values(low: float, high: float, count: int, own: float) -> tuple[float, ...]:
    ends = min(low, own / 1.5), max(high, own * 1.5)
    return tuple(np.geomspace(*ends, count).tolist())


def _published() -> Iterator[MarkedNetwork]:
    """Yield where published transformers are: their norms and depths are their own."""
    for name in PRESETS:
        spec = network_spec(with_preset({"preset": name}))
        assert isinstance(spec, TransformerSpec)
        score, residual = scales_of(spec)
        yield MarkedNetwork(name=name, score_std=score, residual_scale=residual)


def _followed(spec: TransformerSpec, score: float, residual: float) -> tuple[float | None, float]:
    """Return the tokens' cosine after the last block and the fewest tokens attended, at these scales."""
    scaled = replace(spec, residual_scale=residual)
    law, batch = weight_law(scaled), unlike_tokens(scaled)
    attention, mlp = sublayer_laws(scaled, law, 1, max(2, SAMPLED // spec.tokens))
    assert isinstance(attention.branch, AttentionLaw)
    factor = score / scales_of(scaled)[0]
    query, key = (one._replace(weight=factor * one.weight) for one in (attention.branch.query, attention.branch.key))
    attention = attention._replace(branch=attention.branch._replace(query=query, key=key))
    x, fewest = first_tokens(scaled, patch_law(scaled), batch), math.inf
    with np.errstate(over="ignore", invalid="ignore"):
        for number in range(2 * spec.blocks):
            try:
                done = (mlp if number % 2 else attention).forward(number, x)
            except (ArithmeticError, np.linalg.LinAlgError):  # the stream leaves the range of floats
                return None, fewest
            x = done.output
            fewest = min(fewest, math.inf if done.focus is None else done.focus.attended)
    return mean_token_cosine(x.kernel), fewest
