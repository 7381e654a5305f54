import sys
import zipfile
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given as given_by
from hypothesis import strategies as st

import gradcheck
from gradcheck.data.datasets import Dataset, load_dataset
from gradcheck.engine.linear import Dense
from gradcheck.errors import GradcheckError, InputError, MissingExtraError, OptionError
from gradcheck.families.family import Given
from gradcheck.families.perceptron import check_fit, load_weights
from gradcheck.families.weight_files import save_weights
from gradcheck.spec.data import DataSpec

SHAPES = [(5, 4), (4, 3), (3, 2)]
SMALL = {"depth": 2, "width": (4, 3), "features": 5, "classes": 2, "init": "he"}


@pytest.fixture
def matrices(rng):
    return [rng.standard_normal(shape) for shape in SHAPES]


@pytest.fixture
def biases(rng):
    return [rng.standard_normal(shape[1]) for shape in SHAPES]


def saved(folder, *unnamed, **arrays):
    np.savez(folder / "w.npz", *unnamed, **arrays)
    return folder / "w.npz"


def assert_maps(maps, matrices, biases):
    assert len(maps) == len(matrices)
    for one, weight, bias in zip(maps, matrices, biases, strict=True):
        np.testing.assert_array_equal(one.weight, weight)
        assert one.weight.dtype == np.float64
        if bias is None:
            assert one.bias is None
        else:
            np.testing.assert_array_equal(one.bias, bias)


def maps_unless_refused(path):
    """The maps of a file, or none if it is refused by its name."""
    try:
        return load_weights(path)
    except InputError as error:
        problem = str(error)
    assert str(path) in problem
    return []


# ---- writing and reading back


@pytest.mark.parametrize("bias_std", [0.0, 0.3])
def test_what_is_saved_is_what_is_read(tmp_path, network_of, bias_std):
    network = network_of(**SMALL, bias_std=bias_std, seed=7)
    save_weights(tmp_path / "w.npz", network)
    linear = [network.linear(layer) for layer in (1, 2, 3)]
    biases = [one.bias if bias_std else np.zeros(one.weight.shape[1]) for one in linear]
    assert_maps(load_weights(tmp_path / "w.npz"), [one.weight for one in linear], biases)


def test_a_saved_file_has_the_names_of_the_contract(tmp_path, network_of):
    save_weights(tmp_path / "w.npz", network_of(**SMALL))
    with np.load(tmp_path / "w.npz") as file:
        assert file.files == ["W1", "b1", "W2", "b2", "W_out", "b_out"]
        assert [file[name].shape for name in file.files] == [(5, 4), (4,), (4, 3), (3,), (3, 2), (2,)]


def test_a_saved_file_keeps_single_precision(tmp_path, network_of):
    save_weights(tmp_path / "w.npz", network_of(**SMALL, dtype="float32"))
    with np.load(tmp_path / "w.npz") as file:
        assert {file[name].dtype for name in file.files} == {np.dtype("float32")}


def test_weights_in_a_full_folder_leave_nothing_behind(tmp_path, network_of):
    with pytest.raises(GradcheckError, match="doesn't exist"):
        save_weights(tmp_path / "none" / "w.npz", network_of(**SMALL))
    assert not list(tmp_path.iterdir())


# ---- names and order


def test_matrices_with_names_are_taken_by_their_names(tmp_path, matrices, biases):
    (w1, w2, w3), (b1, b2, b3) = matrices, biases
    path = saved(tmp_path, b_out=b3, W2=w2, W_out=w3, b1=b1, W1=w1, b2=b2)
    assert_maps(load_weights(path), matrices, biases)


def test_the_read_out_may_be_the_last_number(tmp_path, matrices):
    path = saved(tmp_path, W3=matrices[2], W2=matrices[1], W1=matrices[0])
    assert_maps(load_weights(path), matrices, [None] * 3)


def test_biases_are_optional_one_by_one(tmp_path, matrices, biases):
    path = saved(tmp_path, W1=matrices[0], W2=matrices[1], b2=biases[1], W_out=matrices[2])
    assert_maps(load_weights(path), matrices, [None, biases[1], None])


def test_more_than_nine_names_are_counted_not_sorted(tmp_path):
    maps = [np.full((2, 2), float(number)) for number in range(1, 13)]
    path = saved(tmp_path, **{f"W{number}": maps[number - 1] for number in range(12, 0, -1)})
    assert_maps(load_weights(path), maps, [None] * 12)


def test_other_names_are_taken_in_the_files_order(tmp_path, matrices, biases):
    path = saved(tmp_path, zebra=matrices[0], its_bias=biases[0], middle=matrices[1], apple=matrices[2], bias=biases[2])
    assert_maps(load_weights(path), matrices, [biases[0], None, biases[2]])


def test_arrays_without_names_are_taken_in_the_files_order(tmp_path, matrices):
    assert_maps(load_weights(saved(tmp_path, *matrices)), matrices, [None] * 3)


