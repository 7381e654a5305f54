import re

import numpy as np
import pytest

import gradcheck
from gradcheck.data.datasets import load_dataset
from gradcheck.engine.cells import CELLS
from gradcheck.engine.linear import Dense
from gradcheck.errors import InputError, OptionError
from gradcheck.families.recurrent import load_recurrence
from gradcheck.families.weight_files import save_weights
from gradcheck.spec.data import DataSpec

FEATURES, WIDTH, CLASSES = 3, 4, 2
every_arch = pytest.mark.parametrize("arch", CELLS)


@pytest.fixture
def arrays(rng):
    """An architecture ↦ arrays by our names."""

    def of(arch):
        gates = len(CELLS[arch].gates) * WIDTH
        shapes = {
            "W_x": (FEATURES, gates), "b": (gates,), "W_h": (WIDTH, gates), "b_h": (gates,),
            "W_out": (WIDTH, CLASSES), "b_out": (CLASSES,),
        }  # fmt: skip
        return {name: rng.standard_normal(shape) for name, shape in shapes.items()}

    return of


@pytest.fixture
def saved(tmp_path):
    def save(arrays):
        np.savez(tmp_path / "w.npz", **arrays)
        return tmp_path / "w.npz"

    return save


def state_dict(ours, layer="rnn.", readout="fc."):
    """Arrays by our names ↦ by PyTorch's, matrices (fan_out, fan_in)."""
    names = [f"{layer}weight_ih_l0", f"{layer}bias_ih_l0", f"{layer}weight_hh_l0", f"{layer}bias_hh_l0"]
    names += [f"{readout}weight", f"{readout}bias"]
    return {name: array.T for name, array in zip(names, ours.values(), strict=True)}


def assert_maps(maps, arrays):
    expected = [(arrays["W_x"], arrays.get("b")), (arrays["W_h"], arrays.get("b_h"))]
    for dense, (weight, bias) in zip(maps, [*expected, (arrays["W_out"], arrays.get("b_out"))], strict=True):
        np.testing.assert_array_equal(dense.weight, weight)
        assert dense.weight.dtype == np.float64
        if bias is None:
            assert dense.bias is None
        else:
            np.testing.assert_array_equal(dense.bias, bias)


# ---- names


@every_arch
def test_arrays_are_taken_by_our_names_in_any_order(arch, arrays, saved):
    ours = arrays(arch)
    assert_maps(load_recurrence(saved(dict(reversed(ours.items()))), arch), ours)


@every_arch
@pytest.mark.parametrize("kept", [(), ("b",), ("b_h", "b_out")])
def test_biases_are_optional_one_by_one(arch, kept, arrays, saved):
    ours = {name: array for name, array in arrays(arch).items() if name.startswith("W") or name in kept}
    assert_maps(load_recurrence(saved(ours), arch), ours)


@every_arch
@pytest.mark.parametrize(("layer", "readout"), [("rnn.", "fc."), ("", "head.2."), ("encoder.lstm.", "decoder.")])
def test_a_state_dict_of_pytorch_is_turned_around_whatever_its_modules_are_called(
    arch, layer, readout, arrays, saved
):  # fmt: skip
    ours = arrays(arch)
    assert_maps(load_recurrence(saved(state_dict(ours, layer, readout)), arch), ours)


@every_arch
def test_a_state_dict_without_biases_has_none(arch, arrays, saved):
    ours = arrays(arch)
    state = {name: array for name, array in state_dict(ours).items() if "bias" not in name}
    assert_maps(load_recurrence(saved(state), arch), {name: ours[name] for name in ("W_x", "W_h", "W_out")})


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_weights_of_any_real_kind_are_read(dtype, arrays, saved):
    ours = {name: (4 * array).astype(dtype) for name, array in arrays("rnn").items()}
    assert_maps(load_recurrence(saved(ours), "rnn"), ours)


def test_safetensors_are_taken_by_either_names(arrays, tmp_path):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    ours = arrays("gru")
    for names in (ours, state_dict(ours)):
        contiguous = {name: np.ascontiguousarray(array) for name, array in names.items()}
        save_file(contiguous, tmp_path / "w.safetensors")
        assert_maps(load_recurrence(tmp_path / "w.safetensors", "gru"), ours)


