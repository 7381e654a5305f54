#!/bin/sh
# transformers.Trainer with gradient_accumulation_steps=8: BERT's and other heads get a gradient 8 times too large.
#
# transformers 5.24.0 (PyTorch 2.13.0). The Trainer divides the loss by the number of steps that it accumulates,
# unless the model's forward takes **kwargs: such a model is expected to divide by num_items_in_batch, which is handed
# to it. The heads for sequences, for tokens and for masked tokens take **kwargs and leave that number alone. Their
# loss is the mean over a micro-batch, and what is descended on, and logged, is the sum of 8 means. LlamaForCausalLM
# does divide. A model of one's own, whose forward(..., **kwargs) returns a mean, is in the same position as BERT.
#
# Adam hides it from the weights, but not from clipping: max_grad_norm=1.0, the default, now cuts gradients that are
# below it, and the logged grad_norm and loss of runs with other accumulation can't be compared. SGD's steps are 8
# times as large. Cure: trainer.model_accepts_loss_kwargs = False before training.
#
# Known upstream: issue 47688 of transformers (open).
#
# Seen: loss and grad_norm of one update, eight examples in one batch, and one by one with 8 steps:
#   BertForSequenceClassification   0.69 0.17   5.55 1.38   (with the cure 0.69 0.17 in both)
#   BertForTokenClassification      0.71 0.92   5.69 7.39
#   BertForMaskedLM                 3.96 1.40   31.7 11.2
#   LlamaForSequenceClassification  0.70 2.13   5.64 17.0
#   Own, forward(..., **kwargs)     0.69 0.37   5.49 2.98
#   LlamaForCausalLM                3.92 0.92   3.92 0.92
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch==2.13.0 numpy==2.4.6 transformers==5.24.0 accelerate==1.15.0
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
import transformers
from torch import nn
from transformers import BertConfig, LlamaConfig, PrinterCallback, Trainer, TrainingArguments

SIZES = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50,
    "pad_token_id": 0,
}
BERT = BertConfig(**SIZES, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
LLAMA = LlamaConfig(**SIZES)
torch.manual_seed(0)
TOKENS = torch.randint(5, 50, (8, 12))
LABELS = {"sequence": torch.arange(8) % 2, "token": torch.arange(96).reshape(8, 12) % 2, "language": TOKENS}


class Own(nn.Module):
    """A classifier of one's own."""

    def __init__(self, config):
        super().__init__()
        self.embedding, self.readout = nn.Embedding(config.vocab_size, 32), nn.Linear(32, 2)

    def forward(self, input_ids, labels, **kwargs):
        logits = self.readout(self.embedding(input_ids).mean(1))
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def first_log(name, config, labels, steps, accepts=None):
    """Return loss and gradient norm of one update on eight examples."""
    torch.manual_seed(0)
    arguments = TrainingArguments(
        "run", max_steps=1, logging_steps=1, per_device_train_batch_size=8 // steps, gradient_accumulation_steps=steps,
        report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True,
    )
    data = [{"input_ids": ids, "labels": label} for ids, label in zip(TOKENS, LABELS[labels], strict=True)]
    trainer = Trainer((Own if name == "Own" else getattr(transformers, name))(config), arguments, train_dataset=data)
    trainer.remove_callback(PrinterCallback)
    if accepts is not None:
        trainer.model_accepts_loss_kwargs = accepts
    trainer.train()
    row = trainer.state.log_history[0]
    return torch.tensor([row["loss"], row["grad_norm"]])


def grown(name, config, labels, accepts=None):
    """Return how many times loss and gradient norm are as large with eight steps as with one."""
    one, eight = first_log(name, config, labels, 1, accepts), first_log(name, config, labels, 8, accepts)
    print(f"{name}: loss {one[0]:.3g} and {eight[0]:.3g}, grad_norm {one[1]:.3g} and {eight[1]:.3g}")
    return eight / one


eight = torch.tensor([8.0, 8.0])
for name, config, labels in (
    ("BertForSequenceClassification", BERT, "sequence"), ("BertForTokenClassification", BERT, "token"),
    ("BertForMaskedLM", BERT, "language"), ("LlamaForSequenceClassification", LLAMA, "sequence"),
    ("Own", BERT, "sequence"),
):
    assert torch.allclose(grown(name, config, labels), eight, rtol=1e-3)
assert torch.allclose(grown("LlamaForCausalLM", LLAMA, "language"), eight / 8, rtol=1e-3)
print("with model_accepts_loss_kwargs = False:")
assert torch.allclose(grown("BertForSequenceClassification", BERT, "sequence", accepts=False), eight / 8, rtol=1e-3)
PYTHON
