from gradcheck.logs.columns import ALIASES, Column, chosen, meaning

MEANINGS = {
    "loss": Column("loss"),
    "train/loss": Column("loss"),
    "train_loss": Column("loss"),
    "Training Loss": Column("loss"),
    "learning_rate": Column("lr"),
    "train/learning_rate": Column("lr"),
    "global_step": Column("step"),
    "trainer/global_step": Column("step"),
    "_step": Column("step"),
    "Iteration": Column("step"),
    "epoch": Column("epoch"),
    "grad-norm": Column("grad_norm"),
    "gradient_norm": Column("grad_norm"),
    "train/grad_norm": Column("grad_norm"),
    "grad_2.0_norm_total": Column("grad_norm"),
    "grad_norm/fc1.weight": Column("grad_norm", "fc1.weight"),
    "grad_2.0_norm/fc1.weight": Column("grad_norm", "fc1.weight"),
    "train/grad-norm/encoder/fc1": Column("grad_norm", "encoder/fc1"),
    "fc1.weight/grad_norm": Column("grad_norm", "fc1.weight"),
    "update_ratio/fc1": Column("update_ratio", "fc1"),
    "max_grad_norm": Column("max_norm"),
    "grad_norm/total": Column("grad_norm"),
    "Gradients/norm": Column("grad_norm"),
    "Loss/train": Column("loss"),
    "loss/train/total": Column("loss"),
    "gN": Column("grad_norm"),
    "grdn": Column("grad_norm"),
    "Negative loglikelihood": Column("loss"),
    "neg log likelihood per token": Column("loss"),
    "l2_grads": Column("grad_norm"),
    "tot_loss": Column("loss"),
    "l2_norm/grad/global": Column("grad_norm"),
    "l2_norm/grad/model.fc1.weight": Column("grad_norm", "model.fc1.weight"),
    "Train/Samples/train_loss": Column("loss"),
    "loss_metrics/global_avg_loss": Column("loss"),
    "lm loss": Column("loss"),
    "current_steps": Column("step"),
    "it": Column("step"),
    "||grad||": Column("grad_norm"),
    "|g|": Column("grad_norm"),
    "train.grad_norm": Column("grad_norm"),
    "grad_norm.fc1.weight": Column("grad_norm", "fc1.weight"),
    "fc1.weight.grad_norm": Column("grad_norm", "fc1.weight"),
    "calm-sea-7 - train/grad_norm": Column("grad_norm"),
    "calm-sea-7 - train/grad_norm__MIN": None,
    "lm loss vs samples": None,
    "val.loss": None,
    "loss/val": None,
    ".": None,
    "eval_loss": None,
    "val/loss": None,
    "loss/aux": None,
    "train/entropy_loss": None,
    "train/cross_entropy_loss": Column("loss"),
    "fc1/loss": None,
    "time": Column("time"),
    "seed": Column("run", "seed"),
    "": None,
    "//": None,
    "x" * 600 + "/grad_norm": None,
}


def test_a_column_is_known_by_its_usual_names():
    assert {name: meaning(name) for name in MEANINGS} == MEANINGS


def test_every_quantity_is_known_by_its_own_name():
    of_runs = {"run": "run"}  # several columns tell runs apart together
    assert [meaning(quantity) for quantity in ALIASES] == [Column(one, of_runs.get(one, "")) for one in ALIASES]


def test_no_name_means_two_quantities():
    every = [alias for aliases in ALIASES.values() for alias in aliases.split()]
    assert len(every) == len(set(every))


def test_of_two_names_for_one_column_the_more_usual_is_taken():
    assert chosen(["train_loss", "loss", "iteration", "step"]) == {Column("loss"): "loss", Column("step"): "step"}


def test_columns_stay_in_the_log_s_order():
    assert list(chosen(["grad_norm/b", "loss", "grad_norm/a"])) == [
        Column("grad_norm", "b"), Column("loss"), Column("grad_norm", "a"),
    ]  # fmt: skip


def test_a_finding_that_a_callback_logged_is_no_measurement():
    assert meaning("gradcheck/update-ratio") is None
    assert meaning("train/gradcheck/spikes") is None
    assert meaning("/") is None
