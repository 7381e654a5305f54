"""A training loop with the recorder: ``python train.py``, then ``gradcheck diagnose run.jsonl``."""

import torch
from models import healthy
from torch import nn

import gradcheck

torch.manual_seed(0)
model = healthy()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
criterion = nn.CrossEntropyLoss()
inputs = torch.randn(512, 32)
targets = inputs[:, :10].argmax(dim=1)

with gradcheck.torch.Recorder(model, "run.jsonl", every=1, overwrite=True) as recorder:
    for _ in range(120):
        chosen = torch.randint(512, (64,))
        optimizer.zero_grad()
        loss = criterion(model(inputs[chosen]), targets[chosen])
        loss.backward()
        recorder.clip_grad_norm_(3.0)  # in place of torch.nn.utils.clip_grad_norm_, and its effect is recorded
        optimizer.step()
        recorder.step(loss)
print("120 steps are recorded; what they show: gradcheck diagnose run.jsonl")
