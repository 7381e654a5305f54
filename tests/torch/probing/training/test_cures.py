"""What fixes a model: tried on copies of it, and shown as the code that was run."""

from copy import deepcopy

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.diagnosis.text.advice import next_commands  # noqa: E402
from gradcheck.probing.command import with_names  # noqa: E402
from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

#: What the command line adds to a report.
NAMES = {"target": "models:build", "kwargs": None, "input": None, "batch": None}


def run(code, model):
    """Run the code of a suggestion as a user would, with `model` being theirs."""
    torch.manual_seed(0)
    exec(code, {"model": model, "nn": nn, "torch": torch})
    return model


def test_the_code_of_each_suggestion_heals_the_model_when_it_is_run(models):
    model, rows = models.mlp(depth=12, gain=0.4), models.rows()
    report = probe(model, rows, suggest=True)
    assert report.verdict.status == "vanishing"
    assert {"init", "scale", "norm"} == {name for one in report.suggestions for name in one.changes}
    for one in report.suggestions:
        healed = probe(run(one.command, deepcopy(model)), rows)
        assert healed.verdict.status == one.status == "healthy", one.changes
        assert healed.verdict.score > report.verdict.score


def test_a_chain_that_adam_alone_trains_has_changes_after_which_sgd_trains_it_too(models):
    report = probe(models.mlp(depth=10, gain=0.5), models.rows(), suggest=True)
    assert (report.verdict.status, report.verdict.causes[0].code) == ("healthy", "needs-adam")
    assert report.suggestions
    assert all(one.score > report.verdict.causes[0].value for one in report.suggestions)


def test_the_model_is_left_as_it_was(models):
    model = models.mlp(depth=12, gain=0.5)
    before = [one.clone() for one in model.parameters()]
    probe(model, models.rows(), suggest=True)
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))


def test_saturating_activations_are_changed_but_not_the_one_after_the_read_out(models):
    model = nn.Sequential(*models.mlp(nn.Sigmoid, depth=10, init="xavier")[:-1], nn.Linear(64, 1), nn.Sigmoid())
    report = probe(model, (models.rows(), torch.rand(64, 1)), suggest=True)
    changed = next(one for one in report.suggestions if "activation" in one.changes)
    kinds = [type(one) for one in run(changed.command, deepcopy(model))]
    assert kinds.count(nn.Sigmoid) == 1
    assert kinds[-1] is nn.Sigmoid


def test_a_healthy_model_has_none(models):
    assert probe(models.mlp(depth=3), models.rows(), suggest=True).suggestions == ()


def test_what_can_t_be_made_of_a_model_is_left_out(models):
    class Tied(nn.Module):
        """Reads the weight of its layer: one in a Sequential has none of that name."""

        def __init__(self):
            super().__init__()
            self.layers = models.mlp(depth=10, gain=0.5)

        def forward(self, x):
            return self.layers(x) + 0 * self.layers[0].weight.sum()

    suggestions = probe(Tied(), models.rows(), suggest=True).suggestions
    assert suggestions
    assert all("norm" not in one.changes for one in suggestions)


def test_a_model_that_can_t_be_copied_has_none(models):
    model = models.mlp(depth=12, gain=0.5)
    model.kept = torch.ones(1, requires_grad=True) * 2  # no leaf of the graph
    assert probe(model, models.rows(), suggest=True).suggestions == ()


def test_unasked_only_a_model_that_takes_a_moment_gets_some(models, monkeypatch):
    from gradcheck.torch.probing import subject

    model = models.mlp(depth=12, gain=0.5)
    assert probe(model, models.rows(), suggest=None).suggestions
    assert probe(model, models.rows()).suggestions is None
    monkeypatch.setattr(subject, "A_MOMENT", 1)
    assert probe(model, models.rows(), suggest=None).suggestions is None


def test_where_none_was_tried_the_next_command_tries_them(models):
    def commands(suggest, model):
        report = probe(model, models.rows(), suggest=suggest, trial=False)
        return list(next_commands(with_names(report, NAMES)))

    model = models.mlp(depth=12, gain=0.5)
    assert commands(None, model) == ["gradcheck explain vanishing"]
    assert commands(False, model) == ["gradcheck probe models:build --suggest", "gradcheck explain vanishing"]


def test_where_no_change_of_the_model_helps_none_is_proposed(models):
    cut = models.mlp(depth=3)
    cut.register_forward_hook(lambda module, inputs, output: output.detach().requires_grad_())
    report = with_names(probe(cut, models.rows()), NAMES)
    assert report.verdict.status != "healthy"
    assert not any("--suggest" in command for command in next_commands(report))


def test_the_text_shows_each_and_the_code_of_the_first(models):
    report = probe(models.mlp(depth=12, gain=0.5), models.rows(), suggest=True)
    text = str(report)
    assert "What would fix it (each simulated)" in text
    assert all(line in text for line in report.suggestions[0].command.splitlines())
    assert max(map(len, text.splitlines())) <= 80


def test_a_model_whose_copy_is_itself_is_left_alone(models):
    class Same(nn.Sequential):
        def __deepcopy__(self, memo):
            return self

    model = Same(*models.mlp(depth=12, gain=0.5))
    before = list(model.modules())
    assert probe(model, models.rows(), suggest=True).suggestions == ()
    assert list(model.modules()) == before


def test_a_healthy_model_is_not_run_once_more_to_see_how_long_it_takes(models):
    class Counted(nn.Sequential):
        passes = 0

        def forward(self, x):
            self.passes += 1
            return super().forward(x)

    unasked, asked_not = (Counted(*models.mlp(depth=3)) for _ in range(2))
    probe(unasked, models.rows(), suggest=None)
    probe(asked_not, models.rows(), suggest=False)
    assert unasked.passes == asked_not.passes
