"""Weights that are saved and read again are the same network; one's own are taken by name or in order."""

import numpy as np
import pytest

NETWORKS = {
    "plain": "--depth 4 --width 16",
    "biases": "--depth 3 --width 9 --activation relu --init he --bias-std 0.3 --batch-size 20",
    "norm, skips": "--depth 4 --width 12 --activation gelu --norm layer --residual --residual-scale 0.5 --seed 3",
    "single precision": "--depth 4 --width 16 --dtype float32",
    "rnn": "--arch rnn --width 16 --activation relu --recurrent-gain 0.8",
    "lstm": "--arch lstm --steps 16 --width 9 --forget-bias 3 --init orthogonal --bias-std 0.3",
    "gru": "--arch gru --steps 8 --width 12 --seed 3 --dtype float32",
}

DRAWN_ONLY = ("--depth", "--width", "--init", "--bias-std", "--recurrent-gain", "--forget-bias")


@pytest.fixture
def simulated(gradcheck, strictly, tmp_path):
    """Options ↦ the JSON of a run in the test's folder."""

    def run(options):
        ended = gradcheck(f"simulate --json {options}", cwd=tmp_path)
        assert (ended.returncode, ended.stderr) == (0, "")
        return strictly(ended.stdout)

    return run


@pytest.fixture
def arrays():
    rng = np.random.default_rng(8)
    shapes = {"W1": (64, 7), "b1": (7,), "W2": (7, 5), "b2": (5,), "W_out": (5, 10), "b_out": (10,)}
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def without_drawn(options):
    words = options.split()
    drawn = {index for index, word in enumerate(words) if word in DRAWN_ONLY or words[index - 1] in DRAWN_ONLY}
    return " ".join(word for index, word in enumerate(words) if index not in drawn)


def check_same_numbers(one, other):
    records, others = ([*document["layers"], document["output"], document["summary"]] for document in (one, other))
    for a, b in zip(records, others, strict=True):
        assert a.keys() == b.keys()
        for key, value in a.items():
            assert value == (pytest.approx(b[key], rel=1e-12) if isinstance(value, float) else b[key]), key


@pytest.mark.parametrize("options", NETWORKS.values(), ids=NETWORKS)
def test_saved_weights_are_the_same_network(options, simulated):
    drawn = simulated(f"{options} --save-weights drawn.npz")
    given = simulated(f"{without_drawn(options)} --weights drawn.npz")
    check_same_numbers(drawn, given)
    assert given["verdict"] == drawn["verdict"]
    assert given["regions"] == drawn["regions"]


def test_saving_changes_nothing_that_is_reported(simulated):
    saved, plain = simulated("--depth 3 --width 8 --save-weights drawn.npz"), simulated("--depth 3 --width 8")
    assert saved["config"].pop("save_weights") == "drawn.npz"
    assert plain["config"].pop("save_weights") is None
    assert saved == plain


def test_saved_weights_have_their_names_and_shapes(simulated, tmp_path):
    simulated("--width 6,4 --bias-std 1 --save-weights drawn.npz --dtype float32")
    with np.load(tmp_path / "drawn.npz") as file:
        assert {name: file[name].shape for name in file.files} == {
            "W1": (64, 6), "b1": (6,), "W2": (6, 4), "b2": (4,), "W_out": (4, 10), "b_out": (10,),
        }  # fmt: skip
        assert {file[name].dtype for name in file.files} == {np.dtype("float32")}
        assert all(file[name].any() for name in file.files)


def test_biases_that_are_zero_are_saved_too(simulated, tmp_path):
    simulated("--depth 2 --width 4 --save-weights drawn.npz")
    with np.load(tmp_path / "drawn.npz") as file:
        assert not any(file[name].any() for name in ("b1", "b2", "b_out"))


def test_the_config_tells_the_shape_of_given_weights(simulated, arrays, tmp_path):
    np.savez(tmp_path / "own.npz", **arrays)
    config = simulated("--weights own.npz")["config"]
    assert (config["weights"], config["depth"], config["width"], config["init"]) == ("own.npz", 2, [7, 5], None)


def test_names_count_and_not_their_order(simulated, arrays, tmp_path):
    np.savez(tmp_path / "own.npz", **arrays)
    np.savez(tmp_path / "shuffled.npz", **dict(reversed(arrays.items())))
    assert simulated("--weights own.npz")["layers"] == simulated("--weights shuffled.npz")["layers"]


def test_other_names_are_taken_in_the_order_of_the_file(simulated, arrays, tmp_path):
    np.savez(tmp_path / "own.npz", **arrays)
    np.savez(tmp_path / "other.npz", **dict(zip(["z", "y", "m", "n", "b", "a"], arrays.values(), strict=True)))
    assert simulated("--weights own.npz")["layers"] == simulated("--weights other.npz")["layers"]


