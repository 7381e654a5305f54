"""When a step is recorded, and that training doesn't notice."""

import copy
import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.errors import GradcheckError  # noqa: E402
from gradcheck.torch import Recorder  # noqa: E402

# ---- steps


@pytest.mark.parametrize(
    ("every", "steps"), [(1, [0, 10, 20, 50]), (5, [0, 10, 20, 50]), (10, [0, 10, 20, 50]), (15, [0, 15, 30])]
)
def test_weights_and_updates_are_in_few_records_three_of_them_in_the_first_steps(file, every, steps, runs):
    runs.train(runs.mlp(), file, steps=55, every=every)
    assert [record["step"] for record in runs.records(file) if "update_ratio" in record["layers"]] == steps


def test_every_tenth_step_is_recorded_the_first_among_them(file, runs):
    runs.train(runs.mlp(), file, steps=25, every=10)
    assert [record["step"] for record in runs.records(file)] == [0, 10, 20]
    assert runs.lines(file)[0]["every"] == 10


def test_accumulated_gradients_are_one_step(file, runs):
    model = runs.mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Recorder(model, file, every=1) as recorder:
        for _ in range(2):
            optimizer.zero_grad()
            for _ in range(3):
                (runs.loss_of(model) / 3).backward()
            gradient = model[0].weight.grad.norm().item()
            optimizer.step()
            recorder.step()
    assert [record["step"] for record in runs.records(file)] == [0, 1]
    assert runs.records(file)[1]["layers"]["grad_norm"][0] == pytest.approx(gradient, rel=1e-5)


def test_another_model_s_optimizer_is_none_of_its_business(file, runs):
    model, other = runs.mlp(), runs.mlp()
    stranger = torch.optim.SGD(other.parameters(), lr=0.7)
    with Recorder(model, file, every=1) as recorder:
        runs.loss_of(other).backward()
        stranger.step()
        runs.loss_of(model).backward()
        recorder.step()
    (record,) = runs.records(file)
    assert "lr" not in record
    assert "update_ratio" not in record["layers"]
    assert record["grad_norm"] > 0


def test_two_optimizers_of_one_model_make_one_record(file, runs):
    model = runs.mlp(depth=1)
    optimizers = [torch.optim.SGD(part.parameters(), lr=lr) for part, lr in ((model[0], 0.1), (model[2], 0.2))]
    with Recorder(model, file, every=1) as recorder:
        runs.loss_of(model).backward()
        for optimizer in optimizers:
            optimizer.step()
        recorder.step()
    (record,) = runs.records(file)
    assert all(ratio > 0 for ratio in record["layers"]["update_ratio"])
    assert "grad_norm_after" not in record


def test_a_layer_that_is_replaced_or_added_is_recorded_from_its_first_step_on(file, runs):
    model, norms = runs.mlp(), []
    with Recorder(model, file, every=1) as recorder:
        for step in range(6):
            if step == 2:
                model[0] = nn.Linear(model[0].in_features, model[0].out_features)
            if step == 4:
                model.append(nn.Linear(model[-1].out_features, 3))
            if step in (0, 2, 4):
                optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            optimizer.zero_grad()
            loss = model(torch.ones(4, model[0].in_features)).square().mean()
            loss.backward()
            norms.append([parameter.grad.norm().item() for parameter in model.parameters()])
            optimizer.step()
            recorder.step(loss)
    found = [one["layers"]["grad_norm"] for one in runs.records(file)]
    assert found == [pytest.approx(each, rel=1e-5) for each in norms]
    assert len([line for line in runs.lines(file) if "step" not in line]) == 3


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.LazyLinear(3)), "weight has no shape yet"),
        (lambda: nn.Linear(2, 2, device="meta"), "meta device"),
    ],
)
def test_a_parameter_without_numbers_is_refused_by_its_name(file, model, problem):
    with pytest.raises(GradcheckError, match=problem):
        Recorder(model(), file)
    assert not file.exists()


def test_a_frozen_parameter_without_numbers_as_of_an_offloaded_model_is_left_alone(file, runs):
    model = runs.mlp()
    model.offloaded = nn.Parameter(torch.empty(2, 2, device="meta"), requires_grad=False)
    runs.train(model, file, steps=2, every=1)
    assert all("offloaded" not in layer for layer in runs.lines(file)[0]["layers"])
    assert [record["step"] for record in runs.records(file)] == [0, 1]


def test_of_a_closure_s_evaluations_the_last_one_s_gradient_counts(file, runs):
    model = runs.mlp()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)

    def closure():
        optimizer.zero_grad()
        loss = runs.loss_of(model)
        loss.backward()
        return loss

    with Recorder(model, file, every=1) as recorder:
        loss = optimizer.step(closure)
        recorder.step(loss)
    (record,) = runs.records(file)
    norms = [parameter.grad.norm().item() for parameter in model.parameters()]
    assert record["layers"]["grad_norm"] == pytest.approx(norms, rel=1e-5)
    assert record["layers"]["update_ratio"][0] > 0


