"""Transformers: drawn, the tokens or patches they read, what may heal them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.data.datasets import Dataset, load_dataset
from gradcheck.data.tokens import TokenSet, load_tokens
from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.attention import Heads, sinusoids
from gradcheck.engine.drawing import MOST, Drawing
from gradcheck.engine.initializers import POSITION_STREAM, TOKEN_STREAM, random_stream
from gradcheck.engine.linear import Beside, Dense, Linear, Weightless
from gradcheck.engine.noise import Noise
from gradcheck.engine.normalization import NORMS
from gradcheck.engine.transformer import AttentionBranch, Ending, MlpBranch, Stack, Sublayer
from gradcheck.engine.types import Array, Block
from gradcheck.errors import OptionError
from gradcheck.families.family import Change, Family, Given, Inputs, plain_gain
from gradcheck.mean_field.laws import embedding_law, law_of, weight_law
from gradcheck.spec import GATED, TransformerSpec
from gradcheck.spec.data import DataSpec
from gradcheck.spec.frameworks import Attention, Drawn, attention_of
from gradcheck.spec.names import GATES

#: Keys of the maps that are in no block; sublayer s = 1 … 2·blocks has 2·s and the one after it.
READOUT_KEY, PATCH_KEY = 0, 1

#: Activations none of which is ever dead for a whole batch.
SMOOTH = ("gelu", "silu", *GATED)


class TransformerNetwork(NamedTuple):
    """A transformer whose weights are drawn."""

    spec: TransformerSpec
    drawing: Drawing  # of the dense layers

    def unrolled(self, inputs: Inputs) -> tuple[Stack, Array]:
        """Return the blocks as layers, and what the first is given of token ids (sequences, tokens), or of patches."""
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
        shape, weightless = (spec.blocks, spec.model_width), self.drawing.weightless
        return Stack(*shape, self.sublayer, ending, readout, self._numbers, weightless), start

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
        keys, rotary = spec.kv_heads or spec.heads, spec.positions == "rotary"
        heads = Heads(spec.tokens, spec.heads, keys, spec.head_width, spec.causal, rotary)
        whole = spec.model_width, sum(fan_out for fan_out, _ in parts)
        project = self._drawing(self._laws.project, whole).linear(2 * number, spec.model_width, parts)
        to_stream = [(spec.model_width, spec.branch_gain)]
        write = self._drawing(self._laws.write).linear(2 * number + 1, spec.model_width, to_stream)
        return AttentionBranch(project, heads, write)

    @property
    def _laws(self) -> Attention:
        assert self.spec.init is not None
        return attention_of(self.spec.init)

    def _drawing(self, drawn: Drawn, whole: tuple[int, int] | None = None) -> Drawing:
        """Return how one kind of matrix is drawn, from the fans of all its parts together if that is its law."""
        return self.drawing._replace(law=law_of(self.spec, drawn, whole if drawn.fans == "whole" else None))

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
            return sum(rows * other if self.drawing.weightless else one * other for one, other in fans)

        attention = maps((width, projected), (width, width))
        mlp = maps((width, expanded), (spec.mlp_width, width))
        of_attention = 2 * width + (1 + (spec.positions == "rotary")) * projected + spec.heads * spec.tokens
        of_mlp = width + (expanded + 3 * spec.mlp_width if spec.gated else 2 * spec.mlp_width)
        return attention + rows * of_attention, mlp + rows * of_mlp

    # ---- the two ends

    def _embedding(self, tokens: int) -> Array:
        """Draw embeddings, (tokens, width): of all kinds of tokens, or without matrices of those that occur."""
        return self._table(TOKEN_STREAM, tokens, self.spec.vocabulary if self.spec.patch is None else 1)

    def _table(self, purpose: int, rows: int, known: int) -> Array:
        """Draw so many rows of an embedding that knows so many, (rows, width)."""
        law, width = embedding_law(self.spec, known), self.spec.model_width
        table = law.sample(random_stream(self.drawing.seed, purpose), rows, width)
        return (law.std(known, width) * table).astype(self.drawing.dtype)

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
        return spec.embedding_scale * self._table(POSITION_STREAM, spec.tokens, spec.context or spec.tokens)

    def _tied_readout(self, known: npt.NDArray[np.intp], embedding: Array) -> Linear:
        """Return the transposed embedding; the columns of tokens that the input lacks are drawn here."""
        spec, drawing = self.spec, self.drawing
        others = np.setdiff1d(np.arange(spec.vocabulary), known)
        if not len(others):
            return Dense(embedding.T)
        noise = Noise(drawing.seed, MOST * READOUT_KEY, drawing.dtype)
        unknown = Weightless(spec.model_width, len(others), noise, spec.embedding_std)
        return Beside((Dense(embedding.T), unknown), np.concatenate([known, others]))

    def _untied_readout(self) -> Linear:
        """Draw the map to the logits; of tokens it has no bias, as no published one has."""
        drawing = self.drawing._replace(biased=self.drawing.biased and self.spec.patch is not None)
        return drawing.linear(READOUT_KEY, self.spec.model_width, [(self.spec.vocabulary, 1.0)])


def draw_transformer(
    spec: TransformerSpec, features: int, outputs: int, seed: int, dtype: str, without_matrices: bool = False
) -> TransformerNetwork:
    """Return the transformer that a spec describes and `seed` draws; `features` and `outputs` are the spec's own."""
    return TransformerNetwork(spec, Drawing(weight_law(spec), seed, dtype, without_matrices, spec.biases))