def test_weights_need_no_biases(simulated, arrays, tmp_path):
    matrices = {name: array for name, array in arrays.items() if name.startswith("W")}
    zeros = {name: 0 * array for name, array in arrays.items() if name.startswith("b")}
    np.savez(tmp_path / "matrices.npz", **matrices)
    np.savez(tmp_path / "zeros.npz", **matrices, **zeros)
    assert simulated("--weights matrices.npz")["layers"] == simulated("--weights zeros.npz")["layers"]


def test_biases_count(simulated, arrays, tmp_path):
    np.savez(tmp_path / "own.npz", **arrays)
    np.savez(tmp_path / "matrices.npz", **{name: array for name, array in arrays.items() if name.startswith("W")})
    own, matrices = simulated("--weights own.npz"), simulated("--weights matrices.npz")
    assert own["layers"][0]["activation_rms"] != matrices["layers"][0]["activation_rms"]


def test_a_state_dict_of_pytorch_is_turned_around(simulated, arrays, tmp_path):
    np.savez(tmp_path / "own.npz", **arrays)
    names = ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]
    np.savez(tmp_path / "state.npz", **dict(zip(names, (array.T for array in arrays.values()), strict=True)))
    check_same_numbers(simulated("--weights own.npz"), simulated("--weights state.npz"))


def test_a_recurrent_state_dict_of_pytorch_is_turned_around(simulated, tmp_path):
    rng = np.random.default_rng(8)
    shapes = [(4, 15), (15,), (5, 15), (15,), (5, 10), (10,)]
    arrays = [rng.standard_normal(shape) for shape in shapes]
    ours = ["W_x", "b", "W_h", "b_h", "W_out", "b_out"]
    theirs = ["rnn.weight_ih_l0", "rnn.bias_ih_l0", "rnn.weight_hh_l0", "rnn.bias_hh_l0", "fc.weight", "fc.bias"]
    np.savez(tmp_path / "own.npz", **dict(zip(ours, arrays, strict=True)))
    np.savez(tmp_path / "state.npz", **dict(zip(theirs, (array.T for array in arrays), strict=True)))
    own, state = (simulated(f"--arch gru --weights {name}.npz") for name in ("own", "state"))
    assert (own["config"]["steps"], own["config"]["width"], own["config"]["init"]) == (16, 5, None)
    check_same_numbers(own, state)


def test_safetensors_are_read_by_name(simulated, arrays, tmp_path):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    np.savez(tmp_path / "own.npz", **arrays)
    save_file(arrays, tmp_path / "own.safetensors")
    assert simulated("--weights own.npz")["layers"] == simulated("--weights own.safetensors")["layers"]


def test_safetensors_of_pytorch_are_read_in_the_order_of_their_numbers(simulated, tmp_path):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    rng = np.random.default_rng(8)
    widths = (64, *range(20, 8, -1), 10)  # twelve hidden layers: 10.weight comes after 2.weight
    shapes = list(zip(widths[1:], widths, strict=False))
    state = {}
    for index, shape in enumerate(shapes):
        state[f"{index}.weight"], state[f"{index}.bias"] = rng.standard_normal(shape), rng.standard_normal(shape[0])
    np.savez(tmp_path / "own.npz", **state)
    save_file(state, tmp_path / "own.safetensors")
    assert simulated("--weights own.npz")["layers"] == simulated("--weights own.safetensors")["layers"]


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * 64], ids=["empty", "short", "torn"])
def test_torn_safetensors_are_one_line(content, gradcheck, tmp_path):
    pytest.importorskip("safetensors")
    (tmp_path / "torn.safetensors").write_bytes(content)
    ended = gradcheck("simulate --weights torn.safetensors", cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith("error: torn.safetensors: can't be read as .safetensors")


def test_safetensors_without_the_package_are_one_line_that_names_the_extra(python, tmp_path):
    (tmp_path / "own.safetensors").write_bytes(b"")
    missing = "import sys; sys.modules['safetensors'] = None; from gradcheck.cli import main; main()"
    ended = python("-c", missing, "simulate", "--weights", "own.safetensors", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: own.safetensors: needs safetensors")
    assert "pip install safetensors" in ended.stderr


def test_weights_of_another_data_set_fit_it(simulated, tmp_path):
    rng = np.random.default_rng(8)
    np.savez(tmp_path / "data.npz", x=rng.standard_normal((30, 6)), y=rng.integers(0, 3, 30))
    drawn = simulated("--width 5,4 --data data.npz --batch-size 30 --save-weights drawn.npz")
    check_same_numbers(drawn, simulated("--data data.npz --batch-size 30 --weights drawn.npz"))


def test_text_names_the_file(gradcheck, arrays, tmp_path):
    np.savez(tmp_path / "own.npz", **arrays)
    ended = gradcheck("simulate --weights own.npz", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "own.npz" in ended.stdout.splitlines()[0]
    assert "What would fix it" not in ended.stdout
