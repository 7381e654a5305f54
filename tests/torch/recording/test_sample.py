"""Every number of a record against a naive implementation, and the names of what was measured."""

import copy
import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

import gradcheck  # noqa: E402
from gradcheck.torch import Recorder  # noqa: E402


class Adapted(nn.Module):
    """A frozen linear layer, and what is learnt beside it by two matrices of a low rank."""

    def __init__(self, width, rank):
        super().__init__()
        self.base = nn.Linear(width, width).requires_grad_(False)
        self.down, self.up = nn.Linear(width, rank, bias=False), nn.Linear(rank, width, bias=False)

    def forward(self, inputs):
        return torch.relu(self.base(inputs) + self.up(self.down(inputs)))


@pytest.mark.usefixtures("any_device")
def test_every_number_is_that_of_a_naive_implementation(file, runs):
    model = runs.mlp()
    twin = copy.deepcopy(model)
    runs.train(model, file, 22, lr=0.3, clip=0.2)
    expected = list(runs.naive_run(twin, 22, 0.3, 0.2))
    assert len(runs.records(file)) == 22
    for number, (record, (whole, layers)) in enumerate(zip(runs.records(file), expected, strict=True)):
        assert {name: record[name] for name in whole} == pytest.approx(whole, rel=1e-5)
        if number not in (0, 10, 20):
            layers = {name: layers[name] for name in ("grad_norm", "grad_norm_after")}
        assert record["layers"].keys() == layers.keys()
        for name, values in layers.items():  # updates are differences: they have fewer digits
            assert record["layers"][name] == pytest.approx(list(values), rel=1e-3 if name == "update_ratio" else 1e-5)


def test_layers_are_the_parameters_in_the_model_s_order(file, runs):
    runs.train(runs.mlp(), file)
    assert runs.lines(file)[0]["layers"] == ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]


