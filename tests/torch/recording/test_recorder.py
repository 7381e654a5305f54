"""A recorded run: the numbers, the file, and that training doesn't notice."""

import copy
import json
import math
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import gradcheck  # noqa: E402
from gradcheck.errors import GradcheckError, OptionError, OutputError  # noqa: E402
from gradcheck.torch import Recorder  # noqa: E402
from gradcheck.torch.recording import scalars  # noqa: E402
from gradcheck.torch.recording.recorder import WEIGHTS_EVERY  # noqa: E402

INPUTS, LABELS = torch.randn(24, 6, generator=torch.Generator().manual_seed(1)), torch.arange(24) % 3


def mlp(depth=2, width=8, activation=nn.ReLU, seed=0):
    torch.manual_seed(seed)
    sizes = [6, *[width] * depth]
    hidden = [part for one, two in pairwise(sizes) for part in (nn.Linear(one, two), activation())]
    return nn.Sequential(*hidden, nn.Linear(width, 3))


def loss_of(model):
    return nn.functional.cross_entropy(model(INPUTS), LABELS)


def train(model, file, steps=3, *, lr=0.1, clip=None, optimizer=None, **options):
    """Train and record; the losses."""
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    losses = []
    with Recorder(model, file, **{"every": 1} | options) as recorder:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = loss_of(model)
            loss.backward()
            if clip is not None:
                recorder.clip_grad_norm_(clip)
            optimizer.step()
            recorder.step(loss)
            losses.append(loss.item())
    return losses


def lines(file):
    return [json.loads(line, parse_constant=pytest.fail) for line in file.read_text().splitlines()]


def records(file):
    return [line for line in lines(file) if "step" in line]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.jsonl"


@pytest.fixture(params=["at once", "waited for"])
def any_device(request, monkeypatch):
    """Numbers as a processor has them, and as if it were a device that is waited for."""
    if request.param == "waited for":
        monkeypatch.setattr(scalars, "PROCESSORS", ())


