"""Layers of parallel levels, which one head reads one after the other."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.probing.paths import Paths, ends_beyond  # noqa: E402
from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


class Pyramid(nn.Module):
    """A detector's levels, each of half the size, and one head over all of them, which begins as RetinaNet's does."""

    def __init__(self, std=0.03, width=32):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.levels = nn.ModuleList(nn.Conv2d(width, width, 3, 2, 1) for _ in range(5))
        self.head = nn.Sequential(*(part for _ in range(2) for part in (nn.Conv2d(width, width, 3, 1, 1), nn.ReLU())))
        self.scores = nn.Conv2d(width, 4, 3, padding=1)
        for one in (*self.head[::2], self.scores):
            nn.init.normal_(one.weight, std=std)
            nn.init.zeros_(one.bias)
        nn.init.constant_(self.scores.bias, -4.6)  # one answer in a hundred is yes

    def forward(self, x):
        x, found = torch.relu(self.stem(x)), []
        for level in self.levels:
            x = level(x)
            found.append(self.scores(self.head(x)).flatten(1))
        return torch.cat(found, 1)


def focal(output, targets):
    """Return the focal loss of objects that all are of the first level's size."""
    answers = torch.zeros_like(output)
    answers[torch.arange(len(targets)), targets] = 1
    of_each = nn.functional.binary_cross_entropy_with_logits(output, answers, reduction="none")
    return ((1 - torch.exp(-of_each)).square() * of_each).sum() / len(targets)


def test_levels_of_a_detector_are_not_compared_by_the_gradients_that_this_batch_sends_them():
    report = probe(Pyramid(), (torch.randn(4, 3, 64, 64), torch.arange(4)), focal, trial=False)
    gradient = {one.name: one.log10_gradient_rms for one in report.layers}
    assert gradient["levels.0"] - gradient["levels.4"] > 4
    assert report.verdict.status == "healthy"


class Exits(nn.Module):
    """Layers one behind the other, each with a read-out of its own."""

    def __init__(self, std, width=32):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(15))
        self.heads = nn.ModuleList(nn.Linear(width, 5) for _ in range(15))
        for one in self.layers:
            nn.init.normal_(one.weight, std=std)

    def forward(self, x):
        found = []
        for layer, head in zip(self.layers, self.heads, strict=True):
            x = torch.relu(layer(x))
            found.append(head(x))
        return torch.stack(found, 1).flatten(0, 1)


@pytest.mark.parametrize(("std", "status"), [(0.25, "healthy"), (1.0, "exploding")])
def test_those_of_layers_with_read_outs_of_their_own_are(std, status):
    labels = (torch.arange(32) % 5).repeat_interleave(15)
    assert probe(Exits(std), (torch.randn(32, 32), labels), trial=False).verdict.status == status


def test_ends_are_the_last_marked_nodes_and_each_node_knows_which_it_leads_to():
    graph = Paths({"loss": ["a", "b"], "a": ["x"], "b": ["y", None], "x": ["stem"], "y": ["stem"], "stem": []})
    ends, found = ends_beyond(graph, "loss", {"a", "b", "x", "stem"})
    assert sorted(ends) == ["a", "b"]
    leads = {node: {ends[bit] for bit in range(2) if at >> bit & 1} for node, at in found.items()}
    assert leads == {"loss": set(), "a": {"a"}, "x": {"a"}, "b": {"b"}, "y": {"b"}, "stem": {"a", "b"}}
