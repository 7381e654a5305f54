"""What can't be probed, or only seems so: one line says what would be right."""

import dataclasses

import pytest

import gradcheck
from gradcheck.errors import GradcheckError

torch = pytest.importorskip("torch")
nn = torch.nn

pytestmark = pytest.mark.usefixtures("seeded")


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
        (lambda: torch.jit.trace(small(), torch.randn(2, 32)), r"is compiled by torch\.jit, which hides its layers"),
        (lambda: nn.Sequential(torch.jit.trace(small(), torch.randn(2, 32))), "probe it before compiling it"),
        (lambda: small().to("meta"), "is on the meta device, where weights have no values: build it on another one"),
        (built_without_gradients, r"was built under torch\.inference_mode and has no gradient"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_model_whose_layers_or_weights_are_out_of_reach_is_refused(build, message, models):
    with pytest.raises(GradcheckError, match=message):
        probe(build(), models.rows())


class WithoutModes(nn.Module):
    """As a model that torch.export made."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(32, 10)

    def forward(self, inputs):
        return self.layer(inputs)

    def train(self, mode=True):
        raise NotImplementedError("Calling train() is not supported yet.")


def test_a_model_that_has_no_modes_is_refused_in_its_own_words(models):
    with pytest.raises(GradcheckError, match=r"^WithoutModes.train\(True\): NotImplementedError: Calling train"):
        probe(WithoutModes(), models.rows())


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
        (small().requires_grad_(False), {}, "steps train nothing: all . parameters of Sequential are frozen"),
        (small(), {"optimizer": torch.optim.LBFGS}, "optimizer=LBFGS asks for the loss several times a step"),
        (small(), {"optimizer": torch.optim.SGD(small().parameters())}, "optimizer holds no parameter of this model"),
        (small(), {"seed": -1}, "seed=-1 is not a whole number of at least 0"),
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


# ---- what was given, what was wanted, what to type


class ByName(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.head = nn.Linear(32, 16), nn.Linear(16, 3)

    def forward(self, *, image):
        return self.head(torch.relu(self.one(image)))


class Both(ByName):
    def forward(self, image, labels):
        return nn.functional.cross_entropy(super().forward(image=image), labels)


class InPlace(ByName):
    def forward(self, x):
        y = torch.exp(self.one(x))
        y += 1
        return self.head(y)


@pytest.mark.parametrize(
    ("build", "batch", "message"),
    [
        (small, torch.randn(8, 32).double(), r"was given 8x32 of float64 and wants …x32"),
        (lambda: nn.Embedding(5, 3), torch.randn(8, 4), "was given 8x4 of float32 and wants whole numbers below 5"),
        (lambda: nn.Embedding(5, 3), torch.randn(8, 4), r"give whole numbers, by a SHAPE such as '4x128:int64<1000'$"),
        (small, (None, torch.zeros(8)), r"0 \(Linear\) was given no tensor and wants …x32"),
        (small, None, r"^batch is None: give \(inputs, targets\), or inputs alone$"),
        (lambda: nn.BatchNorm1d(4), torch.randn(1, 4), "give more examples, or take mode eval"),
        (ByName, torch.randn(8, 32), r"but 2 were given: inputs by name are a batch like \{'x': …, 'y'"),
        (Both, (torch.randn(8, 32), torch.zeros(8)), r"several inputs need one input each, or a batch like \{'x': …"),
        (InPlace, torch.randn(8, 32), r"after the operation that it names write y = y \+ x for y \+= x$"),
        (
            small,
            (torch.randn(8, 32), torch.arange(8) + 5),
            "the targets are 5 to 12, and the output has classes 0 to 9",
        ),
        (small, (torch.randn(8, 32), torch.randn(8, 1)), "the output is 8x10 and the targets 8x1: give as many, or a"),
        (small, (torch.randn(8, 32), [1] * 8), "the targets are list, not a tensor: give one, or a loss of them"),
    ],
)
def test_the_message_says_what_was_given_and_what_to_do(build, batch, message):
    with pytest.raises(GradcheckError, match=message) as caught:
        probe(build(), batch)
    assert "\n" not in str(caught.value)


def test_a_line_that_is_named_is_the_user_s_own():
    def loss(output, targets):
        return nn.functional.cross_entropy(output, targets.reshape(3, 5))

    with pytest.raises(GradcheckError, match=r"\(test_checks\.py, line \d+\)$"):
        probe(small(), (torch.randn(8, 32), torch.zeros(8)), loss)
    with pytest.raises(GradcheckError, match=r"match target batch_size \(4\)\.$"):
        probe(small(), (torch.randn(8, 32), torch.zeros(4, dtype=torch.int64)))


# ---- default losses


def test_a_loss_that_a_model_returns_alone_or_first_is_used():
    class First(Both):
        def forward(self, image, labels):
            return super().forward(image, labels), image

    inputs = {"image": torch.randn(8, 32), "labels": torch.randint(3, (8,))}
    assert {probe(build(), inputs).config.loss for build in (Both, First)} == {"the model's own"}


def test_whole_targets_of_a_single_output_are_not_classes():
    report = probe(nn.Sequential(nn.Linear(32, 8), nn.ReLU(), nn.Linear(8, 1)), (torch.randn(8, 32), torch.arange(8)))
    assert (report.config.loss, report.verdict.status) == ("mean-square", "healthy")


def test_targets_of_any_whole_type_are_classes():
    targets = torch.arange(8)
    first, second = (probe(nn.Linear(32, 10), (torch.ones(8, 32), one)) for one in (targets, targets.int()))
    assert first.config.loss == second.config.loss == "cross-entropy"


def test_the_first_tensor_of_a_dataclass_is_the_output():
    @dataclasses.dataclass
    class Answer:
        name: str
        scores: torch.Tensor

    class Answering(ByName):
        def forward(self, x):
            return Answer("answer", super().forward(image=x))

    report = probe(Answering(), torch.randn(8, 32))
    assert (report.config.loss, report.verdict.status) == ("cross-entropy", "healthy")


# ---- what forward cuts off


class Silent(ByName):
    def forward(self, x):
        with torch.no_grad():
            return self.head(self.one(x))


def test_a_forward_without_any_gradient_trains_nothing():
    report = probe(Silent(), torch.randn(8, 32))
    assert (report.verdict.status, report.model.lost) == ("no-gradient", ("one", "head"))


def test_a_head_alone_on_frozen_layers_has_nothing_to_be_compared_with():
    model = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 8), nn.Linear(8, 3))
    model[0].requires_grad_(False)
    model[1].requires_grad_(False)
    with pytest.raises(GradcheckError, match="but the last receives a gradient: all others are frozen"):
        probe(model, torch.arange(9))


def test_a_sparse_input_is_taken_as_it_is():
    class Graph(ByName):
        def forward(self, x, edges):
            return self.head(torch.relu(edges @ self.one(x)))

    report = probe(Graph(), ((torch.randn(8, 32), torch.eye(8).to_sparse()), None))
    assert report.verdict.status == "healthy"


def test_weights_that_are_infinite_are_named():
    model = small()
    nn.init.constant_(model[0].weight, torch.inf)
    assert "the weights of layer 0 are not finite before the pass" in probe(model, torch.randn(8, 32)).verdict.reasons


def test_a_class_in_place_of_one_of_it_says_so():
    with pytest.raises(GradcheckError, match=r"^Linear is a class, not a model: give one of it, as in Linear\(…\)$"):
        probe(nn.Linear, torch.ones(2, 3))
    with pytest.raises(GradcheckError, match=r"^loss is the class MSELoss; give one of it, as in MSELoss\(\)$"):
        probe(nn.Linear(3, 2), torch.ones(2, 3), nn.MSELoss)


def test_names_of_losses_modes_and_optimizers_are_taken_in_any_case():
    model, batch = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2)), torch.ones(2, 3)
    config = probe(model, batch, "MSE", mode="Eval", steps=1, optimizer="Adam").config
    assert (config.loss, config["mode"], config.optimizer) == ("mean-square", "eval", "adam")


def test_a_misspelt_limit_names_the_right_one():
    with pytest.raises(GradcheckError, match=r"probe\(\) has no option 'max_spn'; did you mean 'max_span'\?"):
        probe(nn.Linear(3, 2), torch.ones(2, 3), max_spn=3)


def test_a_module_whose_name_is_a_number_is_said_with_how_to_name_it():
    model = nn.Sequential(nn.Linear(3, 2))
    model._modules[0] = nn.Linear(2, 2)
    for refuses in (lambda: probe(model, torch.ones(2, 3)), lambda: gradcheck.torch.Recorder(model, "run.jsonl")):
        with pytest.raises(GradcheckError, match=r"whose name is no text .*: write add_module\('0', layer\)"):
            refuses()


@pytest.mark.parametrize(
    ("shape", "places", "said"),
    [
        ((8, 4), [(5, 3)], "nan in 1 of 32 numbers, the first in row 5, column 3, counted from 0"),
        ((8, 4), [(2, 1), (5, 3), (6, 1)], "nan in 3 of 32 numbers in 2 columns, the first in row 2, column 1,"),
        ((8,), [(6,)], "nan in 1 of 8 numbers, the first in row 6,"),
        ((2, 3, 4), [(1, 2, 0)], "nan in 1 of 24 numbers, the first in axis 0: 1, axis 1: 2, axis 2: 0,"),
    ],
)
def test_an_error_about_inputs_that_are_not_finite_says_how_many_and_where(shape, places, said):
    inputs = torch.zeros(shape)
    for place in places:
        inputs[place] = torch.nan
    with pytest.raises(GradcheckError) as caught:
        probe(small(), inputs)
    assert said in str(caught.value)


def test_a_loss_that_is_called_loss_is_named_once():
    def loss(output, targets):
        return nn.functional.cross_entropy(output, targets)

    batch = torch.randn(8, 4), torch.arange(8) % 3
    (first, *_) = probe(nn.Sequential(nn.Linear(4, 3), nn.Softmax(1)), batch, loss).verdict.reasons
    assert "the loss applies another" in first
