# ruff: noqa: E501, UP031 - lines as programs print them
"""What programs of all kinds print while they train, and write down: the same invented run in each shape.

A shape makes the text of a run from its rows: step, loss, gradient norm. What is right for it stands beside it.
"""

import json
import math
from typing import NamedTuple

import numpy as np


class Row(NamedTuple):
    """A step of the invented run."""

    step: int
    loss: float
    norm: float


def rows(steps=60, every=10, first=None, seed=0, nan_from=math.inf, spike_at=None):
    """The rows of a healthy run, or of one that goes wrong."""
    generator = np.random.default_rng(seed)
    first = every if first is None else first
    for step in range(first, first + steps * every, every):
        bad = step >= nan_from
        norm = math.exp(0.2 * generator.standard_normal()) * (300 if step == spike_at else 1)
        loss = 0.6 + 2.4 * math.exp(-step / (steps * every / 3)) + 0.01 * generator.standard_normal()
        yield Row(step, math.nan if bad else round(loss, 4), math.nan if bad else round(norm, 4))


def lines(row_of, before="", after="", **how):
    """Text before, a line for each row, text after."""
    return before + "".join(row_of(row) + "\n" for row in rows(**how)) + after


def bar(row, total=600, more=""):
    percent = 100 * row.step // total
    return f"\r{percent:3d}%|{'#' * (percent // 10):10s}| {row.step}/{total} [00:{row.step % 60:02d}<12:00,  2.11it/s{more}]"


def trainer(row):
    return f"{bar(row)}\n{{'loss': {row.loss}, 'grad_norm': {row.norm}, 'learning_rate': 1e-05, 'epoch': {row.step / 600:.2f}}}   "


def by_epoch(row, length=200):
    """The epoch, from 1, and the step within it."""
    epoch, inside = divmod(row.step - 1, length)
    return epoch + 1, inside + 1


def megatron(row):
    loss = "" if math.isnan(row.loss) else f" lm loss: {row.loss:.6E} |"
    return (
        f" iteration {row.step:8d}/   10000 | consumed samples: {64 * row.step:12d} | elapsed time per iteration (ms): 21.4 |"
        f" learning rate: 1.470E-04 | global batch size:    64 |{loss} loss scale: 1.0 | grad norm: {row.norm:.3f} |"
        " number of skipped iterations:   0 | number of nan iterations:   0 |"
    )


def keras(row):
    shown = f"loss: {row.loss:.4f} - accuracy: 0.5938"
    within = "".join(f"\r {at}/100 [=====>........] - ETA: 9s - {shown}" for at in (1, 50))
    return f"Epoch {row.step}/60\n{within}\r100/100 [==============] - 5s 3ms/step - {shown} - val_loss: 0.9000 - val_accuracy: 0.6"


def keras_3(row):
    shown = f"accuracy: 0.5938 - loss: {row.loss:.4f}"
    within = "".join(
        f"\r\x1b[1m {at}/100\x1b[0m \x1b[32m━━━━━\x1b[0m \x1b[1m5s\x1b[0m 3ms/step - {shown}" for at in (1, 50)
    )
    return f"Epoch {row.step}/60{within}\r\x1b[1m100/100\x1b[0m ━━━━━━━━━━━ 5s 3ms/step - {shown} - val_accuracy: 0.6 - val_loss: 0.9"


def table(row, names=("time/total_timesteps", "train/loss", "train/grad_norm")):
    cells = [
        ("time/", ""),
        ("   total_timesteps", row.step),
        ("train/", ""),
        ("   grad_norm", row.norm),
        ("   loss", row.loss),
    ]
    return "\n".join(["-" * 40, *(f"| {name:20s} | {value!s:12s} |" for name, value in cells), "-" * 40])


def ranks(row):
    return "\n".join(
        f"\x1b[36m[rank{rank}]:[titan] 2031-01-02 03:04:05,338 - root - INFO - step: {row.step:2d}  loss: {row.loss:8.5f}  "
        f"grad_norm: {row.norm:.4f}  memory:  9.46GiB(64.99%)  tps: 7,282  mfu: 0.17%\x1b[0m"
        for rank in range(4)
    )


def sources(row):
    """A line of a run that prints its own source first."""
    average = "nan" if row.step < 30 else "70.21"
    return f"step:{row.step}/6200 train_loss:{row.loss:.4f} train_time:{7 * row.step}ms step_avg:{average}ms"


SOURCE = (
    "import torch\nloss = 0.5 * model(x, y)\nprint(f'step:{step} train_loss:{loss}')\nlr = 0.0036\n" + "=" * 100 + "\n"
)

