"""transformers.Trainer, a real small training: what the callback records, and what it does."""

import json
import math

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from accelerate.state import AcceleratorState, GradientState  # noqa: E402
from torch import nn  # noqa: E402
from transformers import Trainer, TrainerCallback, TrainingArguments  # noqa: E402

from gradcheck import diagnose  # noqa: E402
from gradcheck.errors import OptionError  # noqa: E402
from gradcheck.huggingface import GradientCallback  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

INPUTS = torch.randn(240, 6, generator=torch.Generator().manual_seed(1))
DATA = [{"inputs": row, "labels": torch.tensor(place % 3)} for place, row in enumerate(INPUTS)]


class Model(nn.Module):
    """As the Trainer wants it: the loss is in what it returns."""

    def __init__(self, *hidden):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(*hidden or (nn.Linear(6, 8), nn.Tanh()), nn.LazyLinear(3))
        self.layers(INPUTS)

    def forward(self, inputs, labels):
        outputs = self.layers(inputs)
        return {"loss": nn.functional.cross_entropy(outputs, labels), "logits": outputs}


def sick():
    """Ten layers of sigmoids."""
    return Model(*(part for place in range(10) for part in (nn.Linear(8 if place else 6, 8), nn.Sigmoid())))


@pytest.fixture(autouse=True)
def _no_accelerator_of_another_test():
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


def train(folder, *callbacks, model=None, steps=20, resume=None, eval_dataset=None, trainer=Trainer, **options):
    arguments = TrainingArguments(
        **{
            "output_dir": str(folder), "max_steps": steps, "per_device_train_batch_size": 4, "report_to": [],
            "save_strategy": "no", "logging_steps": 1, "disable_tqdm": True, "use_cpu": True, "learning_rate": 0.1,
            "optim": "sgd", "lr_scheduler_type": "constant",
        } | options
    )  # fmt: skip
    trainer = trainer(
        model or Model(), arguments, train_dataset=DATA, eval_dataset=eval_dataset, callbacks=list(callbacks)
    )
    trainer.train(resume_from_checkpoint=resume)
    assert "training_step" not in vars(trainer)
    assert "clip_grad_norm_" not in vars(trainer.accelerator)
    return trainer


def records(folder):
    lines = (folder / "gradcheck.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines if '"step"' in line]


@pytest.mark.parametrize("options", [{"max_grad_norm": 0.3}, {"gradient_accumulation_steps": 3}, {"max_grad_norm": 0}])
def test_steps_losses_and_norms_are_the_trainer_s_own(tmp_path, options):
    trainer = train(tmp_path, GradientCallback(every=1), **options)
    logged = [row for row in trainer.state.log_history if "grad_norm" in row]
    found = records(tmp_path)
    for name, of_trainer in (("step", "step"), ("loss", "loss"), ("grad_norm", "grad_norm"), ("lr", "learning_rate")):
        assert [one[name] for one in found] == pytest.approx([row[of_trainer] for row in logged], rel=1e-5)
    limit = options.get("max_grad_norm", 1.0)
    for record in found:
        assert record.get("max_norm") == (limit or None)
        after = math.hypot(*record["layers"].get("grad_norm_after", record["layers"]["grad_norm"]))
        assert after == pytest.approx(min(record["grad_norm"], limit or math.inf), rel=1e-4)


def test_findings_at_the_end_are_logged_while_the_trainer_s_loggers_are_open(tmp_path):
    order = []

    class Logger(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **given):
            order.extend(name for name in logs if name.startswith("gradcheck/"))

        def on_train_end(self, args, state, control, **given):
            order.append("end")

    train(tmp_path, Logger(), GradientCallback(every=1), max_grad_norm=0.1)
    assert "gradcheck/always-clipped" in order
    assert order[-1] == "end"


def test_findings_are_logged_in_time_where_another_callback_ends_the_training_after_an_evaluation(tmp_path):
    order = []

    class Logger(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **given):
            order.extend(name for name in logs if name.startswith("gradcheck/"))

        def on_train_end(self, args, state, control, **given):
            order.append("end")

    class Stopper(TrainerCallback):
        def on_evaluate(self, args, state, control, **given):
            control.should_training_stop = state.global_step == 24

    options = {"eval_strategy": "steps", "eval_steps": 8, "max_grad_norm": 0.1, "steps": 60}
    trainer = train(tmp_path, Logger(), GradientCallback(every=1), Stopper(), eval_dataset=DATA[:8], **options)
    assert trainer.state.global_step == 24
    assert order[-1] == "end"
    assert "gradcheck/always-clipped" in order
    assert "on_train_end" not in vars(trainer.callback_handler)


@pytest.mark.parametrize("options", [{}, {"gradient_accumulation_steps": 3, "max_grad_norm": 0.1}, {"bf16": True}])
def test_weights_are_the_same_to_the_last_bit(tmp_path, options):
    plain = train(tmp_path, **options).model
    recorded = train(tmp_path, GradientCallback(every=2), **options).model
    assert all(map(torch.equal, plain.parameters(), recorded.parameters()))


def test_an_error_stops_the_training_and_is_in_the_trainer_s_log(tmp_path):
    callback = GradientCallback(every=1, check_every=20, on_finding="stop")
    with pytest.warns(RuntimeWarning, match="gradcheck found vanishing: .*get less than"):
        trainer = train(tmp_path, callback, model=sick(), steps=60)
    assert trainer.state.global_step == 21
    assert any("gradcheck/vanishing" in row for row in trainer.state.log_history)
    assert callback.findings[0].kind == "vanishing"


class Scaled(Trainer):
    """Mixed precision as on a GPU, with the scaler that a processor has too; it begins far too high."""

    def create_accelerator_and_postprocess(self):
        super().create_accelerator_and_postprocess()
        self.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**21)
        self.accelerator.native_amp, self.accelerator.state._mixed_precision = True, "fp16"


