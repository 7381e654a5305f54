"""A sick model under transformers.Trainer: the callback finds that its first layers learn nothing, and stops."""

import torch
from torch import nn
from transformers import Trainer, TrainingArguments

from gradcheck.huggingface import GradientCallback


class TenSigmoids(nn.Module):
    """A network whose gradient shrinks in each layer."""

    def __init__(self):
        super().__init__()
        hidden = (part for _ in range(10) for part in (nn.Linear(16, 16), nn.Sigmoid()))
        self.layers = nn.Sequential(*hidden, nn.Linear(16, 3))

    def forward(self, inputs, labels):
        logits = self.layers(inputs)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


torch.manual_seed(0)
inputs = torch.randn(512, 16)
data = [{"inputs": row, "labels": row[:3].argmax()} for row in inputs]
arguments = TrainingArguments("transformers-run", max_steps=200, report_to=[], save_strategy="no", use_cpu=True)
watch = GradientCallback(every=1, on_finding="stop", overwrite=True)
trainer = Trainer(TenSigmoids(), arguments, train_dataset=data, callbacks=[watch])
trainer.train()
print(f"stopped after {trainer.state.global_step} steps: {watch.findings[0].message}")
