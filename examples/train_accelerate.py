"""A sick model in a loop of one's own with Accelerate: the recorder finds that its first layers learn nothing."""

import torch
from accelerate import Accelerator
from torch import nn

from gradcheck.accelerate import Recorder

torch.manual_seed(0)
accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
hidden = (part for _ in range(10) for part in (nn.Linear(16, 16), nn.Sigmoid()))
model = nn.Sequential(*hidden, nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model, optimizer = accelerator.prepare(model, optimizer)
inputs = torch.randn(512, 16)
labels = inputs[:, :3].argmax(1)

with Recorder(accelerator, model, "accelerate.jsonl", every=1, on_finding="stop", overwrite=True) as recorder:
    for _ in range(400):
        rows = torch.randint(512, (8,))
        with accelerator.accumulate(model):
            loss = nn.functional.cross_entropy(model(inputs[rows]), labels[rows])
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        recorder.step(loss)
        if recorder.should_stop:
            break
print(f"stopped at step {recorder.number}: {recorder.findings[0].message}")