def test_names_that_end_in_weight_are_pytorchs_and_transposed(tmp_path, matrices, biases):
    arrays = {}
    for layer, (weight, bias) in enumerate(zip(matrices, biases, strict=True)):
        arrays |= {f"{2 * layer}.weight": weight.T, f"{2 * layer}.bias": bias}
    assert_maps(load_weights(saved(tmp_path, **arrays)), matrices, biases)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_weights_of_any_real_kind_are_read(tmp_path, dtype):
    maps = [np.eye(3, dtype=dtype), 2 * np.eye(3, dtype=dtype)]
    assert_maps(load_weights(saved(tmp_path, *maps)), maps, [None] * 2)


# ---- safetensors


@pytest.fixture
def save_tensors(tmp_path):
    module = pytest.importorskip("safetensors.numpy")

    def save(arrays):
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        module.save_file(contiguous, tmp_path / "model.safetensors")
        return tmp_path / "model.safetensors"

    return save


def test_safetensors_are_taken_by_the_numbers_in_their_names(save_tensors):
    maps = [np.full((2, 2), float(number)) for number in range(1, 13)]
    path = save_tensors({f"layers.{number}.weight": maps[number].T for number in range(12)})
    assert_maps(load_weights(path), maps, [None] * 12)


def test_a_digit_that_is_no_number_is_a_letter(save_tensors):
    path = save_tensors({"1²": np.ones((2, 2)), "1³": np.ones((2, 2))})
    assert_maps(load_weights(path), [np.ones((2, 2))] * 2, [None] * 2)


def test_safetensors_with_the_names_of_the_contract_are_taken_by_them(save_tensors, matrices, biases):
    path = save_tensors({"W1": matrices[0], "b1": biases[0], "W2": matrices[1], "W_out": matrices[2]})
    assert_maps(load_weights(path), matrices, [biases[0], None, None])


def test_a_pytorch_model_in_safetensors_has_pytorchs_own_loss_and_signal(tmp_path):
    torch, module = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    torch.manual_seed(0)
    sizes = [64, *[9] * 11, 10]
    model = torch.nn.Sequential()
    for fan_in, fan_out in pairwise(sizes):
        model.extend([torch.nn.Linear(fan_in, fan_out, dtype=torch.float64), torch.nn.Tanh()])
    model = model[:-1]
    module.save_file(model.state_dict(), tmp_path / "model.safetensors")
    report = gradcheck.simulate(weights=tmp_path / "model.safetensors", activation="tanh", batch_size=16)

    spec = DataSpec(batch_size=16)
    inputs, labels = load_dataset(spec).batch(spec, 0, "float64")
    loss = torch.nn.functional.cross_entropy(model(torch.tensor(inputs)), torch.tensor(labels))
    hidden = model[:-1](torch.tensor(inputs))
    assert len(report.layers) == 11
    assert report.output.loss == pytest.approx(loss.item(), rel=1e-12)
    assert report.layers[-1].activation_rms == pytest.approx(hidden.square().mean().sqrt().item(), rel=1e-12)


def test_without_safetensors_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "model.safetensors").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingExtraError, match="pip install safetensors"):
        load_weights(tmp_path / "model.safetensors")


@pytest.mark.parametrize("content", [b"", b"not a tensor", b"\xff" * 64, bytes(8)])
def test_a_broken_safetensors_file_is_refused(tmp_path, content):
    pytest.importorskip("safetensors")
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=r"model.safetensors: can't be read as .safetensors"):
        load_weights(tmp_path / "model.safetensors")


def test_numbers_that_numpy_lacks_are_refused_or_read(tmp_path):
    torch, module = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    tensors = {name: torch.eye(3, dtype=torch.bfloat16) for name in ("0.weight", "2.weight")}
    module.save_file(tensors, tmp_path / "model.safetensors")
    maps = maps_unless_refused(tmp_path / "model.safetensors")
    assert_maps(maps, [np.eye(3)] * len(maps), [None] * len(maps))


# ---- bad files

EYE = np.eye(3)

