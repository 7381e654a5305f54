"""A sick model under Lightning's Trainer: the callback finds that its first layers learn nothing, and stops."""

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from gradcheck.lightning import GradientCallback


class TenSigmoids(lightning.LightningModule):
    """A network whose gradient shrinks in each layer."""

    def __init__(self):
        super().__init__()
        hidden = (part for _ in range(10) for part in (nn.Linear(16, 16), nn.Sigmoid()))
        self.layers = nn.Sequential(*hidden, nn.Linear(16, 3))

    def training_step(self, batch, batch_idx):
        inputs, labels = batch
        return nn.functional.cross_entropy(self.layers(inputs), labels)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


torch.manual_seed(0)
inputs = torch.randn(512, 16)
batches = DataLoader(TensorDataset(inputs, inputs[:, :3].argmax(1)), batch_size=8)
watch = GradientCallback("lightning.jsonl", every=1, on_finding="stop", overwrite=True)
trainer = lightning.Trainer(
    max_steps=200, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
    callbacks=[watch],
)  # fmt: skip
trainer.fit(TenSigmoids(), batches)
print(f"stopped after {trainer.global_step} steps: {watch.findings[0].message}")
