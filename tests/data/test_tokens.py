import re

import numpy as np
import pytest

from gradcheck.data.datasets import Dataset
from gradcheck.data.tokens import TEXT, TokenSet, load_tokens
from gradcheck.errors import InputError, OptionError
from gradcheck.families.transformer import cut_patches
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec import TransformerSpec
from gradcheck.spec.data import DataSpec

TINY = {"blocks": 1, "model_width": 8, "heads": 2, "tokens": 6}
both_ways = pytest.mark.parametrize("causal", [True, False])


def spec_of(**fields):
    return TransformerSpec(**(TINY | fields))


@pytest.fixture
def saved(tmp_path):
    """An array ↦ the path of a .npy that holds it, as text."""

    def save(array, name="ids.npy"):
        np.save(tmp_path / name, array)
        return str(tmp_path / name)

    return save


def data_of(path, **fields):
    return DataSpec(data=str(path), **({"batch_size": 1} | fields))


def refusal(error, call, *arguments, **options):
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


# ---- the shipped text


def test_the_shipped_text_is_utf8_of_some_twenty_thousand_bytes_of_many_kinds():
    raw = TEXT.read_bytes()
    assert raw.decode("utf-8").encode("utf-8") == raw
    assert 18_000 <= len(raw) <= 24_000
    assert len(set(raw)) > 40


def test_the_tokens_of_the_text_are_its_bytes():
    tokens = load_tokens(spec_of(), data_of("text"))
    assert tokens.ids.dtype == np.int64
    assert bytes(tokens.ids.tolist()) == TEXT.read_bytes()
    assert (tokens.features, tokens.causal, tokens.outputs) == (6, True, 256)
    assert (tokens.features, tokens.outputs) == (6, 256)
    assert tokens.labels is tokens.ids


# ---- batches of one long text


@pytest.fixture
def stream(saved):
    """Causal or not, spec fields ↦ 100 tokens of which each is its own place."""

    def load(causal=True, **fields):
        return load_tokens(spec_of(causal=causal, **fields), data_of(saved(np.arange(100))))

    return load


@both_ways
@pytest.mark.parametrize("seed", [0, 5])
def test_without_a_shuffle_sequences_follow_each_other_from_the_start(seed, causal, stream):
    inputs, labels = stream(causal).batch(DataSpec(batch_size=4, shuffle=False), seed)
    np.testing.assert_array_equal(inputs, np.arange(24).reshape(4, 6))
    np.testing.assert_array_equal(labels, np.arange(24) + causal)


@both_ways
def test_a_shuffle_starts_sequences_anywhere_each_in_one_piece(causal, stream):
    inputs, labels = stream(causal).batch(DataSpec(batch_size=12), 0)
    assert inputs.shape == (12, 6)
    np.testing.assert_array_equal(inputs, inputs[:, :1] + np.arange(6))
    np.testing.assert_array_equal(labels, inputs.reshape(-1) + causal)
    assert len(np.unique(inputs[:, 0])) == 12
    assert (inputs[:, 0] % 6).any()


@both_ways
def test_every_place_is_a_start_of_some_sequence(causal, stream):
    tokens = stream(causal)
    starts = {
        start for seed in range(100) for start in tokens.batch(DataSpec(batch_size=16), seed).inputs[:, 0].tolist()
    }
    assert starts == set(range(95 - causal))  # the last sequence and the token behind it end with the text


def test_a_seed_picks_its_sequences_and_picks_them_again(stream):
    tokens, data = stream(), DataSpec(batch_size=4)
    first, again, other = (tokens.batch(data, seed).inputs for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


# ---- batches of sequences


@pytest.fixture
def sequences(saved):
    """Ten sequences of seven tokens: token t of sequence s is 10·s + t."""

    def load(causal):
        ids = 10 * np.arange(10)[:, None] + np.arange(7)
        return load_tokens(spec_of(causal=causal), data_of(saved(ids)))

    return load


@both_ways
def test_without_a_shuffle_the_first_sequences_are_taken_from_their_starts(causal, sequences):
    inputs, labels = sequences(causal).batch(DataSpec(batch_size=3, shuffle=False), 1)
    np.testing.assert_array_equal(inputs, 10 * np.arange(3)[:, None] + np.arange(6))
    np.testing.assert_array_equal(labels, inputs.reshape(-1) + causal)


@both_ways
def test_a_shuffle_takes_different_sequences_each_from_its_start(causal, sequences):
    inputs, labels = sequences(causal).batch(DataSpec(batch_size=10), 1)
    np.testing.assert_array_equal(np.sort(inputs[:, 0]), 10 * np.arange(10))
    assert (np.diff(inputs[:, 0]) < 0).any()
    np.testing.assert_array_equal(inputs, inputs[:, :1] + np.arange(6))
    np.testing.assert_array_equal(labels, inputs.reshape(-1) + causal)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, bool])