@every_arch
def test_a_pytorch_model_has_pytorchs_own_loss(arch, tmp_path):
    torch, module = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    torch.manual_seed(0)
    layer = getattr(torch.nn, arch.upper())(8, 6, batch_first=True, dtype=torch.float64)
    model = torch.nn.ModuleDict({"rnn": layer, "fc": torch.nn.Linear(6, 10, dtype=torch.float64)})
    module.save_file(model.state_dict(), tmp_path / "model.safetensors")
    report = gradcheck.simulate(arch=arch, weights=tmp_path / "model.safetensors", batch_size=16)

    data = DataSpec(batch_size=16)
    inputs, labels = load_dataset(data).batch(data, 0, "float64")
    hidden = layer(torch.tensor(inputs).reshape(16, 8, 8))[0]
    loss = torch.nn.functional.cross_entropy(model["fc"](hidden[:, -1]), torch.tensor(labels))
    assert (report.config.steps, report.config.width, len(report.layers)) == (8, 6, 8)
    assert report.output.loss == pytest.approx(loss.item(), rel=1e-12)
    for step in range(8):
        rms = hidden[:, step].square().mean().sqrt().item()
        assert report.layers[step].activation_rms == pytest.approx(rms, rel=1e-12)


# ---- writing and reading back


@every_arch
@pytest.mark.parametrize("bias_std", [0.0, 0.3])
def test_what_is_saved_is_what_is_read(arch, bias_std, recurrent_of, tmp_path):
    network = recurrent_of(arch=arch, steps=4, width=WIDTH, bias_std=bias_std, seed=7)
    save_weights(tmp_path / "w.npz", network)
    for dense, (_, (weight, bias)) in zip(load_recurrence(tmp_path / "w.npz", arch), network.maps, strict=True):
        np.testing.assert_array_equal(dense.weight, weight)
        np.testing.assert_array_equal(dense.bias, np.zeros(weight.shape[1]) if bias is None else bias)


def test_a_saved_file_has_the_names_of_the_contract_and_keeps_single_precision(recurrent_of, tmp_path):
    save_weights(tmp_path / "w.npz", recurrent_of(arch="lstm", steps=4, width=WIDTH, dtype="float32"))
    with np.load(tmp_path / "w.npz") as file:
        assert file.files == ["W_x", "b", "W_h", "b_h", "W_out", "b_out"]
        assert [file[name].shape for name in file.files] == [(3, 16), (16,), (4, 16), (16,), (4, 5), (5,)]
        assert {file[name].dtype for name in file.files} == {np.dtype("float32")}


# ---- what isn't a recurrence


def changed(arrays, **changes):
    """The arrays with some changed, or left out where they are None."""
    return {name: array for name, array in (arrays | changes).items() if array is not None}


BAD = {
    "no recurrent matrix": ("rnn", {"W_h": None}, "has no W_h; allowed: W_x, b, W_h, b_h, W_out, b_out, or a PyTorch"),
    "no read-out": ("lstm", {"W_out": None, "b_out": None}, "has no W_out; allowed: W_x"),
    "another array": ("gru", {"scale": np.ones(3), "extra": np.ones(2)}, "has W_x but also extra, scale; allowed: W_x"),
    "the gates of another cell": ("rnn", {}, "16), 4 gates, as an lstm has: use arch lstm"),
    "gates of no cell": ("gru", {"W_h": np.ones((4, 20)), "W_x": np.ones((3, 20)), "b": None, "b_h": None},
                         "W_h has the shape (4, 20), 5 gates, allowed: (width, 3*width)"),
    "an input of other gates": ("lstm", {"W_x": np.ones((3, 8)), "b": None},
                                "W_x gives 8 and W_out takes 4, but W_h is 4 by 16; matrices are fan_in by fan_out"),
    "a read-out of another width": ("gru", {"W_out": np.ones((5, 2))}, "W_out takes 5, but W_h is 4 by 12"),
    "a long bias": ("gru", {"b": np.ones(13)}, "b has the shape (13,); W_x needs (12,)"),
    "a vector": ("gru", {"W_h": np.ones(12)}, "W_h has the shape (12,); allowed: a matrix, fan_in by fan_out"),
    "no units": ("rnn", {"W_h": np.ones((0, 0)), "b_h": None}, "W_h has the shape (0, 0); allowed: a matrix"),
    "text": ("rnn", {"b": np.array(["a"] * 4)}, "b holds <U1 values; allowed: real numbers"),
}  # fmt: skip
DRAWN = {"the gates of another cell": "lstm"}


