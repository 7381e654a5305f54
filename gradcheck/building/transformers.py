"""From the description of a transformer to its blocks, drawn."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.attention import Heads, sinusoids
from gradcheck.engine.drawing import MOST, Drawing
from gradcheck.engine.initializers import POSITION_STREAM, TOKEN_STREAM, Law, stream
from gradcheck.engine.linear import Beside, Dense, Linear, Spread, Weightless
from gradcheck.engine.noise import Noise
from gradcheck.engine.normalization import NORMS
from gradcheck.engine.transformer import AttentionBranch, Ending, MlpBranch, Stack, Sublayer
from gradcheck.engine.types import Array, Block
from gradcheck.spec import TransformerSpec

#: The function behind a gated activation: Shazeer 2020.
GATES = {"geglu": "gelu", "swiglu": "silu"}

#: Keys of the maps that are in no block; sublayer s = 1 … 2·blocks has 2·s and the one behind it.
READOUT_KEY, PATCH_KEY = 0, 1

#: Token ids (sequences, tokens), or patches (sequences, (tokens − 1)·patch).
Inputs = npt.NDArray[Any]


class TransformerNetwork(NamedTuple):
    """A transformer whose weights are drawn.

    Attributes
    ----------
    spec : TransformerSpec
    drawing : Drawing
    """

    spec: TransformerSpec
    drawing: Drawing

    def unrolled(self, inputs: Inputs) -> tuple[Stack, Array]:
        """Return the blocks laid out as layers for a batch, and what the first layer is given."""
        spec = self.spec
        if spec.patch is None:
            known = np.unique(inputs) if self.drawing.weightless else np.arange(spec.vocabulary)
            embedding = self._embedding(len(known))
            start = spec.embedding_scale * embedding[np.searchsorted(known, inputs.reshape(-1))]
            readout = self._tied_readout(known, embedding) if spec.tied else self._untied_readout()
        else:
            start, readout = self._patches(inputs), self._untied_readout()
        if spec.positions in ("learned", "sinusoidal"):
            start += np.tile(self._positions(), (len(inputs), 1))
        ending = Ending(self._norm(spec.norm_placement != "post"), 1 if spec.patch is None else spec.tokens)
        return Stack(spec.blocks, spec.model_width, self.sublayer, ending, readout, self._numbers), start

    def sublayer(self, number: int) -> Sublayer:
        """Return the attention (1, 3, …) or MLP (2, 4, …) sublayer."""
        spec, placement = self.spec, self.spec.norm_placement
        return Sublayer(
            self._attention(number) if number % 2 else self._mlp(number),
            before=self._norm(placement != "post"),
            after=self._norm(placement == "both"),
            outer=self._norm(placement == "post"),
            branch_scale=spec.branch_scale,
            stream_scale=spec.stream_scale,
        )

    def _norm(self, here: bool) -> Block:
        return NORMS[self.spec.norm if here else "none"].block

    def _attention(self, number: int) -> AttentionBranch:
        spec = self.spec
        parts = [(spec.model_width, 1.0), (spec.key_width, 1.0), (spec.key_width, spec.inner_gain)]
        heads = Heads(
            spec.tokens,
            spec.heads,
            spec.kv_heads or spec.heads,
            spec.head_width,
            spec.causal,
            rotary=spec.positions == "rotary",
        )
        project = self.drawing.linear(2 * number, spec.model_width, parts)
        write = self.drawing.linear(2 * number + 1, spec.model_width, [(spec.model_width, spec.branch_gain)])
        return AttentionBranch(project, heads, write)

    def _mlp(self, number: int) -> MlpBranch:
        spec = self.spec
        parts = [(spec.mlp_width, spec.inner_gain)] * (2 if spec.gated else 1)
        expand = self.drawing.linear(2 * number, spec.model_width, parts)
        write = self.drawing.linear(2 * number + 1, spec.mlp_width, [(spec.model_width, spec.branch_gain)])
        return MlpBranch(expand, ACTIVATIONS[GATES.get(spec.activation, spec.activation)], spec.gated, write)

    def _numbers(self, rows: int) -> tuple[int, int]:
        """Return how many numbers an attention and an MLP sublayer hold: weights or what is drawn of them, and rows."""
        spec, width = self.spec, self.spec.model_width
        projected, expanded = width + 2 * spec.key_width, spec.mlp_width * (2 if spec.gated else 1)

        def maps(*fans: tuple[int, int]) -> int:
            return sum(rows * (one + other) if self.drawing.weightless else one * other for one, other in fans)

        attention = maps((width, projected), (width, width))
        mlp = maps((width, expanded), (spec.mlp_width, width))
        of_attention = 5 * width + 2 * projected + 2 * spec.heads * spec.tokens
        return attention + rows * of_attention, mlp + rows * (5 * width + 2 * expanded + 2 * spec.mlp_width)

    # ---- the two ends

    def _embedding(self, tokens: int) -> Array:
        """Draw embeddings, (tokens, width): of all kinds of tokens, or without matrices of those that occur."""
        table = stream(self.drawing.seed, TOKEN_STREAM).standard_normal((tokens, self.spec.model_width))
        return (self.spec.embedding_std * table).astype(self.drawing.dtype)

    def _patches(self, inputs: Inputs) -> Array:
        """Return a class token and the embedded patches of each example, (examples·tokens, width)."""
        spec, examples = self.spec, len(inputs)
        embed = self.drawing.dense(PATCH_KEY, spec.patch or 1, [(spec.model_width, 1.0)])
        patches = embed(inputs.reshape(examples * (spec.tokens - 1), -1))[0]
        start = np.empty((examples, spec.tokens, spec.model_width), self.drawing.dtype)
        start[:, 0] = spec.embedding_scale * self._embedding(1)
        start[:, 1:] = patches.reshape(examples, spec.tokens - 1, -1)
        return start.reshape(-1, spec.model_width)

    def _positions(self) -> Array:
        """Return what is added to each token of a sequence, (tokens, width)."""
        spec = self.spec
        if spec.positions == "sinusoidal":
            return sinusoids(spec.tokens, spec.model_width).astype(self.drawing.dtype)
        table = stream(self.drawing.seed, POSITION_STREAM).standard_normal((spec.tokens, spec.model_width))
        return (spec.embedding_std * spec.embedding_scale * table).astype(self.drawing.dtype)

    def _tied_readout(self, known: npt.NDArray[np.intp], embedding: Array) -> Linear:
        """Return the transposed embedding; the columns of tokens that the input has not are drawn here."""
        spec, drawing = self.spec, self.drawing
        others = np.setdiff1d(np.arange(spec.vocabulary), known)
        if not len(others):
            return Dense(embedding.T)
        noise = Noise(drawing.seed, MOST * READOUT_KEY, drawing.dtype)
        unknown = Weightless(spec.model_width, len(others), noise, spec.embedding_std)
        return Spread(Beside((Dense(embedding.T), unknown)), np.concatenate([known, others]))

    def _untied_readout(self) -> Linear:
        """Draw the map to the logits; of tokens it has no bias, as no published one has."""
        drawing = self.drawing._replace(biased=self.drawing.biased and self.spec.patch is not None)
        return drawing.linear(READOUT_KEY, self.spec.model_width, [(self.spec.vocabulary, 1.0)])


def drawn_transformer(spec: TransformerSpec, law: Law, seed: int, dtype: str, weightless: bool) -> TransformerNetwork:
    """Return the transformer that a spec describes and `seed` draws."""
    return TransformerNetwork(spec, Drawing(law, seed, dtype, weightless, spec.biases))
