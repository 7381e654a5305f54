"""What mean-field theory predicts of a given transformer: its tokens and its gradient, block by block."""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from gradcheck.engine.initializers import Law
from gradcheck.engine.pieces import in_pieces
from gradcheck.mean_field.attention import AttentionLaw
from gradcheck.mean_field.blocks import MlpLaw, SublayerLaw, SublayerPass, normalise
from gradcheck.mean_field.flow_points import flow_points
from gradcheck.mean_field.laws import HUGE, TINY, embedding_law, law_of, layer_law, weight_law
from gradcheck.mean_field.layers import LayerLaw
from gradcheck.mean_field.predicted import LayerPrediction, Prediction
from gradcheck.mean_field.tokens import Ending, TokenBatch, first_tokens, last_gradient, unlike_tokens
from gradcheck.mean_field.unknown import Unknown
from gradcheck.spec import TransformerSpec
from gradcheck.spec.frameworks import attention_of
from gradcheck.spec.names import GATES

#: Tokens of a sequence each two of which are followed.
MOST_TOKENS = 512

#: Tokens that are followed pair by pair, of all sequences together, unless one alone has more.
ROWS = 256

#: Standard deviation of attention's scores from which on few heads decide what comes back: not the mean over all heads
#: there could be is typical, but the mean logarithm of networks with as few heads as this one, of which some are drawn.
SATURATED = 3.0

#: Networks that are drawn, two at a time, and how many standard errors of their mean a 95 % interval reaches to each
#: side (Student 1908).
STUDENT = {2: 12.71, 4: 3.18, 6: 2.57, 8: 2.36}

#: Decades to each side at which a mean is known well enough.
KNOWN = 0.03

#: Rows times heads over which means over the softmax are taken otherwise.
SAMPLED = 2048


def predict_transformer(spec: TransformerSpec, batch: TokenBatch | None = None) -> Prediction | Unknown:
    """Predict the stream, the tokens' likeness and the gradient at each flow point of a transformer.

    Covariances of every two tokens are followed through the blocks and back (Noci et al. 2022; Cowsik et al. 2024 for
    tokens that are all alike in law). Exact in the limit of infinite width with heads of this width, but for the mean
    over the softmax, which is taken over drawn queries and keys of such heads, and for the independence of gradient and
    signal.

    Parameters
    ----------
    spec : TransformerSpec
    batch : TokenBatch, optional
        What is read; without it one sequence of unlike tokens.

    Returns
    -------
    Prediction or Unknown
        Three layers a block: attention, mlp, residual.
    """
    unknown = why_transformer_is_unknown(spec)
    if unknown:
        return unknown
    chosen = unlike_tokens(spec) if batch is None else _first_sequences(spec, batch)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # looked for afterwards
        try:
            return _predicted(spec, chosen)
        except (ArithmeticError, ValueError):  # what isn't finite has no root, no logarithm, no quadrature
            return Unknown("float_range")


def why_transformer_is_unknown(spec: TransformerSpec) -> Unknown | None:
    """Return why theory has no answer for a transformer; None if it has one."""
    if spec.init is None:
        return Unknown("given_weights")
    if spec.activation == "step":
        return Unknown("flat")
    if spec.tokens > MOST_TOKENS:
        return Unknown("many_tokens", spec.tokens)
    if not all(TINY < scale < HUGE for scale in (weight_law(spec).std(1, 1), embedding_law(spec, 1).std(1, 1))):
        return Unknown("float_range")
    return Unknown("no_branch") if spec.branch_scale == 0 else None


