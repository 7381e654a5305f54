"""What can't be probed, or only looks so: one line says what would be right."""

import pytest

import gradcheck
from gradcheck.errors import GradcheckError

torch = pytest.importorskip("torch")
nn = torch.nn


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(3)


def probe(*arguments, **options):
    return gradcheck.torch.probe(*arguments, **options)


def small():
    return nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 10))


def built_without_gradients():
    with torch.inference_mode():
        return small()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: torch.jit.trace(small(), torch.randn(2, 32)), r"is compiled by torch\.jit, its layers can't be"),
        (lambda: nn.Sequential(torch.jit.trace(small(), torch.randn(2, 32))), "probe it before that"),
        (lambda: small().to("meta"), "is on the meta device, its weights have no values: build it on another one"),
        (built_without_gradients, r"was built under torch\.inference_mode, it has no gradient"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_model_whose_layers_or_weights_are_out_of_reach_is_refused(build, message, models):
    with pytest.raises(GradcheckError, match=message):
        probe(build(), models.rows())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (torch.randn(0, 32), "has an input without entries, of shape 0x32"),
        (torch.randn(4, 32, device="meta"), "has inputs on the meta device"),
        (torch.full((4, 32), -torch.inf).fill_diagonal_(1), "has inputs that are not finite, inf"),
        (torch.utils.data.DataLoader([1]), r"is a DataLoader, not one batch of it: give next\(iter\(loader\)\)"),
    ],
)
def test_inputs_that_hold_nothing_are_refused(inputs, message):
    with pytest.raises(GradcheckError, match=message):
        probe(small(), inputs)


def test_a_mask_of_minus_infinity_is_an_input_like_others():
    model = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    mask = nn.Transformer.generate_square_subsequent_mask(6)
    assert probe(model, {"src": torch.randn(4, 6, 16), "src_mask": mask}).verdict.status == "healthy"


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (small().requires_grad_(False), {}, "--steps Sequential has no parameter that wants a gradient"),
        (small(), {"optimizer": torch.optim.LBFGS}, "--optimizer LBFGS asks for the loss several times a step"),
        (small(), {"optimizer": torch.optim.SGD(small().parameters())}, "--optimizer holds no parameter of this model"),
        (small(), {"seed": -1}, "--seed -1 is not a whole number of at least 0"),
    ],
)
def test_steps_that_cannot_be_taken_are_refused(model, options, message, models):
    with pytest.raises(GradcheckError, match=message):
        probe(model, models.rows(), steps=1, **options)


def test_it_asks_for_gradients_where_the_caller_has_switched_them_off(models):
    model, batch = small(), (models.rows(), torch.randint(10, (64,)))
    with torch.no_grad():
        silent = probe(model, batch)
        assert not torch.is_grad_enabled()
    assert silent.to_dict() == probe(model, batch).to_dict()