@pytest.mark.parametrize("scale", [1e-30, 1e-19, 1e25])
def test_norms_whose_squares_leave_float32_are_right(file, scale, runs):
    layer = nn.Linear(5, 4, bias=False)
    with Recorder(layer, file, every=1) as recorder:
        layer.weight.grad = torch.full((4, 5), scale)
        recorder.step()
    assert runs.records(file)[0]["layers"]["grad_norm"] == pytest.approx([scale * math.sqrt(20)], rel=1e-6)
    assert runs.records(file)[0]["grad_norm"] == pytest.approx(scale * math.sqrt(20), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_measured_in_single(file, dtype, runs):
    layer = nn.Linear(100, 100, bias=False, dtype=dtype)
    with Recorder(layer, file, every=1) as recorder:
        layer.weight.grad = torch.full((100, 100), 30000.0, dtype=dtype)  # a norm that float16 hasn't got
        recorder.step()
    expected = 100 * float(torch.tensor(30000.0, dtype=dtype))
    assert runs.records(file)[0]["layers"]["grad_norm"] == pytest.approx([expected], rel=1e-5)


@pytest.mark.usefixtures("any_device")
@pytest.mark.parametrize("clips", ["neither", "the first", "the second", "both"])
def test_of_two_optimizers_in_turn_each_has_the_gradients_of_its_own_step(file, clips, runs):
    torch.manual_seed(0)
    model = nn.ModuleList([nn.Linear(3, 4), nn.Linear(4, 1)])  # a generator, and what judges it
    generator, judge = (torch.optim.SGD(part.parameters(), lr=0.1) for part in model)
    before, after = [], []
    with Recorder(model, file, every=1) as recorder:
        for _ in range(3):
            norms = [{}, {}]
            for first, place, optimizer in ((True, 1, judge), (False, 0, generator)):
                optimizer.zero_grad()
                sign = 1 if first else -1
                (sign * model[1](model[0](torch.randn(5, 3)))).exp().mean().backward()
                norms[0][place] = [one.grad.norm().item() for one in model[place].parameters()]
                if clips in ("both", "the first" if first else "the second"):
                    recorder.before_clipping()
                    nn.utils.clip_grad_norm_(model[place].parameters(), 0.01)
                norms[1][place] = [one.grad.norm().item() for one in model[place].parameters()]
                optimizer.step()
            before.append(norms[0][0] + norms[0][1])
            after.append(norms[1][0] + norms[1][1])
            recorder.step()
    for record, unclipped, clipped in zip(runs.records(file), before, after, strict=True):
        assert record["layers"]["grad_norm"] == pytest.approx(unclipped, rel=1e-5)
        assert record["grad_norm"] == pytest.approx(math.hypot(*unclipped), rel=1e-5)
        if clips != "neither":
            assert record["layers"]["grad_norm_after"] == pytest.approx(clipped, rel=1e-5)


@pytest.mark.usefixtures("any_device")
def test_mixed_precisions_are_measured_side_by_side(file, runs):
    model = nn.Sequential(nn.Linear(4, 4, bias=False).double(), nn.Linear(4, 4, bias=False).bfloat16())
    with Recorder(model, file, every=1) as recorder:
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        recorder.step()
    assert runs.records(file)[0]["layers"]["grad_norm"] == [4.0, 4.0]


@pytest.mark.usefixtures("any_device")
def test_numbers_that_are_not_finite_are_recorded_by_name(file, runs):
    layer = nn.Linear(2, 2, bias=True)
    with Recorder(layer, file, every=1) as recorder:
        layer.weight.grad, layer.bias.grad = torch.full((2, 2), math.inf), torch.tensor([math.nan, 0.0])
        recorder.step(math.nan)
    assert runs.records(file)[0]["layers"]["grad_norm"] == ["Infinity", "NaN"]
    assert runs.records(file)[0]["loss"] == "NaN"


@pytest.mark.usefixtures("any_device")
def test_a_sparse_gradient_has_the_norm_of_the_dense_one(file, tmp_path, runs):
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
        found.append(runs.records(tmp_path / f"{sparse}.jsonl")[0]["layers"])
    for name in ("grad_norm", "update_ratio", "weight_norm"):
        assert found[0][name] == pytest.approx(found[1][name], rel=1e-5)


def test_sparse_gradients_are_clipped_like_dense_ones(tmp_path, runs):
    found = {}
    for sparse in (True, False):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Embedding(10, 4, sparse=sparse), nn.Linear(4, 1))
        with Recorder(model, tmp_path / f"{sparse}.jsonl", every=1) as recorder:
            (10 * model(torch.tensor([1, 1, 7]))).square().sum().backward()
            norm = recorder.clip_grad_norm_(1.0)
            recorder.step()
        gradients = [one.grad.to_dense() if one.grad.is_sparse else one.grad for one in model.parameters()]
        found[sparse] = [norm, *gradients]
    assert found[True][0] > 1
    for one, other in zip(found[True], found[False], strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.usefixtures("any_device")
def test_a_parameter_without_gradient_has_null_and_one_that_is_frozen_no_place(file, runs):
    model = nn.ModuleDict({name: nn.Linear(6, 3, bias=False) for name in ("used", "unused", "frozen")})
    model["frozen"].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Recorder(model, file, every=1) as recorder:
        runs.loss_of(nn.Sequential(model["used"])).backward()
        optimizer.step()
        recorder.step()
    assert runs.lines(file)[0]["layers"] == ["used.weight", "unused.weight"]
    layers = runs.records(file)[0]["layers"]
    assert layers["grad_norm"][0] > 0
    assert layers["grad_norm"][1] is None
    assert layers["update_ratio"][1] == 0


def test_a_layer_that_is_thawed_gets_a_place_in_another_header(file, runs):
    model = runs.mlp()
    model[0].requires_grad_(False)
    runs.train(model, file, steps=2)
    model[0].requires_grad_(True)
    runs.train(model, file, steps=2, resume=True)
    headers = [line["layers"] for line in runs.lines(file) if "layers" in line and "step" not in line]
    assert [len(names) for names in headers] == [4, 6]
    assert gradcheck.diagnose(file).log.layers == 6


def test_shared_parameters_are_recorded_once(file, runs):
    model = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3))
    model[1].weight = model[0].weight
    runs.train(model, file)
    assert runs.lines(file)[0]["layers"] == ["0.weight", "0.bias", "1.bias", "2.weight", "2.bias"]