def test_any_clipping_can_be_measured_before_and_after(file, runs):
    model = runs.mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Recorder(model, file, every=1) as recorder:
        runs.loss_of(model).backward()
        before = math.sqrt(sum(one.grad.square().sum().item() for one in model.parameters()))
        recorder.before_clipping()
        nn.utils.clip_grad_value_(model.parameters(), 1e-3)
        after = [one.grad.norm().item() for one in model.parameters()]
        clipped = math.sqrt(sum(norm**2 for norm in after))
        optimizer.step()
        recorder.step()
    (record,) = runs.records(file)
    assert record["layers"]["grad_norm_after"] == pytest.approx(after, rel=1e-5)
    assert (record["grad_norm"], record["grad_norm_after"]) == pytest.approx((before, clipped), rel=1e-5)
    assert clipped < before


@pytest.mark.usefixtures("any_device")
def test_the_loss_scale_is_recorded_and_gradients_are_without_it(file, runs):
    model = runs.mlp()
    twin = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with Recorder(model, file, every=1, scaler=scaler) as recorder:
        loss = runs.loss_of(model)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        recorder.step(loss)
    runs.loss_of(twin).backward()
    (record,) = runs.records(file)
    assert record["loss_scale"] == 1024
    assert record["layers"]["grad_norm"] == pytest.approx(
        [one.grad.norm().item() for one in twin.parameters()], rel=1e-5
    )


def test_a_fused_optimizer_s_gradients_are_without_the_loss_scale_too(file, runs):
    model = runs.mlp()
    twin = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with Recorder(model, file, every=1, scaler=scaler) as recorder:
        scaler.scale(runs.loss_of(model)).backward()
        scaler.step(optimizer)
        scaler.update()
        recorder.step()
    runs.loss_of(twin).backward()
    expected = [one.grad.norm().item() for one in twin.parameters()]
    assert runs.records(file)[0]["layers"]["grad_norm"] == pytest.approx(expected, rel=1e-5)


def test_a_step_that_the_scaler_leaves_out_has_its_gradient_the_scale_it_had_and_no_update(file, runs):
    model = runs.mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**100)
    with Recorder(model, file, every=1, scaler=scaler) as recorder:
        for _ in range(2):
            optimizer.zero_grad()
            scaler.scale(runs.loss_of(model) * 1e20).backward()
            scaler.step(optimizer)
            scaler.update()
            recorder.step()
    first, second = runs.records(file)
    assert first["grad_norm"] in ("Infinity", "NaN")
    assert "update_ratio" not in first["layers"]
    assert (first["loss_scale"], second["loss_scale"]) == (2.0**100, 2.0**99)


# ---- training doesn't notice


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_recording_does_not_change_a_bit_of_training(file, kind, runs):
    model = runs.mlp(depth=4)
    twin = copy.deepcopy(model)
    recorded = runs.train(
        model, file, 20, clip=0.5, activations=True, optimizer=kind(model.parameters(), lr=0.05), every=3
    )
    optimizer, plain = kind(twin.parameters(), lr=0.05), []
    for _ in range(20):
        optimizer.zero_grad()
        loss = runs.loss_of(twin)
        loss.backward()
        nn.utils.clip_grad_norm_(twin.parameters(), 0.5)
        optimizer.step()
        plain.append(loss.item())
    assert recorded == plain
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), twin.parameters(), strict=True))


@pytest.fixture
def fetches(monkeypatch):
    """How often a number was fetched from its device."""
    counts = []
    for name in ("tolist", "item", "cpu", "__float__", "__bool__", "nonzero"):
        method = getattr(torch.Tensor, name)

        def counted(self, *arguments, method=method, name=name):
            counts.append(name)
            return method(self, *arguments)

        monkeypatch.setattr(torch.Tensor, name, counted)
    return counts


@pytest.mark.parametrize("any_device", ["waited for"], indirect=True)
def test_a_sampled_step_waits_for_the_device_once_and_others_never(file, fetches, any_device, runs):
    model = runs.mlp()
    scaler, optimizer = torch.amp.GradScaler("cpu"), torch.optim.SGD(model.parameters(), lr=0.1)
    scaler.scale(torch.ones(1))
    with Recorder(model, file, every=2, activations=True, scaler=scaler) as recorder:
        for expected in (["tolist"], [], ["tolist"], []):
            loss = runs.loss_of(model)
            loss.backward()
            recorder.before_clipping()
            optimizer.step()
            recorder.step(loss)
            assert fetches == expected
            fetches.clear()
