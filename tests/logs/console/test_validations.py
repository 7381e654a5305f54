"""What a console says of a validation: it is named, and never judged."""

import pytest

STEPS = range(30)


def at(step, length=10):
    """Return the bar of an epoch as it stands after so many steps."""
    return f"{100 * step // length:3d}%|{'#' * step:<{length}}| {step}/{length} [00:01<00:09,  9.31it/s]"


def loss(step):
    return round(0.7 - step / 100, 4)


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ("Epoch {n} train loss: {a}, val loss: {b}", ("val loss",)),
        ("epoch {n} | loss {a} | valid_loss {b} | val_acc 0.5", ("valid_loss", "val_acc")),
        ("Epoch {n} (Update {m}). Train loss: {a}, Val accuracy: 0.5, Best Epoch: 1", ("Val accuracy",)),
        ("Step {n}: train loss |  {a}\nStep {n}: eval  loss |  {b}", ("validation loss",)),
        ("step {n} loss {a}\nEvaluation on 40 batches: perplexity 4.5, loss {b}", ("validation loss",)),
        ("Epoch {n} ; Iteration {m} ; Loss {a}\nValidation perplexity: 9.5", ("Validation perplexity",)),
    ],
)
def test_a_number_of_a_validation_is_named_however_its_line_says_so(lines, names, told):
    text = (lines.format(n=n + 1, m=10 * n + 10, a=loss(n), b=loss(n) + 0.1) for n in STEPS)
    log = told(*text).log
    assert (log.rows, set(names) <= set(log.validation)) == (30, True)
    assert not {"validation Epoch", "validation epoch", "validation batches"} & set(log.validation)


def test_a_line_of_settings_names_no_number_of_a_validation(told):
    settings = "engine: val=True, split=val, translate=0.1, fliplr=0.5, val_period=1"
    assert told(settings, *(f"step {n} loss {loss(n)}" for n in STEPS)).log.validation == ()


def test_bars_of_a_validation_that_show_the_same_numbers_as_those_of_the_training_are_left_out(told):
    lines = []
    for epoch in range(3):
        lines += ["trainer - Training", *(f"acc: 0.5, loss: {loss(10 * epoch + n)} ||: {at(n)}" for n in range(1, 11))]
        lines += ["trainer - Validating", *(f"acc: 0.4, loss: 0.9 ||: {at(n, 4)}" for n in range(1, 5))]
    report = told(*lines)
    assert (report.log.rows, report.curves.loss.value[-1]) == (30, loss(30))


def test_a_bar_as_long_as_before_is_of_the_training_whatever_was_said_last(told):
    lines = []
    for epoch in range(3):
        lines += [*(f"loss: {loss(10 * epoch + n)} ||: {at(n)}" for n in range(1, 11)), "Validating: accuracy 0.4"]
    assert told(*lines).log.rows == 30


def test_the_word_training_before_the_place_of_a_bar_is_no_epoch(told):
    bars = (f"Training:  {n}%|##  | {n}/100 [00:01<00:09,  9.31it/s, loss={loss(n / 2)}]" for n in range(1, 101))
    log = told(*bars).log
    assert (log.rows, log.first_step, log.last_step) == (100, 1, 100)