BAD = {
    "one matrix": ({"W1": EYE}, "at least one hidden layer and a read-out"),
    "nothing": ({}, "holds 0 matrices"),
    "a gap": ({"W1": EYE, "W3": EYE}, "W3"),
    "a bias without its matrix": ({"W1": EYE, "W2": EYE, "b4": np.ones(3)}, "b4"),
    "a read-out bias without its matrix": ({"W1": EYE, "W2": EYE, "b_out": np.ones(3)}, "b_out"),
    "other names": ({"W1": EYE, "W_out": EYE, "scale": np.ones(3)}, "scale"),
    "no chain": ({"W1": np.ones((3, 4)), "W2": np.ones((5, 3))}, "W2 takes 5 inputs but W1 gives 4"),
    "no chain in order": ({"a": np.ones((3, 4)), "b": np.ones((3, 4))}, "b takes 3 inputs but a gives 4"),
    "a long bias": ({"W1": EYE, "b1": np.ones(4), "W_out": EYE}, "b1 has the shape (4,); W1 needs (3,)"),
    "a long bias in order": ({"a": EYE, "c": np.ones(4), "b": EYE}, "c has the shape (4,); a needs (3,)"),
    "a bias as a row": ({"W1": EYE, "b1": np.ones((1, 3)), "W_out": EYE}, "b1 has the shape (1, 3)"),
    "a bias first": ({"bias": np.ones(3), "a": EYE, "b": EYE}, "bias has the shape (3,)"),
    "two biases": ({"a": EYE, "one": np.ones(3), "two": np.ones(3), "b": EYE}, "two has the shape (3,)"),
    "a convolution": ({"conv": np.ones((3, 3, 2, 2)), "fc": EYE}, "conv has the shape (3, 3, 2, 2)"),
    "a convolution named W1": ({"W1": np.ones((3, 3, 2)), "W2": EYE}, "W1 has the shape (3, 3, 2)"),
    "a number": ({"step": np.array(3), "a": EYE, "b": EYE}, "step has the shape ()"),
    "no units": ({"W1": np.ones((3, 0)), "W2": np.ones((0, 3))}, "W1 has the shape (3, 0)"),
    "text": ({"W1": EYE, "W2": np.array([["a"]])}, "W2 holds <U1 values"),
    "complex": ({"W1": EYE, "W2": 1j * EYE}, "real numbers"),
    "objects": ({"W1": EYE, "W2": np.array([[None]], dtype=object)}, "pickled"),
}


@pytest.mark.parametrize(("arrays", "problem"), [*BAD.values()], ids=[*BAD])
def test_matrices_that_make_no_network_are_refused_in_one_line_that_names_the_file(tmp_path, arrays, problem):
    path = saved(tmp_path, **arrays)
    with pytest.raises(InputError) as caught:
        load_weights(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    for name, problem in [("none.npz", "no such file"), ("folder.npz", "is a folder")]:
        with pytest.raises(InputError, match=f"{name}: {problem}"):
            load_weights(tmp_path / name)


def test_another_kind_of_file_is_refused(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"")
    with pytest.raises(OptionError, match=r"weights .*model.pt is of an unknown kind; allowed: .npz, .safetensors"):
        load_weights(tmp_path / "model.pt")


def test_a_note_beside_the_matrices_is_refused(tmp_path):
    path = saved(tmp_path, W1=EYE, W_out=EYE)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match=r"readme.txt"):
        load_weights(path)


def test_a_damaged_file_is_refused_or_read_but_never_crashes(tmp_path):
    good = saved(tmp_path, W1=EYE, W_out=EYE).read_bytes()

    @given_by(st.integers(0, len(good) - 1), st.binary(max_size=3), st.integers(0, 3))
    def check(at, new, dropped):
        (tmp_path / "w.npz").write_bytes(good[:at] + new + good[at + dropped :])
        assert all(one.weight.ndim == 2 for one in maps_unless_refused(tmp_path / "w.npz"))

    check()


# ---- do they fit the data


def dataset(features, labels=None):
    return Dataset(np.zeros((2, features)), None if labels is None else np.array(labels))


def test_the_first_matrix_takes_the_datas_features(tmp_path):
    maps = [Dense(np.ones((3, 4))), Dense(np.ones((4, 2)))]
    check_fit(Given(tmp_path, maps), dataset(3))
    with pytest.raises(InputError, match="the first matrix takes 3 inputs but the data has 5 features"):
        check_fit(Given(tmp_path, maps), dataset(5))


def test_the_last_matrix_has_an_output_for_each_class(tmp_path):
    maps = [Dense(np.ones((3, 4))), Dense(np.ones((4, 2)))]
    check_fit(Given(tmp_path, maps), dataset(3, [0, 1]))
    with pytest.raises(InputError, match="the last matrix gives 2 outputs but the data has 3 classes"):
        check_fit(Given(tmp_path, maps), dataset(3, [0, 2]))


def test_more_outputs_than_classes_are_fine(tmp_path):
    maps = [Dense(np.ones((3, 4))), Dense(np.ones((4, 20)))]
    check_fit(Given(tmp_path, maps), dataset(3, [0, 1]))


# ---- a model that is broken is a finding, not an error


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_give_a_nonfinite_verdict(tmp_path, value):
    broken = np.eye(64)
    broken[3, 3] = value
    path = saved(tmp_path, W1=np.eye(64), W2=broken, W3=np.eye(64), W_out=np.eye(64, 10))
    report = gradcheck.simulate(weights=path, activation="tanh")
    assert report.verdict.status == "nonfinite"
    assert [layer.flag == "nonfinite" for layer in report.layers] == [False, True, True]
    assert [layer.gradient_rms is None for layer in report.layers] == [False, True, True]
    assert "layer 2 is the first" in report.verdict.reasons[0]