def test_whole_numbers_of_any_type_are_ids(dtype, saved):
    ids = np.array([0, 1, 1, 0, 1, 0, 1, 0]).astype(dtype)
    tokens = load_tokens(spec_of(vocabulary=2), data_of(saved(ids)))
    assert tokens.ids.dtype == np.int64
    assert tokens.ids.tolist() == [0, 1, 1, 0, 1, 0, 1, 0]


# ---- files and options that are refused


NO_ID = "is not a token id; allowed: whole numbers from 0, below 2,147,483,648 (vectors need patch=N)"


@pytest.mark.parametrize(
    ("ids", "problem"),
    [
        (np.array([3, -2, 1]), f"-2 {NO_ID}"),
        (np.array([3, 1.5, 1]), f"1.5 {NO_ID}"),
        (np.array([3, np.nan]), f"nan {NO_ID}"),
        (np.array([3, np.inf]), f"inf {NO_ID}"),
        (np.array([3, 1e300]), f"1e+300 {NO_ID}"),
        (np.array([3, 2**63], dtype=np.uint64), f"9.22337e+18 {NO_ID}"),
        (np.zeros((2, 3, 4)), "has the shape (2, 3, 4); allowed: token ids of one text, or sequences by tokens"),
        (np.array(5), "has the shape (); allowed: token ids of one text, or sequences by tokens"),
        (np.zeros((0, 6)), "has the shape (0, 6); allowed: token ids of one text, or sequences by tokens"),
        (np.array(["a", "b"]), "the array holds <U1 values; allowed: real numbers"),
        (np.array([1j]), "the array holds complex128 values; allowed: real numbers"),
    ],
)
def test_an_array_of_no_token_ids_is_refused_by_its_file(ids, problem, saved):
    path = saved(ids)
    assert refusal(InputError, load_tokens, spec_of(), data_of(path)) == f"{path}: {problem}"


def test_a_missing_file_a_folder_and_a_damaged_file_are_refused_by_name(tmp_path):
    missing, folder, damaged = (tmp_path / f"{name}.npy" for name in ("missing", "folder", "damaged"))
    folder.mkdir()
    damaged.write_bytes(b"no array")
    assert refusal(InputError, load_tokens, spec_of(), data_of(missing)) == f"{missing}: no such file"
    assert refusal(InputError, load_tokens, spec_of(), data_of(folder)) == f"{folder}: is a folder, not a file"
    assert refusal(InputError, load_tokens, spec_of(), data_of(damaged)).startswith(f"{damaged}: holds pickled")


@pytest.mark.parametrize("data", ["digits", "gaussian", "ids.npz", "ids.csv"])
def test_data_that_has_no_tokens_is_refused_with_what_has(data):
    text = refusal(OptionError, load_tokens, spec_of(), data_of(data))
    assert text == f"data {data} holds no token ids; a transformer reads text, or a .npy of ids (or vectors: patch=N)"


def test_a_slip_in_the_name_of_the_text_is_told():
    assert "did you mean 'text'?" in refusal(OptionError, load_tokens, spec_of(), data_of("tex"))


def test_an_id_beyond_the_vocabulary_is_refused(saved):
    path = saved(np.array([3, 9, 1, 0, 0, 0, 0]))
    text = refusal(OptionError, load_tokens, spec_of(vocabulary=9), data_of(path))
    assert text == f"vocabulary=9 has no id 9, which {path} holds; raise it"
    assert load_tokens(spec_of(vocabulary=10), data_of(path)).ids.max() == 9


@pytest.mark.parametrize("shape", [(6,), (4, 6)])
def test_a_sequence_longer_than_the_data_is_refused(shape, saved):
    path = saved(np.zeros(shape))
    text = refusal(OptionError, load_tokens, spec_of(), data_of(path))
    assert text == f"tokens=6 and the one after them are more than the 6 that {path} has"
    text = refusal(OptionError, load_tokens, spec_of(tokens=7, causal=False), data_of(path))
    assert text == f"tokens=7 are more than the 6 that {path} has"
    for fitting in (spec_of(tokens=5), spec_of(causal=False)):
        assert load_tokens(fitting, data_of(path)).ids.shape == shape


