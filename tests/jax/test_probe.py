"""``gradcheck.jax.probe``: models of Flax and Equinox, held against PyTorch's, and what is said of ill ones."""

from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("equinox")

import equinox as eqx  # noqa: E402
import optax  # noqa: E402
from flax import linen, nnx  # noqa: E402
from jax import numpy as jnp  # noqa: E402
from torch import nn  # noqa: E402

import gradcheck  # noqa: E402
import gradcheck.torch  # noqa: E402
from gradcheck.errors import GradcheckError, OptionError  # noqa: E402
from gradcheck.jax import probe  # noqa: E402

WIDTHS = (12, 16, 16, 16, 16, 5)

#: Activation ↦ of PyTorch, and of JAX.
ACTIVATIONS = {
    "tanh": (nn.Tanh, jnp.tanh),
    "relu": (nn.ReLU, jax.nn.relu),
    "gelu": (nn.GELU, lambda x: jax.nn.gelu(x, approximate=False)),
    "elu": (nn.ELU, jax.nn.elu),
}


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def weights():
    generator = np.random.default_rng(0)
    return [
        (generator.standard_normal((a, b)) * np.sqrt(1.3 / a), generator.standard_normal(b) * 0.1)
        for a, b in pairwise(WIDTHS)
    ]


@pytest.fixture(scope="module")
def batch():
    generator = np.random.default_rng(1)
    return generator.standard_normal((24, WIDTHS[0])), generator.integers(0, WIDTHS[-1], 24)


def of_torch(weights, activation):
    layers = []
    for weight, bias in weights:
        layer = nn.Linear(*weight.shape, dtype=torch.float64)
        layer.weight.data, layer.bias.data = torch.tensor(weight.T), torch.tensor(bias)
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1])


class Linen(linen.Module):
    activation: object

    @linen.compact
    def __call__(self, x):
        for width in WIDTHS[1:-1]:
            x = self.activation(linen.Dense(width, param_dtype=np.float64)(x))
        return linen.Dense(WIDTHS[-1], param_dtype=np.float64)(x)


class Nnx(nnx.Module):
    def __init__(self, weights, activation):
        self.activation = activation
        self.layers = nnx.List([nnx.Linear(*weight.shape, rngs=nnx.Rngs(0)) for weight, _ in weights])
        for layer, (weight, bias) in zip(self.layers, weights, strict=True):
            layer.kernel.set_value(jnp.array(weight))
            layer.bias.set_value(jnp.array(bias))

    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


def of_equinox(weights, activation):
    model = eqx.nn.MLP(WIDTHS[0], WIDTHS[-1], WIDTHS[1], len(WIDTHS) - 2, activation, key=jax.random.key(0))
    own = [jnp.array(one) for weight, bias in weights for one in (weight.T, bias)]
    return eqx.tree_at(lambda one: [x for layer in one.layers for x in (layer.weight, layer.bias)], model, own)


def of_linen(weights, activation):
    params = {f"Dense_{at}": {"kernel": weight, "bias": bias} for at, (weight, bias) in enumerate(weights)}
    return Linen(activation), {"params": jax.tree.map(jnp.array, params)}


MAKERS = {"linen": of_linen, "nnx": Nnx, "equinox": of_equinox}


def numbers(report):
    """All numbers of a report that frameworks share, by their path."""
    kept = {name: value for name, value in report.to_dict().items() if name in ("layers", "output", "summary")}
    found = {"score": report.verdict.score, "elasticity": report.model.elasticity, "first": report.model.loss.first}
    for name in ("output", "summary"):
        found |= {f"{name}.{key}": value for key, value in kept[name].items()}
    for layer in kept["layers"]:
        found |= {f"{layer['index']}.{key}": one for key, one in layer.items() if key not in ("name", "role")}
    return found


@pytest.mark.parametrize(
    ("framework", "activation"),
    [("linen", "tanh"), ("linen", "gelu"), ("nnx", "relu"), ("nnx", "tanh"), ("equinox", "elu"), ("equinox", "tanh")],
)
def test_the_same_perceptron_has_the_same_numbers_as_in_pytorch(framework, activation, weights, batch, record_error):
    of_pytorch, of_jax = ACTIVATIONS[activation]
    given = tuple(map(torch.tensor, batch))
    expected = numbers(gradcheck.torch.probe(of_torch(weights, of_pytorch), given, trial=False))
    found = numbers(probe(MAKERS[framework](weights, of_jax), batch, trial=False))
    assert found.keys() == expected.keys()
    for name, one in expected.items():
        if isinstance(one, float) and one:
            record_error("probes of Flax and Equinox", abs(found[name] / one - 1))
        assert found[name] == (pytest.approx(one, rel=1e-9) if isinstance(one, float) else one), name


