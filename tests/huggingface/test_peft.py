"""Adapters by PEFT beside frozen weights, with re-entrant checkpointing: the callback, and ``probe``."""

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

from torch.utils.data import SequentialSampler  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments  # noqa: E402

from gradcheck.huggingface import GradientCallback  # noqa: E402
from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

STEPS, BATCH, LIMIT, RATE = 8, 4, 0.05, 0.05
TOKENS = torch.randint(0, 64, (STEPS * BATCH, 12), generator=torch.Generator().manual_seed(2))


class InOrder(Trainer):
    """Takes the rows as they come: a loop of one's own can do the same."""

    def _get_train_sampler(self, *_):
        return SequentialSampler(TOKENS)


def adapted():
    """A small Llama with adapters beside its queries and values; one factor of each is zero."""
    torch.manual_seed(0)
    sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 32, "use_cache": False}
    settings = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    return peft.get_peft_model(LlamaForCausalLM(LlamaConfig(**sizes, **heads)), settings)


def trained_by_hand():
    """The model, and of each step its loss, the norms of all adapters' gradients, and that of all together."""
    model, steps = adapted().train(), []
    adapters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(adapters, lr=RATE)
    for rows in TOKENS.split(BATCH):
        optimizer.zero_grad()
        loss = model(input_ids=rows, labels=rows).loss
        loss.backward()
        norms = [parameter.grad.norm().item() for parameter in adapters]
        steps.append((loss.item(), norms, torch.nn.utils.clip_grad_norm_(adapters, LIMIT).item()))
        optimizer.step()
    return model, steps


def test_adapters_beside_reentrant_checkpoints_are_recorded_as_in_a_loop_of_one_s_own(tmp_path):
    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=STEPS, per_device_train_batch_size=BATCH, report_to=[], save_strategy="no",
        disable_tqdm=True, use_cpu=True, learning_rate=RATE, optim="sgd", lr_scheduler_type="constant",
        max_grad_norm=LIMIT, gradient_checkpointing=True, gradient_checkpointing_kwargs={"use_reentrant": True},
    )  # fmt: skip
    callback = GradientCallback(every=1, activations=True)
    data = [{"input_ids": row, "labels": row} for row in TOKENS]
    trainer = InOrder(adapted(), arguments, train_dataset=data, callbacks=[callback])
    trainer.train()
    header, *records = map(json.loads, (tmp_path / "gradcheck.jsonl").read_text().splitlines())
    model, steps = trained_by_hand()
    assert header["layers"] == [name for name, one in model.named_parameters() if one.requires_grad]
    for record, (loss, norms, whole) in zip(records, steps, strict=True):
        assert [record["loss"], record["grad_norm"]] == pytest.approx([loss, whole], rel=1e-5)
        assert record["layers"]["grad_norm"] == pytest.approx(norms, rel=1e-5)
        assert None not in record["layers"]["activation_rms"]
    assert {finding.kind for finding in callback.findings} <= {"not-learning", "always-clipped"}  # the tokens are noise
    for one, other in zip(trainer.model.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("reentrant", [True, None])
def test_adapters_whose_second_factor_is_zero_are_healthy(reentrant):
    model = adapted()
    if reentrant:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": True})
    report = probe(model.train(), {"input_ids": TOKENS[:4], "labels": TOKENS[:4]})
    assert report.verdict.status == "healthy"
    assert sum("lora_" in layer.name for layer in report.layers) == 12