@pytest.mark.parametrize("name", BAD)
def test_arrays_that_make_no_recurrence_are_refused_in_one_line_that_teaches(name, arrays, saved):
    arch, changes, problem = BAD[name]
    path = saved(changed(arrays(DRAWN.get(name, arch)), **changes))
    with pytest.raises(InputError) as caught:
        load_recurrence(path, arch)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("arch", "article"), [("rnn", "an rnn"), ("lstm", "an lstm"), ("gru", "a gru")])
def test_the_cell_that_a_file_holds_is_named(arch, article, arrays, saved):
    other = "lstm" if arch != "lstm" else "gru"
    with pytest.raises(InputError, match=f"as {article} has: use arch {arch}"):
        load_recurrence(saved(arrays(arch)), other)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"rnn.weight_ih_l1": np.ones((4, 4))}, "has rnn.weight_ih_l1; allowed: one recurrent layer in one direction"),
        ({"rnn.weight_hh_l0_reverse": np.ones((4, 4))}, "has rnn.weight_hh_l0_reverse; allowed: one recurrent layer"),
        (
            {"fc2.weight": np.ones((2, 4))},
            "has fc.weight and fc2.weight; allowed: one recurrent layer and one read-out",
        ),
        (
            {"other.weight_ih_l0": np.ones((4, 3))},
            "has rnn.weight_ih_l0 and other.weight_ih_l0; allowed: one recurrent",
        ),
    ],
)
def test_a_state_dict_of_more_than_one_layer_is_refused(more, problem, arrays, saved):
    with pytest.raises(InputError, match=re.escape(problem)):
        load_recurrence(saved(state_dict(arrays("rnn")) | more), "rnn")


def test_a_state_dict_with_an_array_that_no_name_fits_is_refused(arrays, saved):
    state = state_dict(arrays("rnn")) | {"norm.running_mean": np.ones(4)}
    with pytest.raises(InputError, match=r"norm\.running_mean"):
        load_recurrence(saved(state), "rnn")


def test_the_weights_of_a_perceptron_are_no_recurrence(saved):
    with pytest.raises(InputError, match="has no W_x; allowed: W_x, b, W_h, b_h, W_out, b_out, or a PyTorch state"):
        load_recurrence(saved({"W1": np.eye(3), "W_out": np.eye(3)}), "rnn")


def test_another_kind_of_file_or_none_is_refused(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"")
    with pytest.raises(InputError, match=r"none\.npz: no such file"):
        load_recurrence(tmp_path / "none.npz", "rnn")
    with pytest.raises(OptionError, match=r"model.pt is of an unknown kind; allowed: .npz, .safetensors"):
        load_recurrence(tmp_path / "model.pt", "rnn")


# ---- do they fit the data


def test_weights_of_other_steps_are_refused_by_the_numbers_they_take(arrays, saved):
    with pytest.raises(OptionError, match="steps=21 of 3 numbers each, as the weights take them, are not the 64 of"):
        gradcheck.simulate(arch="rnn", weights=saved(arrays("rnn")))


def test_a_read_out_of_too_few_classes_is_refused(arrays, saved):
    ours = changed(arrays("gru"), W_x=np.ones((8, 12)))
    with pytest.raises(InputError, match="the last matrix gives 2 outputs but the data has 10 classes"):
        gradcheck.simulate(arch="gru", weights=saved(ours))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_a_finding_not_an_error(value, arrays, saved):
    ours = changed(arrays("gru"), W_x=np.ones((8, 12)), W_out=np.ones((4, 10)), b_out=None)
    ours["W_h"][0, 0] = value
    report = gradcheck.simulate(arch="gru", weights=saved(ours))
    assert report.verdict.status == "nonfinite"
    assert {layer.flag for layer in report.layers} == {"nonfinite"}


def test_dense_maps_are_what_is_returned(arrays, saved):
    assert {type(one) for one in load_recurrence(saved(arrays("lstm")), "lstm")} == {Dense}
