"""How single programs print their rows: ranks, objectives, steps behind names, summaries of epochs, parts of a loss."""

import math

import pytest


def falling(count=30, first=4.0, last=1.0):
    return [round(last + (first - last) * math.exp(-4 * row / count), 4) for row in range(count)]


def test_of_ranks_that_name_themselves_the_first_one_counts(told):
    lines = [
        f"DEBUG TRAIN Batch 4/{100 * row} loss {loss + rank:.4f} loss_ctc {loss + 5:.4f} lr 0.0003 rank {rank}"
        for row, loss in enumerate(falling())
        for rank in (2, 0, 1)
    ]
    report = told(*lines)
    assert (report.log.rows, report.log.last_step) == (30, 2900)
    assert report.curves.loss.value == pytest.approx([loss + 2 for loss in falling()])


def test_of_another_rank_a_row_that_is_not_finite_counts_too(told):
    rows = [
        f"step {row} loss {'nan' if (row, rank) == (20, 1) else loss} rank {rank}"
        for row, loss in enumerate(falling())
        for rank in (0, 1)
    ]
    assert told(*rows).verdict.first_step == 20


def test_a_rank_that_is_no_process_leaves_all_rows(told):
    assert told(*(f"step {row} loss {loss} lora_rank 8" for row, loss in enumerate(falling()))).log.rows == 30


OBJECTIVES = {
    "nnet3": "LOG (nnet3-train[5.5.100~1-d66be]:Print():nnet-training.cc:299) Average objective function for 'output' "
    "for minibatches {first}-{last} is {value} over 1280 frames.",
    "chain": "log/compute_prob_train.{first}.log:LOG (nnet3-chain-compute-prob[5.5]:Print():diagnostics.cc:194) "
    "Overall log-probability for 'output' is {value} per frame, over 18230 frames.",
    "eesen": "VLOG[1](train-ctc-parallel:Eval():ctc-loss.cc:182) After {last} sequences (0.{first}Hr): Obj(log[Pzx]) = "
    "{value}   TokenAcc = 59.2475%",
}


@pytest.mark.parametrize("line", OBJECTIVES.values(), ids=OBJECTIVES)
def test_what_kaldi_maximises_is_judged_by_its_negative(line, told):
    lines = [line.format(first=10 * row, last=10 * row + 9, value=-loss) for row, loss in enumerate(falling())]
    report = told(*lines)
    assert report.curves.loss.value == pytest.approx(falling())
    assert report.verdict.status == "healthy"


def test_an_objective_of_minibatches_has_their_first_as_its_step(told):
    line = OBJECTIVES["nnet3"]
    lines = [line.format(first=10 * row, last=10 * row + 9, value=-loss) for row, loss in enumerate(falling())]
    assert told(*lines, "Overall average objective function for 'output' is -1.2 over 9 frames").log.last_step == 290


def test_an_objective_beside_the_main_one_is_of_another_kind(told):
    line = OBJECTIVES["chain"]
    lines = [line.format(first=row, last=row, value=-loss) for row, loss in enumerate(falling())]
    others = [one.replace("'output'", "'output-xent'").replace("is -", "is -10") for one in lines]
    report = told(*(line for pair in zip(others, lines, strict=True) for line in pair))
    assert report.curves.loss.value == pytest.approx(falling())


def test_a_step_between_a_loss_and_its_name_is_the_step(told):
    lines = [f"Train loss {row} {loss:.6f} Grad Norm {1 + row / 90:.6f} 3.59s/it" for row, loss in enumerate(falling())]
    report = told(*lines, "Train loss 30 nan Grad Norm nan 3.5s/it")
    assert (report.verdict.status, report.verdict.first_step) == ("nonfinite", 30)
    assert report.curves.loss.value[:30] == pytest.approx(falling())


def test_a_step_with_a_fraction_is_a_time(told):
    lines = [
        f"Train Epoch: 0 [{4096 * row:>9d}/120000 (0%)] Batch (t): 1.2{row % 2} LR: 0.0001 Loss: {loss} (4.0)"
        for row, loss in enumerate(falling())
    ]
    report = told(*lines)
    assert (report.log.rows, report.log.first_step, report.log.last_step) == (30, 0, 29 * 4096)
    assert told(*(f"step: {row}.0 loss: {loss}" for row, loss in enumerate(falling()))).log.last_step == 29


def test_two_numbers_after_other_names_stay_what_they_are(told):
    report = told(*(f"step {row} loss {loss} 0.5" for row, loss in enumerate(falling())))
    assert report.curves.loss.value == pytest.approx(falling())


@pytest.mark.parametrize("spelt", ["nan", "1.#QNAN000", "-1.#IND", "1.#INF00"])
def test_a_loss_per_sample_is_a_loss_and_not_finite_in_any_spelling(spelt, told):
    values = [*falling(), spelt]
    report = told(*(f"Minibatch[ 1- 10]: TrainLossPerSample = {one}; EvalErr[0]PerSample = 0.5;" for one in values))
    assert ("loss", "TrainLossPerSample") in [(one.quantity, one.name) for one in report.log.columns]
    assert report.verdict.status == "nonfinite"


def test_a_norm_beside_the_number_of_weights_is_theirs(told):
    report = told(
        *(
            line
            for row, loss in enumerate(falling())
            for line in (f"-- Epoch {row + 1}", f"Norm: {20 + row}.04, NNZs: 4, Bias: -0.5, T: 150, Avg. loss: {loss}")
        )
    )
    assert {one.quantity for one in report.log.columns} == {"loss", "step"}
    assert report.curves.loss.value == pytest.approx(falling())


def test_a_summary_of_an_epoch_is_no_row_though_it_has_all_numbers(told):
    rows = [
        f"| epoch 001:  {row:5d} / 1975 loss={loss}, num_updates={row}, gnorm=1.4" for row, loss in enumerate(falling())
    ]
    assert told(*rows[:20], "| epoch 001 | loss 9.9 | num_updates 1975 | gnorm 1.4", *rows[20:]).log.rows == 30


def test_a_number_with_its_mean_in_brackets_stands_on_a_line_of_its_own(told):
    lines = [
        line
        for row, loss in enumerate(falling())
        for line in (
            f"    --> STEP: {row}/377 -- GLOBAL_STEP: {3000 + 25 * row}",
            f"      | > loss: {loss}  (2.51074)",
            f"      | > grad_norm: {1 + row / 90:.4f}  (36.29088)",
            "      | > step_time: 0.55960  (0.62170)",
            " ",
        )
    ]
    report = told(*lines)
    assert (report.log.rows, report.log.first_step, report.log.last_step) == (30, 3000, 3725)
    assert report.curves.loss.value == pytest.approx(falling())
    assert report.curves.grad_norm.value[0] == 1


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_a_part_of_a_finite_loss_that_is_not_finite_is_a_note(value, told):
    lines = [
        f"({rank}/2) rank {rank} Epoch 1, batch {50 * row}, loss[loss={loss}, simple_loss=0.3, "
        f"pruned_loss={value if row >= 20 else 0.7}, over 9 frames.], tot_loss[loss={loss}, pruned_loss=0.8]"
        for row, loss in enumerate(falling())
        for rank in range(2)
    ]
    (found,) = told(*lines).findings
    assert (found.kind, found.severity, found.first_step) == ("nonfinite", "note", 1000)
    assert found.message.startswith(f"pruned_loss, a part of the loss, is {'infinite' if value == 'inf' else 'not a'}")
    assert "in 10 rows" in found.message
