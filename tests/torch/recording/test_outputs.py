"""The activations of a sampled step, and the hooks that measure them."""

import copy
import warnings

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.modules import module  # noqa: E402
from torch.optim import optimizer  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

from gradcheck.torch import Recorder  # noqa: E402


@pytest.mark.usefixtures("any_device")
def test_activations_are_measured_after_the_activation_module(file, runs):
    model = runs.mlp(depth=1, width=4)
    with torch.no_grad():
        model[0].bias[:3] = -100.0  # three of four units are dead
    runs.train(model, file, steps=1, activations=True, lr=0.0)
    layers = runs.records(file)[0]["layers"]
    hidden, output = model[:2](runs.INPUTS), model(runs.INPUTS)
    rms = [one.square().mean().sqrt().item() for one in (hidden, output)]
    assert layers["activation_rms"] == [pytest.approx(rms[0], rel=1e-5), None, pytest.approx(rms[1], rel=1e-5), None]
    assert layers["dead_fraction"] == [0.75, None, None, None]


def test_the_units_of_a_convolution_are_its_channels(file, runs):
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 1))
    with torch.no_grad():
        model[0].bias[0] = -100.0
    with Recorder(model, file, every=1, activations=True) as recorder:
        model(torch.randn(5, 1, 4, 4)).sum().backward()
        recorder.step()
    assert runs.records(file)[0]["layers"]["dead_fraction"][0] == 0.25


def test_a_validation_pass_is_not_measured(file, runs):
    model = runs.mlp()
    with Recorder(model, file, every=1, activations=True) as recorder:
        with torch.no_grad():
            model(1e6 * runs.INPUTS)
        recorder.step()
    assert "activation_rms" not in runs.records(file)[0]["layers"]


def hooks():
    return len(module._global_forward_hooks)


def test_the_forward_hook_is_there_in_sampled_steps_only(file, runs):
    with Recorder(runs.mlp(), file, every=2, activations=True) as recorder:
        seen = []
        for _ in range(4):
            seen.append(hooks())
            recorder.step()
    assert seen == [1, 0, 1, 0]


def test_a_model_can_be_saved_and_copied_at_any_moment_and_copies_are_not_recorded(file, runs, tmp_path):
    model = runs.mlp()
    with Recorder(model, file, every=1, activations=True) as recorder:
        runs.loss_of(model)
        torch.save(model, tmp_path / "model.pt")
        copies = copy.deepcopy(model), torch.load(tmp_path / "model.pt", weights_only=False)
        for one in copies:
            one(1e6 * runs.INPUTS)
        recorder.step()
    inputs = model[:2](runs.INPUTS).square().mean().sqrt().item()
    assert runs.records(file)[0]["layers"]["activation_rms"][0] == pytest.approx(inputs, rel=1e-5)


def test_replicas_of_data_parallel_are_recorded(file, runs):
    model = nn.Sequential(nn.Linear(6, 3))
    with Recorder(model, file, every=1, activations=True) as recorder:
        replica = model[0]._replicate_for_data_parallel()
        replica.weight, replica.bias = model[0].weight, model[0].bias
        replica(runs.INPUTS)
        recorder.step()
    assert runs.records(file)[0]["layers"]["activation_rms"][0] > 0


def test_no_hook_is_left_behind_whatever_happens(file, runs):
    before = len(optimizer._global_optimizer_pre_hooks)
    recorder = Recorder(runs.mlp(), file, every=1, activations=True)
    assert hooks() == 1
    assert len(optimizer._global_optimizer_pre_hooks) == before + 1
    with pytest.raises(ZeroDivisionError), recorder:
        1 / 0  # noqa: B018
    assert hooks() == 0
    assert len(optimizer._global_optimizer_pre_hooks) == before


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_checkpoints_change_no_number(file, runs, use_reentrant):
    def record(run):
        torch.manual_seed(0)
        model = nn.Sequential(*(part for _ in range(3) for part in (nn.Linear(4, 4), nn.ReLU())), nn.Linear(4, 1))
        with Recorder(model, file, every=1, activations=True, overwrite=True) as recorder:
            x = torch.linspace(-1, 1, 20).reshape(5, 4).requires_grad_()
            for start in range(0, 6, 2):
                x = run(model[start : start + 2], x)
            recorder.step(model[6](x).sum().backward())
        return runs.records(file)[0]["layers"]

    assert record(lambda block, x: checkpoint(block, x, use_reentrant=use_reentrant)) == record(
        lambda block, x: block(x)
    )


# ---- what no hook can see


def compiled_run(model, forward, file, runs):
    """The warnings of three steps through a function, and whether the records have outputs."""
    with warnings.catch_warnings(record=True) as caught, Recorder(model, file, every=1, activations=True) as recorder:
        warnings.simplefilter("always")
        for _ in range(3):
            forward(runs.INPUTS).square().mean().backward()
            recorder.step()
    said = [one for one in caught if "activations=True" in str(one.message)]
    assert all(one.filename == __file__ for one in said)
    return [str(one.message) for one in said], ["activation_rms" in one["layers"] for one in runs.records(file)]


def test_what_torch_compile_returns_is_said_to_hide_its_outputs_once(file, runs):
    model = torch.compile(runs.mlp(depth=1, width=4), backend="eager")
    model(runs.INPUTS)
    [said], seen = compiled_run(model, model, file, runs)
    assert "sees nothing of Sequential: what torch.compile returns calls no hooks of its layers" in said
    assert "model.compile()" in said
    assert seen == [False] * 3


@pytest.mark.filterwarnings("ignore:Using `torch.compile", "ignore:activations=True")
def test_what_is_compiled_is_not_compiled_anew_in_each_recorded_step(file, runs):
    compiled, model = [], runs.mlp()

    def backend(graph, inputs):
        compiled.append(graph)
        return graph

    runs.train(torch.compile(model, backend=backend), file, steps=12, activations=True)
    assert len(compiled) <= 2


def test_a_compiled_part_is_named_and_the_others_are_recorded(file, runs):
    part = torch.compile(nn.Linear(6, 4), backend="eager")
    model = nn.Sequential(part, nn.Linear(4, 3))
    [said], seen = compiled_run(model, model, file, runs)
    assert "sees nothing of 0: " in said
    assert seen == [True] * 3


def test_a_model_that_runs_as_a_copy_is_said_to_be_unseen_from_the_second_record_on(file, runs):
    model = runs.mlp(depth=1, width=4)
    other = lambda inputs: nn.functional.linear(inputs, model[0].weight)  # noqa: E731
    [said], seen = compiled_run(model, other, file, runs)
    assert "sees nothing of Sequential: what ran was a copy, or compiled" in said
    assert seen == [False] * 3


def test_a_model_whose_outputs_are_seen_has_no_such_warning(file, runs):
    model = runs.mlp(depth=1, width=4)
    assert compiled_run(model, model, file, runs) == ([], [True] * 3)
