"""Checkpoints are measured as if the model had none."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

from gradcheck.errors import GradcheckError  # noqa: E402
from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

TOKENS = torch.arange(48).reshape(8, 6) % 50


class Blocks(nn.Module):
    """Three blocks after an embedding, each in what is given: (block, x) ↦ block(x)."""

    def __init__(self, run, *, trained=True, wanted=False):
        super().__init__()
        torch.manual_seed(0)
        self.run, self.wanted = run, wanted
        self.words = nn.Embedding(50, 16).requires_grad_(trained)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Dropout(0.1)) for _ in range(3))
        self.head = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 50))

    def forward(self, tokens):
        x = self.words(tokens)
        if self.wanted:
            x.requires_grad_()
        for block in self.blocks:
            x = x + self.run(block, x)
        return self.head(x)


def reentrant(block, x):
    return checkpoint(block, x, use_reentrant=True)


@pytest.mark.parametrize("run", [reentrant, lambda block, x: checkpoint(block, x, use_reentrant=False)])
@pytest.mark.parametrize("frozen", [{}, {"trained": False, "wanted": True}])
def test_a_checkpoint_changes_no_number(run, frozen):
    plain, kept = (probe(Blocks(one, **frozen), TOKENS) for one in (lambda block, x: block(x), run))
    assert kept.to_dict() == plain.to_dict()


def test_re_entrant_checkpoints_whose_inputs_want_no_gradient_train_nothing_and_are_named():
    report = probe(Blocks(reentrant, trained=False), TOKENS)
    first = report.verdict.causes[0]
    assert (report.verdict.status, first.code, first.value) == ("no-gradient", "checkpoint-inputs", 3)
    assert first.text.startswith("blocks.0.0, blocks.1.0 and blocks.2.0 get no gradient: ")
    assert "unused" not in [cause.code for cause in report.verdict.causes]


class First(nn.Sequential):
    """Its first part is in a checkpoint."""

    def forward(self, x):
        return self[1](reentrant(self[0], x))


def test_an_input_that_is_probed_with_a_gradient_does_not_feed_re_entrant_checkpoints():
    report = probe(First(nn.Linear(4, 8), nn.Linear(8, 8)), torch.randn(32, 4))
    assert report.verdict.status == "no-gradient"


def test_where_all_gradient_ends_at_re_entrant_checkpoints_the_refusal_names_them():
    with pytest.raises(GradcheckError, match=r"no input of its re-entrant checkpoints requires a gradient.*: take"):
        probe(First(nn.Linear(4, 8), nn.Linear(8, 2).requires_grad_(False)), torch.randn(5, 4))


class Rerun(torch.autograd.Function):
    """A checkpoint of the user's own: the block's weights get their gradient inside of the backward pass."""

    @staticmethod
    def forward(ctx, block, x):
        ctx.block, ctx.x = block, x
        return block(x)

    @staticmethod
    def backward(ctx, delta):
        x = ctx.x.detach().requires_grad_()
        with torch.enable_grad():
            ctx.block(x).backward(delta)
        return None, x.grad


def test_layers_that_a_function_of_the_users_own_hides_are_named_and_get_their_gradient():
    model = Blocks(Rerun.apply)
    model.head[0].weight.grad = kept = torch.ones(16, 16)
    report = probe(model, TOKENS)
    [hidden] = [cause for cause in report.verdict.causes if cause.code == "hidden-layers"]
    assert hidden.text.startswith("blocks.0.0, blocks.1.0 and blocks.2.0 run inside of Rerun, which hides them")
    assert report.model.unused == ()
    assert model.head[0].weight.grad is kept
    assert model.words.weight.grad is None


def test_checkpoints_are_as_before_after_a_probe():
    model = Blocks(reentrant)
    probe(model, TOKENS)
    runs = []
    model.blocks[0].register_forward_hook(lambda *_: runs.append(1))
    model(TOKENS).sum().backward()
    assert len(runs) == 2


def test_zero_weights_in_reentrant_checkpoints_are_opened_by_their_own_gradients():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.into, self.out = nn.Linear(16, 16), nn.Linear(16, 16)
            nn.init.zeros_(self.out.weight)

        def forward(self, x):
            return x + self.out(torch.tanh(self.into(x)))

    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.blocks = nn.Embedding(9, 16), nn.ModuleList(Gated() for _ in range(2))
            self.head = nn.Linear(16, 4)

        def forward(self, x):
            h = self.words(x)
            for block in self.blocks:
                h = checkpoint(block, h, use_reentrant=True)
            return self.head(h)

    report = probe(Stack(), (torch.randint(9, (32,)), torch.arange(32) % 4))
    assert report.verdict.status == "healthy"
    assert report.model.opened == ("blocks.0.out.weight", "blocks.1.out.weight")