class Compiled(nn.Module):
    """Names its parameters as ``torch.compile`` does."""

    def __init__(self, inner):
        super().__init__()
        self._orig_mod = inner

    def forward(self, inputs):
        return self._orig_mod(inputs)


@pytest.mark.parametrize("wrap", [Compiled, nn.DataParallel, lambda model: nn.DataParallel(Compiled(model))])
def test_wrappers_leave_no_trace_in_the_names(file, wrap, runs):
    runs.train(wrap(runs.mlp(depth=1)), file)
    assert runs.lines(file)[0]["layers"] == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_a_module_of_the_user_s_that_is_called_module_keeps_its_name(file, runs):
    runs.train(nn.Sequential(nn.ModuleDict({"module": nn.Linear(6, 3)})["module"]), file)
    model = nn.ModuleDict({"module": nn.Linear(6, 3)})
    with Recorder(model, file) as recorder:
        recorder.step()
    assert runs.lines(file)[0]["layers"] == ["module.weight", "module.bias"]


@pytest.mark.parametrize("before", [True, False], ids=["clipped", "unclipped"])
def test_an_optimizer_that_takes_no_step_has_no_gradient_in_the_record(file, runs, before):
    """As a generator that is trained in one step of two: in the others its old gradient is still there."""
    model = nn.ModuleList([nn.Linear(3, 4), nn.Linear(4, 1)])
    generator, judge = (torch.optim.SGD(part.parameters(), lr=0.1) for part in model)
    with Recorder(model, file, every=1) as recorder:
        for step in range(4):
            for optimizer in [judge, generator][: 1 + (step % 2 == 0)]:
                optimizer.zero_grad()
                model[1](model[0](torch.randn(5, 3))).exp().mean().backward()
                if before:
                    recorder.clip_grad_norm_(0.01)
                optimizer.step()
            recorder.step()
    for step, record in enumerate(runs.records(file)):
        norms = record["layers"]["grad_norm"]
        assert [norm is None for norm in norms] == 2 * [step % 2 == 1] + 2 * [False]
        assert record["grad_norm"] == pytest.approx(math.hypot(*filter(None, norms)), rel=1e-6)


def test_gradients_of_a_step_that_no_optimizer_takes_are_recorded_as_they_are(file, runs):
    model = nn.ModuleList([nn.Linear(3, 4), nn.Linear(4, 1)])
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in model]
    with Recorder(model, file, every=1) as recorder:
        for step in range(2):
            model[1](model[0](torch.randn(5, 3))).exp().mean().backward()
            for optimizer in optimizers[: 2 * (step == 0)]:
                optimizer.step()
            recorder.step()
    assert None not in runs.records(file)[1]["layers"]["grad_norm"]


@pytest.mark.parametrize("reentrant", [True, False], ids=["re-entrant", "not re-entrant"])
def test_adapters_beside_frozen_weights_and_checkpoints_are_recorded_as_without_them(file, tmp_path, runs, reentrant):
    """As in fine-tuning with low ranks, whose memory is saved by running the forward pass twice."""
    found = []
    for name, checkpointed in (("plain.jsonl", False), ("checkpointed.jsonl", True)):
        torch.manual_seed(0)
        blocks = nn.ModuleList(Adapted(6, 2) for _ in range(3))
        optimizer = torch.optim.AdamW([one for one in blocks.parameters() if one.requires_grad], lr=0.01)
        with Recorder(blocks, tmp_path / name, every=1, activations=True) as recorder:
            for _ in range(3):
                outputs = torch.randn(5, 6).requires_grad_()  # a re-entrant checkpoint needs one
                for block in blocks:
                    outputs = checkpoint(block, outputs, use_reentrant=reentrant) if checkpointed else block(outputs)
                loss = outputs.square().mean()
                optimizer.zero_grad()
                loss.backward()
                recorder.clip_grad_norm_(0.1)
                optimizer.step()
                recorder.step(loss)
        found.append((runs.lines(tmp_path / name)[0]["layers"], runs.records(tmp_path / name)))
    (names, plain), (others, checkpointed) = found
    assert names == others == [f"{block}.{part}.weight" for block in range(3) for part in ("down", "up")]
    assert checkpointed == plain