def test_steps_that_the_scaler_skips_are_recorded_and_no_fault(tmp_path):
    callback = GradientCallback(every=1, check_every=1, on_finding="stop")
    trainer = train(tmp_path, callback, trainer=Scaled, gradient_accumulation_steps=2)
    found, logged = records(tmp_path), [row for row in trainer.state.log_history if "grad_norm" in row]
    skipped = [not math.isfinite(float(one["grad_norm"])) for one in found]
    assert skipped == [not math.isfinite(row["grad_norm"]) for row in logged]
    assert 1 < sum(skipped) < 10
    assert "nonfinite" not in [one.kind for one in callback.findings]
    for record, row in zip(found, logged, strict=True):
        if math.isfinite(row["grad_norm"]):
            assert record["grad_norm"] == pytest.approx(row["grad_norm"], rel=1e-4)


def test_findings_pass_by_a_log_of_the_trainer_s_own_that_takes_its_metrics_with_them(tmp_path):
    told = []

    class Averaging(Trainer):
        def log(self, logs, *values):
            told.extend(logs)
            super().log(logs, *values)

    trainer = train(tmp_path, GradientCallback(every=1), trainer=Averaging, max_grad_norm=0.1)
    assert any("gradcheck/always-clipped" in row for row in trainer.state.log_history)
    assert "loss" in told
    assert "gradcheck/always-clipped" not in told


def test_the_log_that_it_writes_has_the_same_finding(tmp_path):
    train(tmp_path, GradientCallback(every=1, on_finding=lambda finding: None), model=sick(), steps=60)
    assert diagnose(tmp_path / "gradcheck.jsonl").verdict.status == "vanishing"


def test_a_resumed_training_goes_on_in_its_log(tmp_path):
    train(tmp_path, GradientCallback(every=1), steps=4, save_strategy="steps", save_steps=2)
    callback = GradientCallback(every=1)
    train(tmp_path, callback, steps=6, resume=str(tmp_path / "checkpoint-2"))
    assert [one["step"] for one in records(tmp_path)] == [1, 2, 3, 4, 3, 4, 5, 6]


def test_a_run_that_was_interrupted_doesn_t_keep_its_log_from_the_next_one(tmp_path):
    class Interrupt(TrainerCallback):
        def on_step_end(self, args, state, control, **given):
            if state.global_step == 7:
                raise KeyboardInterrupt

    held = GradientCallback(every=1)  # as a notebook does, by the traceback
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, held, Interrupt())
    assert len(records(tmp_path)) == 7
    with pytest.warns(RuntimeWarning, match="holds an earlier run, which is kept as gradcheck.1.jsonl"):
        train(tmp_path, GradientCallback(every=1), steps=5)
    assert len(records(tmp_path)) == 5


def test_two_runs_at_once_leave_each_other_s_logs_alone(tmp_path):
    class Nested(TrainerCallback):
        def on_step_end(self, args, state, control, **given):
            if state.global_step == 3:
                train(tmp_path / "inner", GradientCallback(every=1), steps=4)

    train(tmp_path, GradientCallback(every=1), Nested(), steps=6)
    assert [len(records(folder)) for folder in (tmp_path, tmp_path / "inner")] == [6, 4]


def test_what_can_t_be_done_about_a_finding_is_refused_at_once():
    with pytest.raises(OptionError, match=r"^on_finding='halt' is none of 'warn', 'stop', or a function"):
        GradientCallback(on_finding="halt")


def test_two_callbacks_record_the_same_run_each_and_leave_nothing_behind(tmp_path):
    files = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    train(tmp_path, *(GradientCallback(file, every=1) for file in files), max_grad_norm=0.3)
    first, second = ([json.loads(line) for line in file.read_text().splitlines()] for file in files)
    assert first == second
    assert all(record["loss"] > 0 and record["max_norm"] == 0.3 for record in first if "step" in record)
