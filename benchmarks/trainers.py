"""What a callback costs in a real trainer: a training with it beside the same one without, see README.md.

Run it as ``python benchmarks/trainers.py lightning [--runs 7] [--threads N] [--every 1] [--steps 300]``.

The network and the batch are the small ones of ``recorder.py``. A run is a whole training, its beginning and its end,
with the diagnoses on the way; times are for one step of it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from pathlib import Path
from statistics import median

from speed import Task, alternate, positive, prepare_environment, print_table, ratios, set_threads, stopwatch

DEPTH, WIDTH, BATCH, CLASSES = 20, 128, 64, 10


def main() -> None:
    """Print one line."""
    options = parser().parse_args()
    prepare_environment()
    set_threads(options.threads)
    warnings.simplefilter("ignore")
    fit = {
        "transformers": transformers_fit,
        "lightning": lightning_fit,
        "accelerate": accelerate_fit,
        "keras": keras_fit,
    }
    with tempfile.TemporaryDirectory() as folder:
        tasks: dict[str, Task] = {
            "recorded": lambda: fit[options.trainer](Path(folder), options.steps, options.every),
            "plain": lambda: fit[options.trainer](Path(folder), options.steps, None),
        }
        times = alternate(tasks, options.runs, lambda task: stopwatch(task) / options.steps)
    milliseconds = [f"{1e3 * median(each):.2f}" for each in times.values()]
    title = f"every {options.every}, {options.runs} runs of {options.steps} steps, threads: {options.threads}"
    row = [options.trainer, *milliseconds, *ratios(*times.values())]
    print_table([title, "recorded, ms", "plain, ms", "recorded / plain", "median of pairs"], [row])


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="what a callback costs in a real trainer")
    parser.add_argument("trainer", choices=["transformers", "lightning", "accelerate", "keras"])
    parser.add_argument("--runs", type=positive, default=7, metavar="N", help="of each (7)")
    parser.add_argument("--every", type=positive, default=1, metavar="N", help="steps from one record to the next (1)")
    parser.add_argument("--steps", type=positive, default=300, metavar="N", help="of a run (300)")
    parser.add_argument("--threads", type=positive, default=os.cpu_count() or 1, metavar="N", help="(all cores)")
    return parser


def network() -> object:
    """Return the network, always with the same weights."""
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    hidden = [module for _ in range(DEPTH) for module in (nn.Linear(WIDTH, WIDTH), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(WIDTH, CLASSES))


def transformers_fit(folder: Path, steps: int, every: int | None) -> None:
    """Train with transformers.Trainer."""
    import torch
    from torch import nn
    from transformers import PrinterCallback, Trainer, TrainingArguments

    from gradcheck.huggingface import GradientCallback

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = network()

        def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"loss": nn.functional.cross_entropy(self.layers(inputs), labels)}

    data = [{"inputs": row, "labels": row[:CLASSES].argmax()} for row in torch.randn(1024, WIDTH)]
    arguments = TrainingArguments(
        str(folder), max_steps=steps, per_device_train_batch_size=BATCH, report_to=[], save_strategy="no", use_cpu=True,
        disable_tqdm=True, optim="sgd", learning_rate=1e-3, logging_strategy="no",
    )  # fmt: skip
    callbacks = [] if every is None else [GradientCallback(every=every, overwrite=True)]
    trainer = Trainer(Model(), arguments, train_dataset=data, callbacks=callbacks)
    trainer.remove_callback(PrinterCallback)  # it takes the place of the progress bar
    trainer.train()


def lightning_fit(folder: Path, steps: int, every: int | None) -> None:
    """Train with Lightning."""
    import logging

    import lightning
    import torch
    from torch.nn.functional import cross_entropy
    from torch.utils.data import DataLoader, TensorDataset

    from gradcheck.lightning import GradientCallback

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Model(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layers = network()

        def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
            return cross_entropy(self.layers(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=1e-3, momentum=0.9)

    inputs = torch.randn(1024, WIDTH)
    callbacks = [] if every is None else [GradientCallback(every=every, overwrite=True)]
    trainer = lightning.Trainer(
        default_root_dir=folder, max_steps=steps, accelerator="cpu", devices=1, logger=False, callbacks=callbacks,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Model(), DataLoader(TensorDataset(inputs, inputs[:, :CLASSES].argmax(1)), batch_size=BATCH))


def accelerate_fit(folder: Path, steps: int, every: int | None) -> None:
    """Train with Accelerate in a loop."""
    import torch
    from accelerate import Accelerator

    from gradcheck.accelerate import Recorder

    accelerator, model = Accelerator(cpu=True), network()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    model, optimizer = accelerator.prepare(model, optimizer)
    inputs = torch.randn(BATCH, WIDTH)
    labels = inputs[:, :CLASSES].argmax(1)
    recorder = None if every is None else Recorder(accelerator, model, folder / "a", every=every, overwrite=True)
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(model(inputs), labels)
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        if recorder is not None:
            recorder.step(loss)
    if recorder is not None:
        recorder.close()


def keras_fit(folder: Path, steps: int, every: int | None) -> None:
    """Train with Keras; the environment variable KERAS_BACKEND says with what below."""
    import keras
    import numpy as np

    from gradcheck.keras import GradientCallback

    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(WIDTH, "relu") for _ in range(DEPTH)]
    model = keras.Sequential([keras.layers.Input((WIDTH,)), *hidden, keras.layers.Dense(CLASSES, "softmax")])
    model.compile(keras.optimizers.SGD(1e-3, momentum=0.9), "sparse_categorical_crossentropy")
    inputs = np.random.default_rng(0).normal(size=(BATCH * steps, WIDTH)).astype("float32")
    callbacks = [] if every is None else [GradientCallback(folder / "k", every=every, overwrite=True)]
    model.fit(inputs, inputs[:, :CLASSES].argmax(1), batch_size=BATCH, verbose=0, callbacks=callbacks)


if __name__ == "__main__":
    main()