@pytest.mark.parametrize(
    ("shape", "causal", "sequences"), [((24,), True, 3), ((25,), True, 4), ((24,), False, 4), ((5, 7), True, 5)]
)
def test_a_batch_of_more_sequences_than_the_data_has_is_refused(shape, causal, sequences, saved):
    path, spec = saved(np.zeros(shape)), spec_of(causal=causal)
    text = refusal(OptionError, load_tokens, spec, data_of(path, batch_size=sequences + 1))
    assert text == f"batch_size={sequences + 1} is more than the {sequences} sequences of 6 tokens in {path}"
    fitting = data_of(path, batch_size=sequences, shuffle=False)
    assert load_tokens(spec, fitting).batch(fitting, 0).inputs.shape == (sequences, 6)


# ---- patches


@pytest.fixture
def dataset(rng):
    return Dataset(rng.standard_normal((5, 24)), np.array([0, 1, 2, 3, 1]))


def patches_of(**fields):
    return spec_of(**({"tied": False, "patch": 6, "vocabulary": 4} | fields))


@pytest.mark.parametrize(("patch", "tokens"), [(24, 2), (6, 5), (1, 25)])
def test_there_is_a_token_for_each_patch_of_the_data_and_one_for_the_class(patch, tokens, dataset):
    spec, kept = cut_patches(patches_of(patch=patch, context=64), dataset, data_of("digits"), given=False)
    assert spec == patches_of(patch=patch, tokens=tokens, context=64)
    assert kept is dataset


def test_data_that_is_drawn_has_as_many_numbers_as_the_patches():
    spec, drawn = cut_patches(patches_of(), Dataset(None), data_of("gaussian"), given=True)
    assert spec == patches_of()
    assert drawn.features == 5 * 6


def test_examples_that_cant_be_cut_are_refused(dataset):
    text = refusal(OptionError, cut_patches, patches_of(patch=7), dataset, data_of("digits"), given=False)
    assert text == "patch=7 can't cut the 24 numbers of an example of digits"


def test_tokens_that_are_not_the_datas_are_refused(dataset):
    text = refusal(OptionError, cut_patches, patches_of(tokens=6), dataset, data_of("digits"), given=True)
    assert text == "tokens=6 are not the 4 patches of digits and a class token; allowed: 5"
    assert cut_patches(patches_of(tokens=5), dataset, data_of("digits"), given=True)[0].tokens == 5


def test_more_classes_than_the_readout_has_are_refused(dataset):
    text = refusal(OptionError, cut_patches, patches_of(vocabulary=3), dataset, data_of("digits"), given=False)
    assert text == "vocabulary=3 is less than the 4 classes of digits"
    unlabelled = dataset._replace(labels=None)
    assert cut_patches(patches_of(vocabulary=3), unlabelled, data_of("digits"), given=False)[0].vocabulary == 3


# ---- in an experiment


def test_a_transformer_reads_one_sequence_of_the_text_unless_told_otherwise():
    experiment = Experiment.from_options({"arch": "transformer", **TINY})
    assert (experiment.data.data, experiment.data.batch_size, experiment.network.rows) == ("text", 1, 6)
    assert isinstance(experiment.dataset, TokenSet)
    assert Experiment.from_options({"arch": "transformer", **TINY, "batch_size": 4}).batch(0).inputs.shape == (4, 6)


def test_a_transformer_of_patches_reads_drawn_vectors_or_those_of_the_data():
    options = {"arch": "transformer", **TINY, "tied": False, "patch": 16}
    assert Experiment.from_options(options).batch(0).inputs.shape == (1, 5 * 16)
    del options["tokens"]
    digits = Experiment.from_options(options | {"data": "digits", "batch_size": 3})
    assert (digits.network.tokens, digits.network.rows) == (5, 5)
    assert digits.batch(0).labels.shape == (3,)


def test_given_weights_are_refused():
    with pytest.raises(OptionError, match=re.escape("weights goes with arch mlp, rnn, lstm or gru;")):
        Experiment.from_options({"arch": "transformer", "weights": "a.npz"})
