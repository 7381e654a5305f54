"""Source code among the lines of a console."""

import pytest

from gradcheck.errors import InputError

CODE = [
    "import numpy as np",
    "reg = 0.5 * np.linalg.norm(x) ** 2",
    "loss = F.cross_entropy(logits, y, label_smoothing=0.1)",
    "loss = None",
    "best_loss = float('inf')",
    "total_loss += loss.item() / 4",
    "torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)",
    "self.loss = 0.0",
    'print(f"step {step}: loss {loss:.3f}, grad norm {norm:.2f}")',
    "print('loss = %.3f, step %d' % (loss, 10))",
    "return 0.5 * loss / 2",
]

BLOCK = [
    "def train(model, rate=0.1):",
    "    loss = 0.0",
    "",
    "    for step in range(100):",
    "        grad_norm = 1.0",
    "    if step > 10:  # late",
    "        train_loss = 2.5",
    "    return train_loss",
]

ROWS = [f"step {step} loss {2 - step / 10:.1f}" for step in range(4)]


@pytest.mark.parametrize("lines", [[one] for one in CODE] + [CODE, BLOCK])
def test_code_makes_no_rows(lines, told):
    with pytest.raises(InputError):
        told("some words", *lines)
    log = told(*ROWS[:2], *lines, *ROWS[2:]).log
    assert (log.rows, log.rows_found) == (4, 4)


@pytest.mark.parametrize(
    "lines",
    [
        ["grad_norm = 0.0", "for p in model.parameters():", "    grad_norm += 1.0", "grad_norm = grad_norm ** 0.5"],
        ["import torch", "total_loss = 0.", "grad_norm = 0  # of all", "n = 0", "for x in batches:", "    pass"],
        ["optimizer.zero_grad()", "loss = 0"],
    ],
)
def test_a_sum_that_begins_beside_code_is_no_row(lines, told):
    log = told(*lines, *ROWS[:2], *lines, *ROWS[2:]).log
    assert (log.rows, log.rows_found) == (4, 4)


def test_a_loss_that_falls_to_zero_on_a_line_of_its_own_stays_a_row(told):
    lines = [line for step in range(4) for line in (f"step = {step}", f"loss = {max(0.0, 2 - step)}")]
    assert told(*lines).curves.loss.value == (2.0, 1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "line",
    [
        "step {} loss = tensor({}, grad_fn=<NllLossBackward0>)",
        "step = {}, loss = {}",
        "[trainer.train()] step {} loss {}",
        "for step {} in this run: loss {}",
        "Metrics(step={}, loss={}, accuracy=0.5)",
        "if you ask: step {}, loss: {}",
        "step {} loss=jnp.array({}, dtype=float32)",
    ],
)
def test_rows_that_look_like_code_are_rows(line, told):
    log = told(*(line.format(step, 2 - step / 10) for step in range(4))).log
    assert (log.rows, log.first_step, log.last_step) == (4, 0, 3)


def test_rows_below_a_sentence_with_a_colon_are_rows(told):
    for words in ("if i use another rate i get this:", "While it trains:", "for the first epochs in the log:"):
        assert told(words, *(f"    {row}" for row in ROWS)).log.rows == 4


def test_what_follows_a_block_with_less_indentation_is_read(told):
    assert told(*BLOCK, *ROWS).log.rows_found == 4