def _shapes(spec: TransformerSpec, features: int, outputs: int) -> list[tuple[int, int]]:
    width, expanded = spec.model_width, spec.mlp_width * (2 if spec.gated else 1)
    a_block = (width, width + 2 * spec.key_width), (width, width), (width, expanded), (spec.mlp_width, width)
    return [*a_block * spec.blocks, (width, spec.vocabulary)]


def _parameters(spec: TransformerSpec, features: int, outputs: int) -> int:
    return _of_blocks(spec) + _of_ends(spec)


def _of_blocks(spec: TransformerSpec) -> int:
    """Return the parameters of a transformer's blocks, and of the norm after them."""
    maps = _shapes(spec, 0, 0)[:-1]
    of_norm = spec.model_width * {"layer": 2, "rms": 1, "none": 0}[spec.norm]
    norms = spec.blocks * (4 if spec.norm_placement == "both" else 2) + (spec.norm_placement != "post")
    return sum((fan_in + spec.biases) * fan_out for fan_in, fan_out in maps) + norms * of_norm


def _of_ends(spec: TransformerSpec) -> int:
    """Return the parameters of a transformer's embeddings and its read-out."""
    width, outputs = spec.model_width, spec.vocabulary
    positions = (spec.context or spec.tokens) * width if spec.positions == "learned" else 0
    readout = 0 if spec.tied else width * outputs + (outputs if spec.patch else 0)
    embedding = outputs * width if spec.patch is None else (spec.patch + 1) * width + width  # and a class token
    return positions + embedding + readout


# ---- the data


def _fit(
    spec: TransformerSpec, data: DataSpec, said: frozenset[str], weights: Given | None
) -> tuple[TransformerSpec, Dataset | TokenSet]:
    if spec.patch is None:
        return spec, load_tokens(spec, data)
    if data.data == "text":
        raise OptionError("data", "text is tokens, and --patch takes vectors: drop one")
    return cut_patches(spec, load_dataset(data), data, given="tokens" in said)


def cut_patches(
    spec: TransformerSpec, dataset: Dataset, data: DataSpec, *, given: bool
) -> tuple[TransformerSpec, Dataset]:
    """Return a transformer of patches with the tokens that the data has, and the data.

    Raises
    ------
    OptionError
        The examples can't be cut into so many patches, or have more classes than the read-out.
    """
    patch = spec.patch or 1
    if dataset.inputs is None:
        return spec, dataset._replace(drawn_features=(spec.tokens - 1) * patch)
    patches, rest = divmod(dataset.features, patch)
    if rest:
        raise OptionError("patch", f"{patch} can't cut the {dataset.features} numbers of an example of {data.data}")
    if given and spec.tokens != patches + 1:
        problem = f"{spec.tokens} are not the {patches} patches of {data.data} and a class token"
        raise OptionError("tokens", f"{problem}; allowed: {patches + 1}")
    if dataset.labels is not None and dataset.outputs > spec.vocabulary:
        raise OptionError("vocabulary", f"{spec.vocabulary} is less than the {dataset.outputs} classes of {data.data}")
    return replace(spec, tokens=patches + 1), dataset


# ---- what may heal


def _changes(spec: TransformerSpec, batch_size: int, shallower: bool) -> Iterator[Change]:
    """Where the norms sit, how much a branch adds, how large the weights start, gelu; then fewer blocks."""
    scale = 1.0 if spec.residual_scale == "deepnorm" else spec.residual_scale
    for placement in ("pre", "both", "post"):
        if placement != spec.norm_placement or spec.norm == "none":
            yield {"norm": "layer" if spec.norm == "none" else spec.norm, "norm_placement": placement} | (
                {"residual_scale": scale} if scale != spec.residual_scale else {}
            )
    if "gpt2" not in (spec.residual_scale, spec.init):
        yield {"residual_scale": "gpt2"}
    if spec.norm_placement == "post" and spec.norm != "none" and spec.residual_scale != "deepnorm":
        yield {"residual_scale": "deepnorm"}
    for init, std in (("normal", 0.02), ("xavier", None)):
        if init != spec.init:
            yield {"init": init, "weight_std": std, "gain": 1.0}
    yield from plain_gain(spec)
    if spec.activation not in SMOOTH:
        yield {"activation": "gelu"}
    if shallower:
        yield from ({"blocks": spec.blocks // part} for part in (2, 4, 8) if spec.blocks // part > 0)


TRANSFORMER = Family(
    spec=TransformerSpec,
    shapes=_shapes,
    parameters=_parameters,
    draw=draw_transformer,
    fit=_fit,
    changes=_changes,
    small={
        "blocks": 2, "model_width": 8, "heads": 2, "kv_heads": 1, "tokens": 4, "vocabulary": 5,
        "activation": "swiglu", "norm": "rms", "positions": "rotary",
    },
)  # fmt: skip
