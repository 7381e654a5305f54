"""A loop with Accelerate is recorded as the same loop in plain PyTorch has it."""

import json
import math

import pytest

torch = pytest.importorskip("torch")
accelerate = pytest.importorskip("accelerate")

from accelerate.state import AcceleratorState, GradientState  # noqa: E402
from torch import nn  # noqa: E402

from gradcheck.accelerate import Recorder  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")

INPUTS, LABELS = torch.randn(48, 6, generator=torch.Generator().manual_seed(1)), torch.arange(48) % 3

CLIP = 0.1


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def prepared(model, batches, amp, scale=1024.0, trackers=()):
    """An accelerator, the model and an optimizer; with AMP as on a GPU, with the scaler that a processor has too."""
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=batches, log_with=list(trackers) or None)
    accelerator.init_trackers("run")
    if amp:
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        accelerator.native_amp, accelerator.state._mixed_precision = True, "fp16"
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return accelerator, *accelerator.prepare(model, optimizer)


def train(file=None, batches=1, clip=CLIP, amp=False, *, scale=1024.0, trackers=(), **options):
    """Twelve batches; the model, and what recorded it."""
    accelerator, model, optimizer = prepared(small(), batches, amp, scale, trackers)
    recorder = None if file is None else Recorder(accelerator, model, file, **{"every": 1} | options)
    for start in range(0, 48, 4):
        with accelerator.accumulate(model):
            loss = nn.functional.cross_entropy(model(INPUTS[start : start + 4]), LABELS[start : start + 4])
            accelerator.backward(loss)
            if clip and accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            optimizer.zero_grad()
        if recorder is not None:
            recorder.step(loss)
            if recorder.should_stop:
                break
    if recorder is not None:
        recorder.close()
    assert "clip_grad_norm_" not in vars(accelerator)
    return model, recorder


def records(file):
    return [json.loads(line) for line in file.read_text().splitlines() if '"step"' in line]


def plain_run(batches):
    """Loss, norms of each layer before and after clipping, of each step in plain PyTorch."""
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for start in range(0, 48, 4 * batches):
        optimizer.zero_grad()
        rows = slice(start, start + 4 * batches)
        loss = nn.functional.cross_entropy(model(INPUTS[rows]), LABELS[rows])
        loss.backward()
        before = [one.grad.norm().item() for one in model.parameters()]
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        yield loss.item(), before, [one.grad.norm().item() for one in model.parameters()]
        optimizer.step()


@pytest.mark.parametrize("batches", [1, 3])
def test_accumulated_batches_are_one_step_before_and_after_clipping(tmp_path, batches):
    train(tmp_path / "run.jsonl", batches)
    found = records(tmp_path / "run.jsonl")
    assert [one["step"] for one in found] == list(range(12 // batches))
    for record, (loss, before, after) in zip(found, plain_run(batches), strict=True):
        assert record["loss"] == pytest.approx(loss, rel=1e-5)
        assert record["layers"]["grad_norm"] == pytest.approx(before, rel=1e-4)
        assert record["layers"]["grad_norm_after"] == pytest.approx(after, rel=1e-4)
        assert (record["max_norm"], record["grad_norm"]) == (CLIP, pytest.approx(math.hypot(*before), rel=1e-4))


def test_norms_are_those_without_the_loss_scale_that_amp_puts_on(tmp_path):
    for name, amp in (("amp", True), ("plain", False)):
        train(tmp_path / name, amp=amp)
    scaled, plain = records(tmp_path / "amp"), records(tmp_path / "plain")
    assert [one["loss_scale"] for one in scaled] == [1024.0] * 12
    assert [one["grad_norm"] for one in scaled] == pytest.approx([one["grad_norm"] for one in plain], rel=0.02)
    assert [one["grad_norm_after"] for one in scaled] == pytest.approx([CLIP] * 12, rel=1e-3)


@pytest.mark.parametrize("options", [{}, {"batches": 3}, {"amp": True}])
def test_weights_are_the_same_to_the_last_bit(tmp_path, options):
    plain, (recorded, _) = train(**options)[0], train(tmp_path / "run.jsonl", **options)
    assert all(map(torch.equal, plain.parameters(), recorded.parameters()))


def test_a_function_gets_the_finding_and_may_stop_the_loop(tmp_path):
    found = []

    def stop(finding):
        found.append(finding.kind)
        return "stop"

    INPUTS[20] = math.nan
    try:
        _, recorder = train(tmp_path / "run.jsonl", on_finding=stop)
    finally:
        INPUTS[20] = 0.0
    assert found[0] == recorder.findings[0].kind == "nonfinite"
    assert recorder.should_stop
    assert records(tmp_path / "run.jsonl")[-1]["step"] == 5


class Tracker(accelerate.tracking.GeneralTracker):
    """Keeps what it is told, under the name of a real one."""

    requires_logging_directory, tracker = False, None

    def __init__(self, name):
        self.name, self.told = name, []
        super().__init__(_blank=True)

    def log(self, values, step=None, **options):
        self.told += [(name, step, options) for name in values]
        if self.name == "broken":
            raise OSError("the run is finished")


def test_findings_reach_all_trackers_at_the_step_recorded_last_and_take_no_row_of_wandb_s(tmp_path, monkeypatch):
    broken, wandb, other = trackers = [Tracker(name) for name in ("broken", "wandb", "other")]
    monkeypatch.setitem(globals(), "INPUTS", torch.where(torch.arange(48)[:, None] == 20, math.nan, INPUTS))
    with pytest.warns(RuntimeWarning, match="gradcheck/nonfinite could not be logged: OSError: the run is finished"):
        train(tmp_path / "run.jsonl", trackers=trackers, on_finding=lambda finding: None)
    assert [one[0] for one in broken.told] == [one[0] for one in wandb.told] == [one[0] for one in other.told]
    assert ("gradcheck/nonfinite", None, {"commit": False}) in wandb.told
    assert ("gradcheck/nonfinite", 5, {}) in other.told


def test_steps_that_the_scaler_skips_are_recorded_and_no_fault(tmp_path):
    model, recorder = train(tmp_path / "run.jsonl", amp=True, scale=2.0**21, check_every=1)
    found = records(tmp_path / "run.jsonl")
    skipped = [not math.isfinite(float(one["grad_norm"])) for one in found]
    assert skipped == sorted(skipped, reverse=True)
    assert 1 < sum(skipped) < 10
    assert "nonfinite" not in [one.kind for one in recorder.findings]
    assert all(map(torch.equal, model.parameters(), train(amp=True, scale=2.0**21)[0].parameters()))