def chain(depth, activation, width=16, **options):
    """Layers of linen, one after the other."""

    class Chain(linen.Module):
        @linen.compact
        def __call__(self, x):
            for _ in range(depth):
                x = activation(linen.Dense(width, **options)(x))
            return linen.Dense(5)(x)

    x = jnp.array(np.random.default_rng(0).standard_normal((24, 12)), jnp.float32)
    return (Chain(), Chain().init(jax.random.key(0), x)), (x, np.arange(24) % 5)


def test_a_norm_over_a_batch_of_one_is_named_and_nothing_that_follows_from_it():
    class Normed(linen.Module):
        @linen.compact
        def __call__(self, x, train=True):
            return linen.Dense(3)(nnx.relu(linen.BatchNorm(use_running_average=not train)(linen.Dense(8)(x))))

    x = jnp.ones((1, 4), jnp.float32)
    model = Normed(), Normed().init(jax.random.key(0), x)
    report = probe(model, x)
    assert (report.verdict.status, report.verdict.causes[0].code) == ("dead", "norm-of-one")
    assert {one.code for one in report.verdict.causes}.isdisjoint({"dead", "gradient-zero", "layers-zero"})
    assert "norm-of-one" not in {one.code for one in probe(model, x, mode="eval").verdict.causes}


def test_layers_that_no_gradient_reaches_are_flagged_under_that_verdict():
    class Cut(linen.Module):
        @linen.compact
        def __call__(self, x):
            return linen.Dense(3)(jax.lax.stop_gradient(jnp.tanh(linen.Dense(8)(jnp.tanh(linen.Dense(8)(x))))))

    x = jnp.array(np.random.default_rng(0).standard_normal((8, 4)), jnp.float32)
    report = probe((Cut(), Cut().init(jax.random.key(0), x)), x)
    assert report.verdict.status == "no-gradient"
    assert [(one.gradient_rms, one.flag) for one in report.layers] == [(0, "dead"), (0, "dead")]


def test_layers_in_a_branch_are_said_to_be_out_of_sight_all_of_them_or_some():
    def branched(whole):
        class Branched(eqx.Module):
            first: eqx.nn.Linear = eqx.nn.Linear(4, 4, key=jax.random.key(0))
            last: eqx.nn.Linear = eqx.nn.Linear(4, 3, key=jax.random.key(1))

            def __call__(self, x):
                use = self.first.weight.sum() > -1e9
                if whole:
                    return jax.lax.cond(use, lambda x: self.last(self.first(x)), lambda x: x[:3], x)
                return self.last(jax.lax.cond(use, lambda x: self.first(x), lambda x: x, x))

        return Branched()

    x = jnp.ones((8, 4))
    with pytest.raises(GradcheckError, match=r"all of its layers within lax\.cond or lax\.while_loop"):
        probe(branched(True), x)
    assert "layers in lax.cond or lax.while_loop" in probe(branched(False), x).verdict.reasons[-1]


def test_thirty_sigmoids_vanish_in_single_precision():
    report = probe(*chain(30, jax.nn.sigmoid))
    assert report.verdict.status == "vanishing"
    assert report.layers[0].log10_gradient_ratio < -15
    assert report.layers[0].status == "ok"


def test_a_relu_that_is_never_positive_is_dead():
    report = probe(*chain(3, jax.nn.relu, bias_init=linen.initializers.constant(-100.0)))
    assert report.verdict.status == "dead"
    assert report.layers[0].dead_fraction == 1


def test_weights_four_times_too_large_explode():
    report = probe(*chain(20, jax.nn.relu, kernel_init=linen.initializers.variance_scaling(32, "fan_in", "normal")))
    assert report.verdict.status == "exploding"


