"""A second look never makes an error of what the first one could see."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402
from gradcheck.torch.probing.loss.saturation import Middle  # noqa: E402
from gradcheck.torch.probing.tracing import Dependence, NonfiniteWatch  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Once(nn.Module):
    """Runs a single time, and doesn't train one of its layers."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.left = [None]

    def forward(self, x):
        self.left.pop()
        return self.head(torch.tanh(self.two(x + self.one(x).detach())))


def test_a_model_that_runs_only_once_is_judged_by_that():
    report = probe(Once(), torch.randn(16, 8))
    assert (report.verdict.status, report.model.unused) == ("healthy", ("one.weight", "one.bias"))


def test_the_second_look_draws_what_the_first_one_drew():
    seen = []

    class Noisy(nn.Sequential):
        def forward(self, x):
            seen.append(torch.rand(()).item())
            return super().forward(x)

    model = Noisy(nn.Linear(8, 8), nn.Dropout(), nn.Linear(8, 3))
    model.register_parameter("unused", nn.Parameter(torch.ones(2, 2)))
    probe(model, torch.randn(16, 8))
    assert len(seen) > 1
    assert len(set(seen)) == 1


class Pooled(nn.Module):
    """Has an output that the loss ignores, as the pooler of an encoder is."""

    def __init__(self):
        super().__init__()
        self.body, self.pooler, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.runs = 0

    def forward(self, x):
        self.runs += 1
        hidden = torch.tanh(self.body(x))
        return self.head(hidden), self.pooler(hidden)


def test_what_only_leads_to_an_ignored_output_takes_no_pass_to_tell():
    model = Pooled()
    report = probe(model, torch.randn(16, 8), lambda output, _: output[0].square().mean(), trial=False)
    assert (report.verdict.status, report.model.unused) == ("healthy", ("pooler.weight", "pooler.bias"))
    assert model.runs == 1


@pytest.mark.parametrize("watch", [NonfiniteWatch, Dependence, Middle])
def test_what_watches_operations_does_not_load_pytorchs_compiler(watch):
    assert not hasattr(watch.__torch_dispatch__, "__wrapped__")