def _first_sequences(spec: TransformerSpec, batch: TokenBatch) -> TokenBatch:
    """Return as many sequences as are followed."""
    count = max(1, ROWS // spec.tokens)
    each = 1 if spec.patch is not None else spec.tokens
    labels = None if batch.labels is None else batch.labels.reshape(-1)[: count * each]
    return TokenBatch(batch.inputs[:count], labels)


def _predicted(spec: TransformerSpec, batch: TokenBatch) -> Prediction | Unknown:
    passes = list[SublayerPass]()
    for one in follow_tokens(spec, batch):
        if one.focus is not None and one.focus.score_std > SATURATED:
            layers = tuple(map(_typical_layer, *_drawn(spec, batch)))
            break
        passes.append(one)
    else:
        layers = _followed_layers(spec, batch, passes)
    notes = _notes(max(one.score_std for one in layers if one.score_std is not None))
    numbers = [[one.preactivation_std, one.log10_gradient_ratio] for one in layers]
    return Prediction(layers, tuple(notes)) if np.isfinite(numbers).all() else Unknown("float_range")


def _drawn(spec: TransformerSpec, batch: TokenBatch) -> list[tuple[LayerPrediction, ...]]:
    """Return the flow points of networks with as many heads as this one, drawn, and all else at infinite width.

    They are followed side by side, two at a time, until their mean is known or they are enough.
    """
    drawn: dict[int, tuple[LayerPrediction, ...]] = {}

    def follow(draws: slice) -> None:
        draw = len(known) + draws.stop
        drawn[draw] = _followed_layers(spec, batch, list(follow_tokens(spec, batch, draw)))

    known = list[tuple[LayerPrediction, ...]]()
    for _ in STUDENT:
        in_pieces(2, follow, piece=1)
        known = [drawn[draw] for draw in sorted(drawn)]
        if _uncertainty(known) <= KNOWN:
            break
    return known


def _uncertainty(draws: Sequence[Sequence[LayerPrediction]]) -> float:
    """Return how far the mean log10 gradient of a flow point may lie from that of all draws, at most of them all."""
    levels = np.array([[one.log10_gradient_ratio for one in layers] for layers in draws], float)
    return STUDENT[len(draws)] * float(levels.std(axis=0, ddof=1).max()) / math.sqrt(len(draws))


def _followed_layers(
    spec: TransformerSpec, batch: TokenBatch, passes: Sequence[SublayerPass]
) -> tuple[LayerPrediction, ...]:
    """Return the flow points of a network whose tokens have been followed to the end."""
    return flow_points(passes, last_gradient(spec, weight_law(spec), _ending(spec, passes), batch), spec.model_width)


def _typical_layer(*same: LayerPrediction) -> LayerPrediction:
    """Return the mean of the logarithms over draws of a layer, and how far draws lie apart."""

    def spread(values: str, stds: str) -> tuple[float | None, float | None]:
        if getattr(same[0], values) is None:
            return None, None
        found = np.array([getattr(one, values) for one in same])
        within = np.mean([getattr(one, stds) ** 2 for one in same])
        return float(found.mean()), math.sqrt(float(found.var(ddof=1) + within))

    gain, gain_std = spread("log10_local_gain", "log10_local_gain_std")
    ratio, ratio_std = spread("log10_gradient_ratio", "log10_gradient_ratio_std")
    assert ratio is not None
    return same[0]._replace(
        preactivation_std=math.exp(float(np.mean([math.log(one.preactivation_std) for one in same]))),
        log10_local_gain=gain,
        log10_gradient_ratio=ratio,
        log10_local_gain_std=gain_std,
        log10_gradient_ratio_std=ratio_std,
        **{name: _mean(getattr(one, name) for one in same) for name in ("token_cosine", "score_std", "attended")},
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return sum(known) / len(known) if known else None


def follow_tokens(spec: TransformerSpec, batch: TokenBatch, draw: int = 0) -> Iterator[SublayerPass]:
    """Yield what each sublayer makes of the tokens, first to last: the mean over many heads, or one `draw` of few."""
    law, sequences = weight_law(spec), len(batch.inputs)
    heads = spec.heads if draw else max(2, SAMPLED // (sequences * spec.tokens))
    x, both = first_tokens(spec, patch_law(spec), batch), sublayer_laws(spec, law, sequences, heads)
    for number in range(2 * spec.blocks):
        done = both[number % 2].forward(2 * spec.blocks * draw + number, x)
        yield done
        x = done.output


def patch_law(spec: TransformerSpec) -> LayerLaw | None:
    """Return how the map of patches is drawn; None where tokens are read."""
    return None if spec.patch is None else _map(spec, weight_law(spec), spec.patch, spec.model_width)


def sublayer_laws(spec: TransformerSpec, law: Law, sequences: int, sampled: int) -> tuple[SublayerLaw, SublayerLaw]:
    """Return how the attention and the MLP of a block are drawn, and where the norms are."""
    width, placement = spec.model_width, spec.norm_placement if spec.norm != "none" else "none"
    block = np.tri(spec.tokens, dtype=bool) if spec.causal else np.ones((spec.tokens, spec.tokens), bool)
    assert spec.init is not None
    laws, whole = attention_of(spec.init), (width, width + 2 * spec.key_width)
    project = law_of(spec, laws.project, whole if laws.project.fans == "whole" else None)
    attention = AttentionLaw(
        query=_map(spec, project, width, width),
        key=_map(spec, project, width, spec.key_width),
        value=_map(spec, project, width, spec.key_width, spec.inner_gain),
        write=_map(spec, law_of(spec, laws.write), width, width, spec.branch_gain),
        heads=spec.heads,
        group=spec.heads // (spec.kv_heads or spec.heads),
        width=spec.head_width,
        seen=np.kron(np.eye(sequences, dtype=bool), block),
        places=np.tile(np.arange(spec.tokens), sequences) if spec.positions == "rotary" else None,
        sampled=sampled,
    )
    mlp = MlpLaw(
        expand=_map(spec, law, width, spec.mlp_width, spec.inner_gain),
        write=_map(spec, law, spec.mlp_width, width, spec.branch_gain),
        activation=GATES.get(spec.activation, spec.activation),
        gated=spec.gated,
    )
    norms = (placement in ("pre", "both"), placement == "both", placement == "post", spec.norm == "layer")
    scales = spec.branch_scale, spec.stream_scale
    return SublayerLaw(attention, *norms, *scales), SublayerLaw(mlp, *norms, *scales)


def _map(spec: TransformerSpec, law: Law, fan_in: int, fan_out: int, gain: float = 1.0) -> LayerLaw:
    """Return how a linear map is drawn."""
    drawn = layer_law(law._replace(scale=gain * law.scale), fan_in, fan_out)
    return drawn if spec.biases else drawn._replace(bias=0.0)


def _ending(spec: TransformerSpec, passes: Sequence[SublayerPass]) -> Ending:
    """Return what the read-out is given."""
    here = spec.norm != "none" and spec.norm_placement != "post"
    read, scales = normalise(passes[-1].output, here, spec.norm == "layer")
    embedded = scales.copy()
    for one in passes:
        embedded *= one.law.stream_scale * one.outer
    return Ending(read.kernel, scales, here, embedded)


def _notes(score_std: float) -> Iterator[str]:
    """Yield what the prediction assumes where that holds in part only."""
    if score_std > SATURATED:
        yield f"attention's scores reach a standard deviation of {score_std:.2g}: few heads decide, networks differ"