def test_a_norm_whose_scale_is_zero_is_opened_by_training_and_named():
    model = eqx.nn.Sequential(
        [eqx.nn.Linear(6, 6, key=jax.random.key(0)), eqx.nn.LayerNorm(6), eqx.nn.Linear(6, 2, key=jax.random.key(1))]
    )
    model = eqx.tree_at(lambda one: one.layers[1].weight, model, jnp.zeros(6))
    report = probe(model, (np.random.default_rng(0).standard_normal((16, 6)), np.arange(16) % 2))
    assert "layers.1.weight" in report.model.opened


def gradient_stopped(*, copied):
    """A model one layer of which no gradient reaches; perhaps a copy of another, as a target network is."""

    class Stopped(eqx.Module):
        first: eqx.nn.Linear
        second: eqx.nn.Linear
        head: eqx.nn.Linear

        def __call__(self, x):
            return self.head(jnp.tanh(self.second(x) - jax.lax.stop_gradient(self.first(x))))

    k = jax.random.split(jax.random.key(0), 3)
    first, second, head = (eqx.nn.Linear(6, 6, key=key) for key in k)
    return Stopped(second if copied else first, second, head)


def test_a_layer_that_no_gradient_reaches_is_named_unless_it_is_a_copy():
    x, y = np.random.default_rng(0).standard_normal((16, 6)), np.arange(16) % 6
    report = probe(gradient_stopped(copied=False), (x, y))
    assert report.verdict.status == "no-gradient"
    assert report.model.lost == ("first",)
    assert probe(gradient_stopped(copied=True), (x, y)).model.lost == ()


class Kept(nnx.Module):
    """A model with all that a pass changes: running means, and the count of random numbers."""

    def __init__(self, rngs):
        self.inner, self.outer = nnx.Linear(4, 4, rngs=rngs), nnx.Linear(4, 2, rngs=rngs)
        self.norm, self.dropout = nnx.BatchNorm(4, rngs=rngs), nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.outer(self.dropout(nnx.relu(self.norm(self.inner(x)))))


def test_a_model_is_left_as_it_was_its_classes_too():
    model, call = Kept(nnx.Rngs(0)), nnx.Linear.__call__
    model.eval()
    before = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(model, nnx.Not(nnx.RngKey))))
    probe(model, (np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32), np.arange(8) % 2))
    after = nnx.to_pure_dict(nnx.state(model, nnx.Not(nnx.RngKey)))
    assert jax.tree.all(jax.tree.map(np.array_equal, before, after))
    assert model.dropout.deterministic
    assert nnx.Linear.__call__ is call


def test_a_function_that_was_compiled_before_is_measured_and_keeps_no_mark():
    inner = eqx.nn.Linear(4, 4, key=jax.random.key(0))
    compiled = eqx.filter_jit(lambda model, x: jnp.tanh(model(x)))
    x = np.random.default_rng(0).standard_normal((8, 4))
    compiled(inner, jnp.array(x[0]))

    class Twice(eqx.Module):
        inner: eqx.nn.Linear
        outer: eqx.nn.Linear

        def __call__(self, x):
            return self.outer(compiled(self.inner, x))

    report = probe(Twice(inner, eqx.nn.Linear(4, 2, key=jax.random.key(1))), (x, np.arange(8) % 2))
    assert [layer.name for layer in report.layers] == ["inner"]
    assert "gradcheck" not in str(jax.make_jaxpr(lambda x: compiled(inner, x))(jnp.array(x[0])))


def test_a_cell_in_a_loop_is_one_layer_whose_gradient_is_that_of_all_its_steps():
    class Rnn(eqx.Module):
        cell: eqx.nn.GRUCell
        head: eqx.nn.Linear

        def __call__(self, x):
            h, _ = jax.lax.scan(lambda h, x: (self.cell(x, h), None), jnp.zeros(5), x)
            return self.head(h)

    def by_hand(added):
        def of_one(x, added):
            h = jnp.zeros(5)
            for step in range(7):
                h = model.cell(x[step], h) + added[step]
            return model.head(h)

        logits = jax.vmap(of_one)(x, added)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    x, y = jnp.array(np.random.default_rng(0).standard_normal((6, 7, 3))), np.arange(6) % 2
    model = Rnn(eqx.nn.GRUCell(3, 5, key=jax.random.key(0)), eqx.nn.Linear(5, 2, key=jax.random.key(1)))
    (layer,) = probe(model, (x, y)).layers
    assert (layer.name, layer.kind) == ("cell", "recurrence")
    expected = np.linalg.norm(jax.grad(by_hand)(jnp.zeros((6, 7, 5)))) / np.sqrt(6 * 5)
    assert layer.gradient_rms == pytest.approx(expected, rel=1e-9)