#: Shape ↦ its text, of 60 steps from 10 to 600. `how` changes the run.
CONSOLES = {
    "the Trainer's, below a bar": lambda **how: lines(
        trainer, "Generating train split: 4000 examples [00:00, 91234.11 examples/s]\n",
        "{'eval_loss': 1.7, 'epoch': 1.0}\n{'train_runtime': 8.3, 'train_loss': 1.61, 'epoch': 1.0}\n", **how,
    ),
    "the Trainer's, on the bar's line": lambda **how: lines(lambda row: trainer(row).replace("\n", "").rstrip(), **how),
    "Megatron's": lambda **how: lines(
        megatron, " > number of parameters on rank (0, 0): 354871296\n",
        " validation loss at iteration 600 | lm loss value: 2.398297E+00 | lm loss PPL: 2.417918E+02 |\n", **how,
    ),
    "nanoGPT's": lambda **how: lines(
        lambda row: (f"step {row.step}: train loss 9.0000, val loss 9.1000\n" if row.step % 100 == 0 else "")
        + f"iter {row.step}: loss {row.loss:.4f}, time 1100.32ms, mfu 15.34%, norm {row.norm:.4f}", **how,
    ),
    "llm.c's": lambda **how: lines(
        lambda row: f"s:{row.step} trl:{row.loss:.4f} lr:0.000056 norm:{row.norm:.4f}", "s:0 tel:11.0100\n", **how
    ),
    "fairseq's": lambda **how: lines(
        lambda row: f"2031-01-02 03:04:05 | INFO | train_inner | epoch 001:   {row.step + 15} / 6547 loss={row.loss}, nll_loss=2.1, "
        f"ppl=9.1, wps=82565, num_updates={row.step}, lr=9e-06, gnorm={row.norm}, loss_scale=128, wall=1353",
        after='2031-01-02 03:04:05 | INFO | train | {"epoch": 1, "train_loss": "4.119", "train_num_updates": "6000"}\n', **how,
    ),
    "fairseq's, as JSON": lambda **how: lines(
        lambda row: '2031-01-02 03:04:05 | INFO | train_inner | {"epoch": 1, "update": 0.05, "loss": "%s", "num_updates": "%s", '
        '"gnorm": "%s"}' % (row.loss, row.step, row.norm), **how,
    ),
    "ESPnet's": lambda **how: lines(
        lambda row: f"[host] 2031-01-02 03:04:05,396 (trainer:793) INFO: 1epoch:train:{row.step - 9}-{row.step}batch: "
        f"iter_time=4.7e-04, loss_ctc=565.615, loss={row.loss}, grad_norm={row.norm}, clip=100.000, loss_scale=1.000", **how,
    ),
    "torchtitan's, of four ranks": lambda **how: lines(ranks, **how),
    "verl's": lambda **how: lines(
        lambda row: f"(TaskRunner pid=4242) step:{row.step} - global_seqlen/min:2780 - actor/pg_loss:np.float64({row.loss}) - "
        f"actor/grad_norm:np.float64({row.norm}) - actor/lr:1e-06", **how,
    ),
    "a tensor's": lambda **how: lines(
        lambda row: f"step {row.step} loss tensor({row.loss}, device='cuda:0', grad_fn=<NllLossBackward0>) grad_norm "
        f"tensor({row.norm}, device='cuda:0')", **how,
    ),
    "loguru's": lambda **how: lines(
        lambda row: f"2031-01-02 03:04:05.674 | INFO     | trainers.base:train_epochs:256 - [R0] | E{row.step // 15} iter[ 14/ 15] | "
        f"[Loss] {row.loss} | [Grad norm] {row.norm} | [step] {row.step:5d} | [time] 0.4m (~4h)", **how,
    ),
    "a table over several lines": lambda **how: lines(table, "Logging to runs/x\n", **how),
    "its own source first": lambda **how: lines(sources, SOURCE + "step:0/6200 val_loss:11.0000 step_avg:nanms\n", **how),
    "NeMo's bar": lambda **how: "".join(
        f"\rEpoch 0:   3%|#         | {row.step}/20101 [2:12:19<76:15:08, 14.05s/it, loss=nan, v_num=, val_loss_step=11.30, "
        f"reduced_train_loss={row.loss}, gradient_norm={row.norm}, global_step={row.step}.0, consumed_samples=2.56e+02]"
        for row in rows(**how)
    ),
    "Lightning's bar": lambda **how: "".join(
        f"\rEpoch 0:  {row.step // 6}%|#    | {row.step}/600 [00:12<00:15, 36.1it/s, v_num=3, train_loss={row.loss}, "
        f"grad_norm={row.norm}]" + ("\nValidation DataLoader 0: 100%|###| 5/5 [00:01<00:00, 5it/s]\n" if row.step % 200 == 0 else "")
        for row in rows(**how)
    ),
    "diffusers' bar": lambda **how: "".join(
        f"{bar(row, more=f', lr=1e-5, step_loss={row.loss}, grad_norm={row.norm}')}" for row in rows(**how)
    ),
    "torchtune's bar": lambda **how: "".join(
        f"\r1|{row.step}|Loss: {row.loss}: {row.step // 6}%|█▍   | {row.step}/600 [00:10<10:00,  1.00s/it]" for row in rows(**how)
    ),
    "Swin's": lambda **how: lines(
        lambda row: "[2031-01-02 03:04:05 swin_tiny] (main.py 226): INFO Train: [{}/300][{}/200]\teta 0:20:13 lr 0.000001\t wd 0.05\t"
        "time 0.5 (0.6)\tloss {} (6.95)\tgrad_norm {} (nan)\tmem 9000MB".format(*by_epoch(row), row.loss, row.norm), **how,
    ),
    "MAE's": lambda **how: lines(
        lambda row: "Epoch: [{}]  [{:4d}/200]  eta: 0:20:13  lr: 0.000001  loss: {} (6.9456)  grad_norm: {} (1.30)  time: 0.8".format(
            *by_epoch(row), row.loss, row.norm
        ), **how,
    ),
    "mmengine's": lambda **how: lines(
        lambda row: "03/04 05:06:10 - mmengine - INFO - Epoch(train) [{}][{:3d}/200]  lr: 1.9810e-04  eta: 2:46:39  time: 2.8906  "
        "loss: {}  loss_cls: 0.41  grad_norm: {}".format(*by_epoch(row), row.loss, row.norm),
        after="03/04 05:07:00 - mmengine - INFO - Epoch(val) [3][50/50]    coco/bbox_mAP: 0.31  time: 0.2\n", **how,
    ),
    "PyTorch's ImageNet example": lambda **how: lines(
        lambda row: "Epoch: [{}][ {:3d}/200]\tTime  0.5 ( 2.3)\tData  0.0 ( 1.8)\tLoss {:.4e} (7.0e+00)\tAcc@1   0.00 (  0.1)".format(
            *by_epoch(row), row.loss
        ) + ("\nTest: [  0/98]\tTime  1.1 ( 1.1)\tLoss 3.1e+00 (3.1e+00)\tAcc@1  31.25" if row.step % 200 == 0 else ""), **how,
    ),
    "PyTorch's MNIST example": lambda **how: lines(
        lambda row: "Train Epoch: {} [{}/200 (1%)]\tLoss: {}".format(*by_epoch(row), row.loss)
        + ("\nTest set: Average loss: 0.0500, Accuracy: 9827/10000 (98%)\n" if row.step % 200 == 0 else ""), **how,
    ),
    "two counters in brackets": lambda **how: lines(
        lambda row: "[{}/25][{}/200] Loss_D: {} Loss_G: {}".format(*by_epoch(row), row.loss, row.loss), **how
    ),
    "Keras's words": lambda **how: lines(lambda row: "Epoch {} Batch {} Loss {}".format(*by_epoch(row), row.loss), **how),
    "a tutorial's": lambda **how: lines(
        lambda row: "Epoch [{}/3], Step [{}/200], Loss: {:.4f}".format(*by_epoch(row), row.loss), **how
    ),
    "detectron2's": lambda **how: lines(
        lambda row: f"[01/02 03:04:05 d2.utils.events]:  eta: 0:45:12  iter: {row.step}  total_loss: {row.loss}  loss_cls: 0.8  "
        "loss_box_reg: 0.3  time: 0.3156  lr: 0.0001  max_mem: 2345M", **how,
    ),
    "OLMo's": lambda **how: lines(
        lambda row: f"[2031-01-02 03:04:05] INFO [olmo.train:967, rank=0] [step={row.step}/739328,epoch=0]\n    optim/total_grad_norm="
        f"{row.norm}\n    train/CrossEntropyLoss={row.loss}\n    train/Perplexity=9,000", **how,
    ),
    "Composer's": lambda **how: lines(
        lambda row: f"[epoch=1][step={row.step}/1000]:\n\t Train time/batch: 9\n\t Train loss/train/total: {row.loss}\n"
        f"\t Train l2_norm/grad/global: {row.norm}", **how,
    ),
    "OpenNMT's": lambda **how: lines(
        lambda row: f"[2031-01-02 03:04:05,000 INFO] Step {row.step}/10000; acc: 3.2; ppl: 8000; xent: {row.loss}; lr: 0.00001", **how
    ),
    "TensorFlow's": lambda **how: lines(lambda row: f"INFO:tensorflow:loss = {row.loss}, step = {row.step} (0.5 sec)", **how),
    "MaxText's": lambda **how: lines(
        lambda row: f"completed step: {row.step}, seconds: 1.2, TFLOP/s/device: 100.0, total_weights: 8192, loss: {row.loss}", **how
    ),
    "LitGPT's": lambda **how: lines(
        lambda row: f"Epoch 1 | iter {4 * row.step} step {row.step} | loss train: {row.loss}, val: n/a | iter time: 300.12 ms (step)", **how
    ),
    "nanochat's": lambda **how: lines(
        lambda row: f"step {row.step:05d}/05000 (0.20%) | loss: {row.loss:.6f} | grad norm: {row.norm} | lrm: 1.00 | dt: 300.12ms | "
        "tok/sec: 100,000 | mfu: 30.12", **how,
    ),
    "GPT-NeoX's": lambda **how: lines(
        lambda row: f" samples/sec: 20.113 | iteration {row.step:8d}/  320000 | elapsed time per iteration (ms): 500.1 | learning rate: "
        f"1.0E-04 | approx flops per GPU: 50.1TFLOPS | lm_loss: {row.loss:.6E} | loss scale: 65536.0 | number of skipped iterations:   0 |",
        **how,
    ),
    "logfmt": lambda **how: lines(
        lambda row: f'time=2031-01-02T03:04:05Z level=info msg="train" step={row.step} loss={row.loss} grad_norm={row.norm}', **how
    ),
    "logging's": lambda **how: lines(lambda row: f"INFO:root:step={row.step} loss={row.loss} grad_norm={row.norm}", **how),
    "JSON after a prefix": lambda **how: lines(
        lambda row: 'INFO:train:{"step": %d, "loss": %s, "grad_norm": %s}' % row, **how
    ),
    "JSON among text": lambda **how: lines(
        lambda row: f"saving\nstill running\nwaiting\n{json.dumps({'step': row.step, 'loss': row.loss, 'grad_norm': row.norm})}", **how
    ),
    "a dict over several lines": lambda **how: lines(
        lambda row: f"{{'step': {row.step},\n 'loss': {row.loss},\n 'grad_norm': {row.norm}}}", **how
    ),
    "full-width colons": lambda **how: lines(lambda row: f"step：{row.step}，loss：{row.loss}，grad_norm：{row.norm}", **how),
    "a header and columns": lambda **how: lines(
        lambda row: f"{row.step:<9d} {row.loss:<11f} 0.412345    {row.norm:<9f}  00:12",
        "step      train_loss  valid_loss  grad_norm  time\n", **how,
    ),
    "a table in Markdown": lambda **how: lines(
        lambda row: f"| {row.step} | {row.loss} | {row.norm} |", "| step | train loss | grad norm |\n|---|---|---|\n", **how
    ),
    "four ranks without their names": lambda **how: lines(
        lambda row: "\n".join(4 * [f"step {row.step} loss {row.loss} grad norm {row.norm}"]), **how
    ),
    "training and validation on a line": lambda **how: lines(
        lambda row: f"step {row.step} | train: loss {row.loss} acc 0.5 | val: loss 9.1 acc 0.4", **how
    ),
    "thousands": lambda **how: lines(lambda row: f"Step {row.step:,}, loss: {row.loss}, tokens: {1000 * row.step:,}", **how),
}  # fmt: skip

#: Shape ↦ its text, of 60 epochs from 1 on.
EPOCHS = {
    "Keras's": lambda **how: lines(keras, every=1, **how),
    "Keras 3's": lambda **how: lines(keras_3, every=1, **how),
    "a print each epoch": lambda **how: lines(lambda row: f"epoch: {row.step} loss: {row.loss}", every=1, **how),
    "a line with the epoch above": lambda **how: lines(
        lambda row: f"Epoch {row.step}/60\n----------\ntrain Loss: {row.loss} Acc: 0.5\nval Loss: 1.2345 Acc: 0.4\n", every=1, **how
    ),
    "an epoch of Ultralytics": lambda **how: lines(
        lambda row: f"\n      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size\n"
        f"      {row.step}/60      2.1G      {row.loss}      {row.loss}      {row.loss}         30        640: 100%|####| 10/10 [00:01<00:00]",
        every=1, **how,
    ),
}  # fmt: skip
