"""Tokens: the shipped text byte by byte, or the ids of the user's .npy file, cut into sequences."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.base.files import existing_file
from gradcheck.data.datasets import DATA_STREAM, Batch, as_numbers, read_arrays
from gradcheck.engine.initializers import random_stream
from gradcheck.errors import InputError, OptionError
from gradcheck.spec import TransformerSpec, known_data
from gradcheck.spec.data import DataSpec

TEXT = Path(__file__).parents[1] / "datasets" / "text.txt"

#: No vocabulary is larger.
MOST_TOKENS = 2**31

Ids = npt.NDArray[np.int64]


class TokenSet(NamedTuple):
    """Token ids, and how sequences are taken from them."""

    ids: Ids  # one long text (tokens,), or (sequences, tokens)
    features: int  # tokens of a sequence
    causal: bool  # each token is asked for the next one, else for itself
    outputs: int  # size of the vocabulary: units of the read-out

    @property
    def labels(self) -> Ids:
        """The ids are their own labels."""
        return self.ids

    @property
    def needed(self) -> int:
        """Tokens that are taken for a sequence, the next one of its last token among them."""
        return self.features + self.causal

    def batch(self, data: DataSpec, seed: int, _dtype: str = "") -> Batch:
        """Return sequences (batch, tokens) and what each token is asked for, (batch·tokens,)."""
        generator = random_stream(seed, DATA_STREAM)
        if self.ids.ndim == 2:
            order = generator.permutation(len(self.ids)) if data.shuffle else np.arange(len(self.ids))
            taken = self.ids[order[: data.batch_size], : self.needed]
        else:
            starts = np.arange(data.batch_size) * self.features
            if data.shuffle:
                starts = generator.choice(len(self.ids) - self.needed + 1, data.batch_size, replace=False)
            taken = self.ids[starts[:, None] + np.arange(self.needed)]
        return Batch(taken[:, : self.features], taken[:, self.causal :].reshape(-1))


def load_tokens(spec: TransformerSpec, data: DataSpec) -> TokenSet:
    """Return the tokens that `data` names.

    Raises
    ------
    InputError
        The file can't be read, or doesn't hold token ids of this vocabulary.
    OptionError
        The data has no tokens, or too few.
    """
    known_data(data.data)
    if data.data == "text":
        ids = np.frombuffer(TEXT.read_bytes(), np.uint8).astype(np.int64)
    elif Path(data.data).suffix.lower() == ".npy":
        ids = _read(Path(data.data))
    else:
        problem = f"{data.data} holds no token ids; a transformer reads text, or a .npy of ids (or vectors: --patch N)"
        raise OptionError("data", problem)
    if ids.max() >= spec.vocabulary:
        raise OptionError("vocabulary", f"{spec.vocabulary} has no id {ids.max()}, which {data.data} holds; raise it")
    tokens = TokenSet(ids, spec.tokens, spec.causal, spec.vocabulary)
    _check_length(tokens, data)
    return tokens


def _read(path: Path) -> Ids:
    raw = as_numbers(path, read_arrays(existing_file(path))[""], "the array")
    if raw.ndim not in (1, 2) or not raw.size:
        raise InputError(path, f"has the shape {raw.shape}; allowed: token ids of one text, or sequences by tokens")
    wrong = ~((raw >= 0) & (raw < MOST_TOKENS) & (raw == np.floor(raw)))
    if wrong.any():
        allowed = f"whole numbers from 0, below {MOST_TOKENS:,} (vectors need --patch N)"
        raise InputError(path, f"{raw[wrong][0]:g} is not a token id; allowed: {allowed}")
    return raw.astype(np.int64)


def _check_length(tokens: TokenSet, data: DataSpec) -> None:
    """Raise an error unless there are as many sequences of that length as the batch has."""
    length, why = tokens.ids.shape[-1], " and the one after them" if tokens.causal else ""
    if length < tokens.needed:
        raise OptionError("tokens", f"{tokens.features}{why} are more than the {length} that {data.data} has")
    sequences = len(tokens.ids) if tokens.ids.ndim == 2 else (length - tokens.causal) // tokens.features
    if data.batch_size > sequences:
        problem = f"{data.batch_size} is more than the {sequences} sequences of {tokens.features} tokens in {data.data}"
        raise OptionError("batch_size", problem)