def test_layers_whose_weights_are_stacked_are_told_apart():
    class Stack(nnx.Module):
        def __init__(self, rngs):
            make = nnx.split_rngs(splits=3)(nnx.vmap(lambda rngs: nnx.Linear(4, 4, rngs=rngs)))
            self.blocks, self.head = make(rngs), nnx.Linear(4, 2, rngs=rngs)

        def __call__(self, x):
            x = nnx.scan(lambda x, block: jnp.tanh(block(x)), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)(
                x, self.blocks
            )
            return self.head(x)

    model, x = Stack(nnx.Rngs(0)), np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    report = probe(model, (x, np.arange(8) % 2))
    assert [layer.name for layer in report.layers] == ["blocks.0", "blocks.1", "blocks.2"]
    norms = np.linalg.norm(model.blocks.kernel.get_value(), axis=(1, 2))
    assert [layer.weight_norm for layer in report.layers] == pytest.approx(norms.tolist(), rel=1e-6)
    assert all(layer.saturated_fraction == 0 for layer in report.layers)


def test_a_model_of_the_whole_batch_is_given_by_a_function():
    model = eqx.nn.Linear(4, 2, key=jax.random.key(0))
    x, y = np.random.default_rng(0).standard_normal((8, 4)), np.arange(8) % 2
    report = probe(model, (x, y), forward=lambda model, x: x @ model.weight.T if model is None else jax.vmap(model)(x))
    assert report.output.loss == pytest.approx(probe(model, (x, y)).output.loss)


def test_losses_of_optax_are_means_and_their_size_is_known():
    model = nnx.Linear(4, 3, rngs=nnx.Rngs(0))
    x, y = np.random.default_rng(0).standard_normal((8, 4)), np.arange(8) % 3
    report = probe(model, (x, y), optax.softmax_cross_entropy_with_integer_labels)
    assert report.output.loss == pytest.approx(probe(model, (x, y), "cross-entropy").output.loss)
    assert report.model.loss.classes == 3


def test_a_state_of_training_brings_module_and_variables():
    from flax.training.train_state import TrainState

    (module, variables), batch = chain(2, jnp.tanh)
    state = TrainState.create(apply_fn=module.apply, params=variables["params"], tx=optax.sgd(0.1))
    assert probe(state, batch).layers == probe((module, variables), batch).layers


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: linen.Dense(3), "with its variables"),
        (lambda: torch.nn.Linear(2, 2), "give an nnx.Module"),
        (lambda: nnx.Linear(5, 2, rngs=nnx.Rngs(0)), "shape"),
        (lambda: eqx.nn.Linear(5, 2, key=jax.random.key(0)), r"one example, here of shape \(4,\)"),
    ],
)
def test_what_cant_be_probed_is_said_in_one_line(model, says):
    with pytest.raises(GradcheckError, match=says) as caught:
        probe(model(), (np.zeros((8, 4)), np.zeros(8, int)))
    assert "\n" not in str(caught.value)


def test_targets_that_are_no_classes_are_refused():
    with pytest.raises(GradcheckError, match="classes 0 to 2"):
        probe(nnx.Linear(4, 3, rngs=nnx.Rngs(0)), (np.zeros((8, 4)), np.full(8, 3)))


def test_a_loss_that_isnt_there_is_refused():
    with pytest.raises(OptionError, match="cross-entropy"):
        probe(nnx.Linear(4, 3, rngs=nnx.Rngs(0)), np.zeros((8, 4)), "cross")


@pytest.mark.parametrize(
    ("inputs", "says"),
    [(np.full((8, 4), np.nan), "not finite"), (np.full((8, 4), "a"), "not of numbers"), (np.zeros((0, 4)), "shape")],
)
def test_inputs_that_no_model_could_take_are_refused(inputs, says):
    with pytest.raises(OptionError, match=says):
        probe(nnx.Linear(4, 3, rngs=nnx.Rngs(0)), inputs)