def naive_run(model, steps, lr, clip):
    """What the records should be, one tensor at a time in float64."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        weights = [one.detach().double().numpy().copy() for one in model.parameters()]
        gradients = [one.grad.double().numpy().copy() for one in model.parameters()]
        whole = math.sqrt(sum(float((one**2).sum()) for one in gradients))
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        after = [one.grad.double().numpy().copy() for one in model.parameters()]
        clipped = math.sqrt(sum(float((one**2).sum()) for one in after))
        optimizer.step()
        moved = [new.detach().double().numpy() - old for new, old in zip(model.parameters(), weights, strict=True)]
        sizes = {name: [np.linalg.norm(one.ravel()) for one in of] for name, of in (
            ("grad_norm", gradients), ("grad_norm_after", after), ("weight_norm", weights), ("update_ratio", moved),
        )}  # fmt: skip
        sizes["update_ratio"] = np.divide(sizes["update_ratio"], sizes["weight_norm"])
        yield {"loss": loss.item(), "lr": lr, "grad_norm": whole, "grad_norm_after": clipped, "max_norm": clip}, sizes


# ---- the numbers


@pytest.mark.usefixtures("any_device")
def test_every_number_is_that_of_a_naive_implementation(file):
    model = mlp()
    twin = copy.deepcopy(model)
    train(model, file, WEIGHTS_EVERY + 2, lr=0.3, clip=0.2)
    expected = list(naive_run(twin, WEIGHTS_EVERY + 2, 0.3, 0.2))
    assert len(records(file)) == WEIGHTS_EVERY + 2
    for number, (record, (whole, layers)) in enumerate(zip(records(file), expected, strict=True)):
        assert {name: record[name] for name in whole} == pytest.approx(whole, rel=1e-5)
        if number % WEIGHTS_EVERY and number != WEIGHTS_EVERY // 2:
            layers = {name: layers[name] for name in ("grad_norm", "grad_norm_after")}
        assert record["layers"].keys() == layers.keys()
        for name, values in layers.items():  # updates are differences: they have fewer digits
            assert record["layers"][name] == pytest.approx(list(values), rel=1e-3 if name == "update_ratio" else 1e-5)


def test_layers_are_the_parameters_in_the_model_s_order(file):
    train(mlp(), file)
    assert lines(file)[0]["layers"] == ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]


@pytest.mark.parametrize("scale", [1e-30, 1e-19, 1e25])
def test_norms_whose_squares_leave_float32_are_right(file, scale):
    layer = nn.Linear(5, 4, bias=False)
    with Recorder(layer, file, every=1) as recorder:
        layer.weight.grad = torch.full((4, 5), scale)
        recorder.step()
    assert records(file)[0]["layers"]["grad_norm"] == pytest.approx([scale * math.sqrt(20)], rel=1e-6)
    assert records(file)[0]["grad_norm"] == pytest.approx(scale * math.sqrt(20), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_measured_in_single(file, dtype):
    layer = nn.Linear(100, 100, bias=False, dtype=dtype)
    with Recorder(layer, file, every=1) as recorder:
        layer.weight.grad = torch.full((100, 100), 30000.0, dtype=dtype)  # a norm that float16 hasn't got
        recorder.step()
    expected = 100 * float(torch.tensor(30000.0, dtype=dtype))
    assert records(file)[0]["layers"]["grad_norm"] == pytest.approx([expected], rel=1e-5)


@pytest.mark.usefixtures("any_device")
def test_mixed_precisions_are_measured_side_by_side(file):
    model = nn.Sequential(nn.Linear(4, 4, bias=False).double(), nn.Linear(4, 4, bias=False).bfloat16())
    with Recorder(model, file, every=1) as recorder:
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        recorder.step()
    assert records(file)[0]["layers"]["grad_norm"] == [4.0, 4.0]


@pytest.mark.usefixtures("any_device")
def test_numbers_that_are_not_finite_are_recorded_by_name(file):
    layer = nn.Linear(2, 2, bias=True)
    with Recorder(layer, file, every=1) as recorder:
        layer.weight.grad, layer.bias.grad = torch.full((2, 2), math.inf), torch.tensor([math.nan, 0.0])
        recorder.step(math.nan)
    assert records(file)[0]["layers"]["grad_norm"] == ["Infinity", "NaN"]
    assert records(file)[0]["loss"] == "NaN"


@pytest.mark.usefixtures("any_device")
def test_a_sparse_gradient_has_the_norm_of_the_dense_one(file, tmp_path):
    found = []
    for sparse in (True, False):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Embedding(10, 4, sparse=sparse), nn.Linear(4, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with Recorder(model, tmp_path / f"{sparse}.jsonl", every=1) as recorder:
            loss = model(torch.tensor([1, 1, 7])).square().sum()
            loss.backward()
            assert model[0].weight.grad.is_sparse == sparse
            optimizer.step()
            recorder.step(loss)
        found.append(records(tmp_path / f"{sparse}.jsonl")[0]["layers"])
    for name in ("grad_norm", "update_ratio", "weight_norm"):
        assert found[0][name] == pytest.approx(found[1][name], rel=1e-5)


@pytest.mark.usefixtures("any_device")
def test_a_parameter_without_gradient_has_null_and_one_that_is_frozen_no_place(file):
    model = nn.ModuleDict({name: nn.Linear(6, 3, bias=False) for name in ("used", "unused", "frozen")})
    model["frozen"].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Recorder(model, file, every=1) as recorder:
        loss_of(nn.Sequential(model["used"])).backward()
        optimizer.step()
        recorder.step()
    assert lines(file)[0]["layers"] == ["used.weight", "unused.weight"]
    layers = records(file)[0]["layers"]
    assert layers["grad_norm"][0] > 0
    assert layers["grad_norm"][1] is None
    assert layers["update_ratio"][1] == 0


def test_a_layer_that_is_thawed_gets_a_place_in_another_header(file):
    model = mlp()
    model[0].requires_grad_(False)
    train(model, file, steps=2)
    model[0].requires_grad_(True)
    train(model, file, steps=2, resume=True)
    headers = [line["layers"] for line in lines(file) if "layers" in line and "step" not in line]
    assert [len(names) for names in headers] == [4, 6]
    assert gradcheck.diagnose(file).log.layers == 6


def test_shared_parameters_are_recorded_once(file):
    model = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3))
    model[1].weight = model[0].weight
    train(model, file)
    assert lines(file)[0]["layers"] == ["0.weight", "0.bias", "1.bias", "2.weight", "2.bias"]


class Compiled(nn.Module):
    """Names its parameters as ``torch.compile`` does."""

    def __init__(self, inner):
        super().__init__()
        self._orig_mod = inner

    def forward(self, inputs):
        return self._orig_mod(inputs)


@pytest.mark.parametrize("wrap", [Compiled, nn.DataParallel, lambda model: nn.DataParallel(Compiled(model))])
def test_wrappers_leave_no_trace_in_the_names(file, wrap):
    train(wrap(mlp(depth=1)), file)
    assert lines(file)[0]["layers"] == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_a_module_of_the_user_s_that_is_called_module_keeps_its_name(file):
    train(nn.Sequential(nn.ModuleDict({"module": nn.Linear(6, 3)})["module"]), file)
    model = nn.ModuleDict({"module": nn.Linear(6, 3)})
    Recorder(model, file).close()
    assert lines(file)[0]["layers"] == ["module.weight", "module.bias"]


# ---- steps


@pytest.mark.parametrize(
    ("every", "steps"), [(1, [0, 10, 20, 40]), (5, [0, 10, 20, 40]), (10, [0, 10, 20, 40]), (15, [0, 15, 30])]
)
def test_weights_and_updates_are_in_few_records_three_of_them_in_the_first_steps(file, every, steps):
    train(mlp(), file, steps=50, every=every)
    assert [record["step"] for record in records(file) if "update_ratio" in record["layers"]] == steps


def test_every_tenth_step_is_recorded_the_first_among_them(file):
    train(mlp(), file, steps=25, every=10)
    assert [record["step"] for record in records(file)] == [0, 10, 20]
    assert lines(file)[0]["every"] == 10


def test_accumulated_gradients_are_one_step(file):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Recorder(model, file, every=1) as recorder:
        for _ in range(2):
            optimizer.zero_grad()
            for _ in range(3):
                (loss_of(model) / 3).backward()
            gradient = model[0].weight.grad.norm().item()
            optimizer.step()
            recorder.step()
    assert [record["step"] for record in records(file)] == [0, 1]
    assert records(file)[1]["layers"]["grad_norm"][0] == pytest.approx(gradient, rel=1e-5)


def test_another_model_s_optimizer_is_none_of_its_business(file):
    model, other = mlp(), mlp()
    stranger = torch.optim.SGD(other.parameters(), lr=0.7)
    with Recorder(model, file, every=1) as recorder:
        loss_of(other).backward()
        stranger.step()
        loss_of(model).backward()
        recorder.step()
    (record,) = records(file)
    assert "lr" not in record
    assert "update_ratio" not in record["layers"]
    assert record["grad_norm"] > 0


def test_two_optimizers_of_one_model_make_one_record(file):
    model = mlp(depth=1)
    optimizers = [torch.optim.SGD(part.parameters(), lr=lr) for part, lr in ((model[0], 0.1), (model[2], 0.2))]
    with Recorder(model, file, every=1) as recorder:
        loss_of(model).backward()
        for optimizer in optimizers:
            optimizer.step()
        recorder.step()
    (record,) = records(file)
    assert all(ratio > 0 for ratio in record["layers"]["update_ratio"])
    assert "grad_norm_after" not in record


def test_of_a_closure_s_evaluations_the_last_one_s_gradient_counts(file):
    model = mlp()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        return loss

    with Recorder(model, file, every=1) as recorder:
        loss = optimizer.step(closure)
        recorder.step(loss)
    (record,) = records(file)
    norms = [parameter.grad.norm().item() for parameter in model.parameters()]
    assert record["layers"]["grad_norm"] == pytest.approx(norms, rel=1e-5)
    assert record["layers"]["update_ratio"][0] > 0


def test_any_clipping_can_be_measured_before_and_behind(file):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Recorder(model, file, every=1) as recorder:
        loss_of(model).backward()
        before = math.sqrt(sum(one.grad.square().sum().item() for one in model.parameters()))
        recorder.before_clipping()
        nn.utils.clip_grad_value_(model.parameters(), 1e-3)
        after = [one.grad.norm().item() for one in model.parameters()]
        behind = math.sqrt(sum(norm**2 for norm in after))
        optimizer.step()
        recorder.step()
    (record,) = records(file)
    assert record["layers"]["grad_norm_after"] == pytest.approx(after, rel=1e-5)
    assert (record["grad_norm"], record["grad_norm_after"]) == pytest.approx((before, behind), rel=1e-5)
    assert behind < before


@pytest.mark.usefixtures("any_device")
def test_the_loss_scale_is_recorded_and_gradients_are_without_it(file):
    model = mlp()
    twin = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with Recorder(model, file, every=1, scaler=scaler) as recorder:
        loss = loss_of(model)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        recorder.step(loss)
    loss_of(twin).backward()
    (record,) = records(file)
    assert record["loss_scale"] == 1024
    assert record["layers"]["grad_norm"] == pytest.approx(
        [one.grad.norm().item() for one in twin.parameters()], rel=1e-5
    )


def test_a_fused_optimizer_s_gradients_are_without_the_loss_scale_too(file):
    model = mlp()
    twin = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with Recorder(model, file, every=1, scaler=scaler) as recorder:
        scaler.scale(loss_of(model)).backward()
        scaler.step(optimizer)
        scaler.update()
        recorder.step()
    loss_of(twin).backward()
    expected = [one.grad.norm().item() for one in twin.parameters()]
    assert records(file)[0]["layers"]["grad_norm"] == pytest.approx(expected, rel=1e-5)


def test_a_step_that_the_scaler_leaves_out_has_its_gradient_the_scale_it_had_and_no_update(file):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**100)
    with Recorder(model, file, every=1, scaler=scaler) as recorder:
        for _ in range(2):
            optimizer.zero_grad()
            scaler.scale(loss_of(model) * 1e20).backward()
            scaler.step(optimizer)
            scaler.update()
            recorder.step()
    first, second = records(file)
    assert first["grad_norm"] in ("Infinity", "NaN")
    assert "update_ratio" not in first["layers"]
    assert (first["loss_scale"], second["loss_scale"]) == (2.0**100, 2.0**99)


# ---- activations


@pytest.mark.usefixtures("any_device")
def test_activations_are_measured_behind_the_activation_module(file):
    model = mlp(depth=1, width=4)
    with torch.no_grad():
        model[0].bias[:3] = -100.0  # three of four units are dead
    train(model, file, steps=1, activations=True, lr=0.0)
    layers = records(file)[0]["layers"]
    hidden, output = model[:2](INPUTS), model(INPUTS)
    rms = [one.square().mean().sqrt().item() for one in (hidden, output)]
    assert layers["activation_rms"] == [pytest.approx(rms[0], rel=1e-5), None, pytest.approx(rms[1], rel=1e-5), None]
    assert layers["dead_fraction"] == [0.75, None, None, None]


def test_the_units_of_a_convolution_are_its_channels(file):
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 1))
    with torch.no_grad():
        model[0].bias[0] = -100.0
    with Recorder(model, file, every=1, activations=True) as recorder:
        model(torch.randn(5, 1, 4, 4)).sum().backward()
        recorder.step()
    assert records(file)[0]["layers"]["dead_fraction"][0] == 0.25


def test_a_validation_pass_is_not_measured(file):
    model = mlp()
    with Recorder(model, file, every=1, activations=True) as recorder:
        with torch.no_grad():
            model(1e6 * INPUTS)
        recorder.step()
    assert "activation_rms" not in records(file)[0]["layers"]


def hooks(model):
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)


def test_forward_hooks_are_there_in_sampled_steps_only(file):
    model = mlp()
    with Recorder(model, file, every=2, activations=True) as recorder:
        seen = []
        for _ in range(4):
            seen.append(hooks(model) > 0)
            recorder.step()
    assert seen == [True, False, True, False]


def test_no_hook_is_left_behind_whatever_happens(file):
    from torch.optim import optimizer

    model, before = mlp(), len(optimizer._global_optimizer_pre_hooks)
    recorder = Recorder(model, file, every=1, activations=True)
    assert hooks(model)
    assert len(optimizer._global_optimizer_pre_hooks) == before + 1
    with pytest.raises(ZeroDivisionError), recorder:
        1 / 0  # noqa: B018
    assert not hooks(model)
    assert len(optimizer._global_optimizer_pre_hooks) == before


# ---- training doesn't notice


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_recording_changes_not_a_bit_of_training(file, kind):
    model = mlp(depth=4)
    twin = copy.deepcopy(model)
    recorded = train(model, file, 20, clip=0.5, activations=True, optimizer=kind(model.parameters(), lr=0.05), every=3)
    optimizer, plain = kind(twin.parameters(), lr=0.05), []
    for _ in range(20):
        optimizer.zero_grad()
        loss = loss_of(twin)
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
def test_a_sampled_step_waits_for_the_device_once_and_others_never(file, fetches, any_device):
    model = mlp()
    scaler, optimizer = torch.amp.GradScaler("cpu"), torch.optim.SGD(model.parameters(), lr=0.1)
    scaler.scale(torch.ones(1))
    with Recorder(model, file, every=2, activations=True, scaler=scaler) as recorder:
        for expected in (["tolist"], [], ["tolist"], []):
            loss = loss_of(model)
            loss.backward()
            recorder.before_clipping()
            optimizer.step()
            recorder.step(loss)
            assert fetches == expected
            fetches.clear()


# ---- the file


def test_a_record_is_on_disk_when_its_step_ends(file):
    with Recorder(mlp(), file, every=1) as recorder:
        recorder.step(0.5)
        assert records(file)[0]["loss"] == 0.5


def test_an_exception_leaves_whole_records_and_a_closed_file(file):
    recorder = Recorder(mlp(), file, every=1)
    recorder.step(1.0)
    with pytest.raises(ZeroDivisionError), recorder:
        1 / 0  # noqa: B018
    assert file.read_bytes().endswith(b"\n")
    assert len(records(file)) == 1
    recorder.step(2.0)  # closed: it does nothing
    assert len(records(file)) == 1


def test_a_resumed_run_goes_on_behind_its_last_step(file):
    train(mlp(), file, steps=4, every=2)
    with file.open("ab") as stream:
        stream.write(b'{"step":4,"lo')  # torn
    train(mlp(), file, steps=4, every=2, resume=True)
    assert [record["step"] for record in records(file)] == [0, 2, 4, 6]
    assert not gradcheck.diagnose(file).warnings


def test_a_resumed_run_can_go_back_to_a_checkpoint(file):
    train(mlp(), file, steps=6)
    train(mlp(), file, steps=2, resume=True, start=3)
    assert [record["step"] for record in records(file)] == [0, 1, 2, 3, 4, 5, 3, 4]
    assert gradcheck.diagnose(file).log.last_step == 4


def test_a_file_that_is_not_resumed_begins_anew(file):
    train(mlp(), file, steps=5)
    train(mlp(), file, steps=2)
    assert len(records(file)) == 2


def test_a_file_that_is_not_there_can_be_resumed(file):
    train(mlp(), file, steps=2, resume=True)
    assert [record["step"] for record in records(file)] == [0, 1]


def test_a_torn_tail_is_no_obstacle_to_a_diagnosis(file):
    train(mlp(), file, steps=40)
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    report = gradcheck.diagnose(file)
    assert report.log.rows == 39
    assert len(report.warnings) == 1


def test_a_record_is_small(file):
    train(mlp(depth=20, width=16), file, steps=3)
    numbers = 3 * 42
    assert all(len(line) < 15 * numbers + 200 for line in file.read_bytes().splitlines())


def test_a_disk_that_is_full_ends_the_recording_with_a_warning_and_not_the_run(file, monkeypatch):
    with Recorder(mlp(), file, every=1) as recorder:
        recorder._log._stream.close()
        recorder._log._stream = open("/dev/full", "wb", buffering=0)  # noqa: PTH123, SIM115
        with pytest.warns(RuntimeWarning, match="No space left on device; gradcheck records no more"):
            recorder.step(1.0)
        recorder.step(1.0)
        assert recorder.number == 2


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"every": 0}, OptionError, "--every 0 is not a whole number of at least 1"),
        ({"start": -1}, OptionError, "--start -1 is not"),
        ({"updates": "yes"}, OptionError, "neither True nor False"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(file, options, error, words):
    with pytest.raises(error, match=words):
        Recorder(mlp(), file, **options)
    assert not file.exists()


def test_a_loss_of_several_numbers_is_an_error_that_says_what_to_give(file):
    with (
        Recorder(mlp(), file, every=1) as recorder,
        pytest.raises(GradcheckError, match=r"loss has 24 numbers; give its mean, loss\.mean\(\)"),
    ):
        recorder.step(torch.ones(24))


def test_what_is_no_model_or_has_nothing_to_train_is_refused(file):
    with pytest.raises(GradcheckError, match=r"dict is no torch\.nn\.Module"):
        Recorder({}, file)
    with pytest.raises(GradcheckError, match="ReLU has no parameter that requires a gradient"):
        Recorder(nn.ReLU(), file)


def test_a_file_that_can_not_be_written_is_told_at_the_start(tmp_path):
    with pytest.raises(OutputError, match="can't be written: No such file"):
        Recorder(mlp(), tmp_path / "nowhere" / "run.jsonl")


# ---- what diagnose says


def deep(activation, gain, depth=20, width=32):
    model = mlp(depth, width, activation)
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.xavier_normal_(module.weight, gain)
            nn.init.zeros_(module.bias)
    return model


def test_a_healthy_run_has_no_finding(file):
    train(mlp(depth=3, width=32), file, steps=150, lr=0.02, activations=True)
    report = gradcheck.diagnose(file)
    assert report.verdict.status == "healthy"
    assert not report.findings


def test_a_run_whose_gradients_vanish_is_found_with_its_first_layer(file):
    train(deep(nn.Sigmoid, 1.0), file, steps=60, lr=0.05)
    report = gradcheck.diagnose(file)
    assert report.verdict.status == "vanishing"
    assert report.verdict.layer == "0.weight"


def test_a_run_whose_gradients_are_below_float32_s_squares_still_vanishes(file):
    train(deep(nn.Sigmoid, 0.4, depth=40), file, steps=60, lr=0.05)
    first = records(file)[0]["layers"]["grad_norm"][0]
    assert 0 < first < 1e-25
    assert gradcheck.diagnose(file).verdict.status == "vanishing"


def test_a_plateau_whose_last_layers_learn_what_they_can_alone_is_still_vanishing(file):
    """Twelve ReLU layers as nn.Linear draws them; only the last bias finds something: how frequent the labels are."""
    model = mlp(depth=13, width=64)
    train(model, file, steps=200, lr=0.5)
    norms = [dict(zip(lines(file)[0]["layers"], one["layers"]["grad_norm"], strict=True)) for one in records(file)]
    assert norms[0]["0.weight"] < 1e-3 * norms[0]["24.weight"]
    assert norms[-1]["0.weight"] > 1e-3 * norms[-1]["24.weight"]
    assert gradcheck.diagnose(file).verdict.status == "vanishing"


def test_a_run_with_a_huge_learning_rate_explodes(file):
    model = mlp(depth=3, width=32, activation=nn.Identity)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with Recorder(model, file, every=1) as recorder:
        for step in range(120):
            if step == 60:
                optimizer.param_groups[0]["lr"] = 3.0
            optimizer.zero_grad()
            loss = (model(INPUTS) - 1).square().mean()
            loss.backward()
            optimizer.step()
            recorder.step(loss)
    report = gradcheck.diagnose(file)
    assert report.verdict.status in ("exploding", "nonfinite")
    assert 60 <= report.verdict.first_step <= 75


def test_clipping_that_is_always_at_work_is_found(file):
    train(mlp(), file, steps=120, clip=1e-4)
    assert "always-clipped" in {finding.kind for finding in gradcheck.diagnose(file).findings}


@pytest.mark.parametrize("seed", range(3))
def test_relus_that_a_far_too_high_rate_kills_are_found_dead(file, seed):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    inputs, targets = torch.randn(64, 20), 3 * torch.randn(64, 1) - 10
    optimizer = torch.optim.SGD(model.parameters(), lr=3.0)
    with Recorder(model, file, every=1, activations=True) as recorder:
        for _ in range(120):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(inputs), targets)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)  # or it would explode first
            optimizer.step()
            recorder.step(loss)
    report = gradcheck.diagnose(file)
    assert report.verdict.status == "dead"
    assert (report.findings[0].kind, report.findings[0].layer) == ("dead", "2.weight")
