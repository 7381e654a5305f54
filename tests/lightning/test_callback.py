"""Lightning's Trainer, a real small training: what the callback records, and what it does, for both packages."""

import csv
import importlib.util
import json
import logging
import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
for name in ("lightning", "pytorch_lightning"):  # loaded only where a test runs: it takes seconds
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"could not find '{name}'", allow_module_level=True)

from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

INPUTS, LABELS = torch.randn(240, 6, generator=torch.Generator().manual_seed(1)), torch.arange(240) % 3


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"], scope="module")
def package(request):
    logging.getLogger(request.param).setLevel(logging.ERROR)
    return importlib.import_module(request.param)


@pytest.fixture
def callback(package):  # the package is loaded first, as a user's script does
    from gradcheck.lightning import GradientCallback

    return GradientCallback


def module_of(package, layers):
    """A LightningModule."""

    class Module(package.LightningModule):
        def __init__(self):
            super().__init__()
            self.layers = layers

        def training_step(self, batch, index):
            return nn.functional.cross_entropy(self.layers(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    return Module()


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def sick():
    torch.manual_seed(0)
    hidden = (part for place in range(10) for part in (nn.Linear(8 if place else 6, 8), nn.Sigmoid()))
    return nn.Sequential(*hidden, nn.Linear(8, 3))


def train(package, folder, *callbacks, layers=None, module=None, steps=20, amp=0.0, logger=False, **options):
    if amp:
        scaler = torch.amp.GradScaler("cpu", init_scale=amp)
        options["plugins"] = [package.plugins.MixedPrecision("16-mixed", "cpu", scaler)]
    trainer = package.Trainer(
        default_root_dir=folder, max_steps=steps, accelerator="cpu", devices=1, logger=logger,
        callbacks=list(callbacks), enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, **options,
    )  # fmt: skip
    module = module or module_of(package, layers or small())
    trainer.fit(module, DataLoader(TensorDataset(INPUTS, LABELS), batch_size=4))
    return trainer, module


def records(file):
    return [json.loads(line) for line in file.read_text().splitlines() if '"step"' in line]


def plain_run(batches, clip):
    """Loss, norms of each layer before and after clipping, of each step in plain PyTorch."""
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    while True:
        for start in range(0, 240, 4 * batches):
            optimizer.zero_grad()
            rows = slice(start, start + 4 * batches)
            loss = nn.functional.cross_entropy(model(INPUTS[rows]), LABELS[rows])
            loss.backward()
            before = [one.grad.norm().item() for one in model.parameters()]
            clip(model.parameters())
            yield loss.item(), before, [one.grad.norm().item() for one in model.parameters()]
            optimizer.step()


RULES = {
    "norm": lambda parameters: nn.utils.clip_grad_norm_(parameters, 0.1),
    "value": lambda parameters: nn.utils.clip_grad_value_(parameters, 0.1),
}


@pytest.mark.parametrize(("batches", "rule"), [(1, "norm"), (3, "norm"), (1, "value")])
def test_accumulated_batches_are_one_step_before_and_after_clipping(package, callback, tmp_path, batches, rule):
    clipping = {"gradient_clip_val": 0.1, "gradient_clip_algorithm": rule, "accumulate_grad_batches": batches}
    train(package, tmp_path, callback(every=1), **clipping)
    found = records(tmp_path / "gradcheck.jsonl")
    assert [one["step"] for one in found] == list(range(20))
    for record, (loss, before, after) in zip(found, plain_run(batches, RULES[rule]), strict=False):
        assert record["loss"] == pytest.approx(loss, rel=1e-4)
        assert record["layers"]["grad_norm"] == pytest.approx(before, rel=1e-3)
        assert record["layers"]["grad_norm_after"] == pytest.approx(after, rel=1e-3)
        assert record.get("max_norm") == (0.1 if rule == "norm" else None)


def test_norms_are_those_without_the_loss_scale_that_amp_puts_on(package, callback, tmp_path):
    for name, amp in (("scaled", 1024.0), ("plain", 0.0)):
        train(package, tmp_path, callback(tmp_path / f"{name}.jsonl", every=1), amp=amp, gradient_clip_val=0.1)
    scaled, plain = records(tmp_path / "scaled.jsonl"), records(tmp_path / "plain.jsonl")
    assert [one["loss_scale"] for one in scaled] == [1024.0] * 20
    assert [one["grad_norm"] for one in scaled] == pytest.approx([one["grad_norm"] for one in plain], rel=0.02)
    assert [one["grad_norm_after"] for one in scaled] == pytest.approx([0.1] * 20, rel=1e-3)


@pytest.mark.parametrize("options", [{}, {"accumulate_grad_batches": 3, "gradient_clip_val": 0.1}, {"amp": 1024.0}])
def test_weights_are_the_same_to_the_last_bit(package, callback, tmp_path, options):
    _, plain = train(package, tmp_path, **options)
    _, recorded = train(package, tmp_path, callback(every=2), **options)
    assert all(map(torch.equal, plain.parameters(), recorded.parameters()))


def test_an_error_stops_the_training_and_goes_to_the_trainer_s_logger(package, callback, tmp_path):
    logger = package.loggers.CSVLogger(tmp_path)
    watched = callback(every=1, check_every=20, on_finding="stop")
    with pytest.warns(RuntimeWarning, match="gradcheck found vanishing: .*get less than"):
        trainer, _ = train(package, tmp_path, watched, layers=sick(), steps=60, logger=logger)
    assert trainer.global_step == 21
    assert math.isfinite(watched.findings[0].first_step)
    from gradcheck import diagnose

    assert diagnose(f"{trainer.log_dir}/gradcheck.jsonl").verdict.status == "vanishing"
    logger.save()
    with Path(trainer.log_dir, "metrics.csv").open() as rows:
        told = next(row for row in csv.DictReader(rows) if row["gradcheck/vanishing"])
    assert (told["gradcheck/vanishing"], told["step"]) == ("0.0", "20")  # as the rows of the record and of Lightning


def test_a_logger_that_fails_keeps_the_finding_from_no_other_and_the_training_goes_on(package, callback, tmp_path):
    class Broken(package.loggers.CSVLogger):
        def log_metrics(self, metrics, step=None):
            raise OSError("the run is finished")

    told = []

    class Telling(package.loggers.CSVLogger):
        def log_metrics(self, metrics, step=None):
            told.extend(metrics)

    loggers = [Broken(tmp_path), Telling(tmp_path)]
    watched = callback(every=1, check_every=20, on_finding=lambda finding: None)
    with pytest.warns(RuntimeWarning, match="gradcheck/vanishing could not be logged: OSError: the run is finished"):
        trainer, _ = train(package, tmp_path, watched, layers=sick(), steps=40, logger=loggers)
    assert trainer.global_step == 40
    assert "gradcheck/vanishing" in told


def test_steps_that_the_scaler_skips_are_recorded_and_no_fault(package, callback, tmp_path):
    watched = callback(every=1, check_every=1, on_finding="stop")
    trainer, _ = train(package, tmp_path, watched, amp=2.0**21)
    skipped = [not math.isfinite(float(one["grad_norm"])) for one in records(tmp_path / "gradcheck.jsonl")]
    assert skipped == sorted(skipped, reverse=True)
    assert 1 < sum(skipped) < 10
    assert trainer.global_step == 20
    assert "nonfinite" not in [one.kind for one in watched.findings]


def test_a_module_that_clips_by_itself_is_measured_before_and_after(package, callback, tmp_path):
    base = module_of(package, small())

    class Clipping(type(base)):
        def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
            RULES["norm"](self.parameters())

    base.__class__ = Clipping
    train(package, tmp_path, callback(every=1), module=base, steps=2)
    for record in records(tmp_path / "gradcheck.jsonl"):
        assert record["grad_norm_after"] == pytest.approx(0.1, rel=1e-3)
        assert record["grad_norm"] > 0.2
