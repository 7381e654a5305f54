"""What all tests share: repeatable hypothesis runs, an error measure, and a network drawn and measured."""

import fcntl
import gc
import math
import os
import pickle
import re
import shlex
from contextlib import contextmanager
from functools import cache
from importlib.metadata import distributions
from inspect import unwrap
from pathlib import Path
from statistics import NormalDist
from types import CodeType, FunctionType

# Two threads on products this small take longer than one, many times longer on a busy machine; both read it once.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # PyTorch
# Compiling takes most of the time of tests of JAX, half of it to fuse operations. XLA ends at a flag that it lacks.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if "0.10.2" in {one.version for one in distributions(name="jaxlib")}:
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")

import numpy as np
import pytest
from _pytest.runner import runtestprotocol
from hypothesis import settings

from gradcheck.diagnosis.reporting import make_report
from gradcheck.diagnosis.summary import summarize
from gradcheck.diagnosis.verdict import diagnose
from gradcheck.engine.begun import _helpers
from gradcheck.engine.initializers import Law
from gradcheck.engine.loss import cross_entropy
from gradcheck.engine.network import build, drawn_maps
from gradcheck.engine.threads import OWN_THREADS
from gradcheck.engine.transformer import POINTS
from gradcheck.families import drawn_network
from gradcheck.flow.gradient_flow import MEMORY, GradientFlow, OutputFlow, measure
from gradcheck.flow.layer_flow import LayerFlow
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec import NetworkSpec, RecurrentSpec, TransformerSpec
from gradcheck.spec.data import DataSpec
from gradcheck.spec.run import RunSpec
from gradcheck.spec.thresholds import Thresholds
from gradcheck.training.demonstration import Demonstration

#: Packages that extras bring, and how a file asks for one when it is imported.
EXTRAS = "torch", "safetensors", "distributed", "orjson", "matplotlib", "jinja2", "accelerate", "jax", "flax", "equinox"
ASKED_AT_ONCE = re.compile(rf'^\S.*importorskip\("({"|".join(EXTRAS)})\b', re.MULTILINE)

settings.register_profile("repeatable", max_examples=10, derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


def pytest_addoption(parser):
    parser.addoption("--require-extras", action="store_true", help="a test skipped for want of a package is a failure")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """One process where single tests are named: to start others takes longer."""
    return 0 if config.args and all("::" in argument for argument in config.args) else None


def pytest_configure():
    """What is collected is no garbage: a search for some would look at thousands of tests again and again."""
    gc.disable()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Every other process collects from the end: each compiles one half of the tests, and reads the other's half."""
    report = yield
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0")[-1] in "13579" and isinstance(collector, pytest.Directory):
        report.result.reverse()
    return report


@cache
def asks(function):
    """Whether a function asks for such a package, itself or in a function within it."""
    codes = [(function.hypothesis.inner_test if hasattr(function, "hypothesis") else unwrap(function)).__code__]
    for code in codes:
        codes += [one for one in code.co_consts if isinstance(one, CodeType)]
    asking = [code.co_consts for code in codes if "importorskip" in code.co_names]
    return any(isinstance(one, str) and one.partition(".")[0] in EXTRAS for consts in asking for one in consts)


@cache
def all_ask(module):
    """Whether a file asks when it is imported, or in a function that tests may call."""
    called = [one for name, one in vars(module).items() if isinstance(one, FunctionType) and name[:5] != "test_"]
    return any(map(asks, called)) or bool(ASKED_AT_ONCE.search(Path(module.__file__).read_text(encoding="utf-8")))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Mark the tests that are skipped where such a package is missing; what takes longest begins, lest others wait."""
    items.sort(key=lambda item: (item.path.parent.name != "keras", item.path))
    for item in items if "extras" in config.option.markexpr else ():  # nobody else asks for the mark
        fixtures = (one.func for each in item._fixtureinfo.name2fixturedefs.values() for one in each)
        if all_ask(item.module) or asks(item.function) or any(map(asks, fixtures)):
            item.add_marker("extras")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """Every process tells of a test once: each of the seven messages of pytest-xdist costs as much as a small test."""
    if "PYTEST_XDIST_WORKER" in os.environ and item.config.option.durations is None:
        for report in runtestprotocol(item, log=False, nextitem=nextitem):
            if report.when == "call" or not report.passed:
                item.ihook.pytest_runtest_logreport(report=report)
        return True
    return None


def pytest_collection_finish():
    """What is drawn on a page is thousands of small objects: to look for garbage less often saves a twentieth."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(10_000, 10, 10)


def pytest_sessionfinish(session):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")  # none in a worker
    if reporter and session.config.option.require_extras and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    largest = {}
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for compared, error in report.user_properties:
            largest[compared] = max(error, largest.get(compared, 0.0))
    for compared, error in sorted(largest.items()):
        terminalreporter.write_line(f"largest relative error, {compared}: {error:.1e}")


@pytest.fixture
def record_error(request):
    """Note a relative error; the largest of each kind is shown at the end of the run, whichever process met it."""
    return lambda compared, error: request.node.user_properties.append((compared, float(error)))


@pytest.fixture
def rng():
    return np.random.default_rng(20240607)


@pytest.fixture(scope="session")
def relative_error():
    """‖a − b‖/‖b‖ over all entries; 0 where both are zero."""

    def error(a, b):
        assert np.shape(a) == np.shape(b)
        return float(np.linalg.norm(np.subtract(a, b)) / (np.linalg.norm(b) or 1))

    return error


@pytest.fixture(scope="session")
def ks_p_value():
    """Two samples ↦ the probability that two of one law are further apart (Kolmogorov–Smirnov; Stephens 1970)."""

    def p_value(one, other):
        one, other = np.sort(np.ravel(one)), np.sort(np.ravel(other))
        both = np.concatenate([one, other])
        below = [np.searchsorted(sample, both, side="right") / len(sample) for sample in (one, other)]
        size = np.sqrt(len(one) * len(other) / (len(one) + len(other)))
        scaled = (size + 0.12 + 0.11 / size) * np.abs(below[0] - below[1]).max()
        if scaled < 0.2:  # the series needs more and more terms, and is 1 to 12 digits
            return 1.0
        k = np.arange(1, 101)
        return float(2 * ((-1.0) ** (k - 1) * np.exp(-2 * (k * scaled) ** 2)).sum())

    return p_value


@pytest.fixture(scope="session")
def means_p_value():
    """Draws (draws, …) and expected means, or draws of another kind ↦ the probability of so large a difference.

    Of the largest of all entries' differences, in standard errors (Bonferroni).
    """

    def p_value(draws, expected):
        difference, square = draws.mean(0), draws.var(0, ddof=1) / len(draws)
        if np.shape(expected) == draws.shape[1:]:
            difference = difference - expected
        else:
            difference, square = difference - expected.mean(0), square + expected.var(0, ddof=1) / len(expected)
        moving = square > 0
        np.testing.assert_allclose(difference[~moving], 0, atol=1e-12)
        if not moving.any():
            return 1.0
        largest = float((np.abs(difference[moving]) / np.sqrt(square[moving])).max())
        return min(1.0, 2 * NormalDist().cdf(-largest) * moving.sum())

    return p_value


@pytest.fixture
def on_threads(monkeypatch):
    """Threads, work ↦ what the work returns on so many threads of the engine's own."""

    def run(count, work):
        _helpers.cache_clear()
        monkeypatch.setenv(OWN_THREADS, str(count))
        return work()

    yield run
    _helpers.cache_clear()


@pytest.fixture(scope="session")
def network_of():
    """Spec fields ↦ the spec's network, its weights drawn."""

    def network(*, seed=0, features=12, classes=5, dtype="float64", **fields):
        spec = NetworkSpec(**fields)
        widths = (features, *spec.widths, classes)
        law = Law(spec.init, spec.gain * (spec.weight_std or 1), spec.bias_std)
        return build(spec, widths, drawn_maps(law, widths, seed, dtype))

    return network


@pytest.fixture(scope="session")
def recurrent_of():
    """Spec fields ↦ the spec's recurrent network, its weights drawn."""

    def network(*, seed=0, features=12, classes=5, dtype="float64", **fields):
        return drawn_network(RecurrentSpec(**fields), features, classes, seed, dtype)

    return network


@pytest.fixture(scope="session")
def transformer_of():
    """Spec fields ↦ the spec's transformer, its weights drawn."""

    def network(*, seed=0, dtype="float64", layers="dense", **fields):
        spec = TransformerSpec(**fields)
        return drawn_network(spec, 0, spec.vocabulary, seed, dtype, layers)

    return network


@pytest.fixture(scope="session")
def recurrent_flow_of(recurrent_of):
    """Spec fields ↦ the flow of a random batch of sequences through the spec's recurrent network."""

    def flow(*, seed=0, batch=8, features=12, memory=MEMORY, **fields):
        generator = np.random.default_rng(1000 + seed)
        inputs, labels = generator.standard_normal((batch, features)), generator.integers(0, 5, batch)
        network, start = recurrent_of(seed=seed, features=features, **fields).unrolled(inputs)
        return measure(network, start, cross_entropy(labels), memory)

    return flow


@pytest.fixture(scope="session")
def flow_of(network_of):
    """Spec fields ↦ the flow of a random batch through the spec's network."""

    def flow(*, seed=0, batch=16, dtype="float64", loss_factor=1.0, memory=MEMORY, **fields):
        network = network_of(seed=seed, dtype=dtype, **fields)
        generator = np.random.default_rng(1000 + seed)
        inputs = generator.standard_normal((batch, network.widths[0])).astype(dtype)
        loss = cross_entropy(generator.integers(0, network.widths[-1], batch))

        def scaled_loss(logits):
            value, delta = loss(logits)
            return loss_factor * value, loss_factor * delta

        return measure(network, inputs, scaled_loss, memory)

    return flow


@pytest.fixture(scope="session")
def typed():
    """A command line ↦ the options that the command takes from it."""
    import typer  # as gradcheck does: for commands only

    from gradcheck.cli.app import app

    commands = typer.main.get_command(app).commands

    def parse(command):
        program, name, *words = shlex.split(command)
        assert program == "gradcheck"
        return commands[name].make_context(name, words).params

    return parse


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A name, a computation ↦ what it returns; the process that asks first computes it for all."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder

    def result(name, compute):
        file = folder / f"{name}.pickle"
        with (folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not file.exists():
                file.write_bytes(pickle.dumps(compute()))
        return pickle.loads(file.read_bytes())

    return result


@pytest.fixture(scope="session")
def measured_once():
    """A context in which a network that another line measured or trained isn't again: formats are many, it is one."""
    known = {}

    def once(method, described):
        def call(self, what, tick=None, **named):
            key = repr((config := described(self), what, named))
            if named.get("tally") is not None or config["weights"] or "." in config["data"]:  # counts; files may change
                return method(self, what, tick, **named)
            return known[key] if key in known else known.setdefault(key, method(self, what, tick, **named))

        return call

    @contextmanager
    def context():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Experiment, "flow", once(Experiment.flow, Experiment.to_dict))
            patch.setattr(Demonstration, "run", once(Demonstration.run, lambda one: one.report([]).config))
            yield

    return context


# ---- reports laid out by hand, for what is shown rather than what is measured

LAYER = LayerFlow(-0.1, -0.3, 0.5, 9.0, 0.25, 0.125, 0.0, 1.0, 0.0)

#: What a layer is called, and the flow points of each where it has several.
UNITS = {"mlp": ("layer", ()), "transformer": ("block", POINTS)}


def spec_of(arch, depth):
    """The description of a network with so many layers, of a transformer so many flow points."""
    if arch == "transformer":
        return TransformerSpec(blocks=depth // len(POINTS), model_width=8, heads=2, tokens=6)
    return NetworkSpec(depth=depth, width=8) if arch == "mlp" else RecurrentSpec(arch=arch, steps=depth, width=8)


def spread(gradients, columns):
    """Layers with these log10 gradients; other fields one a layer, by name."""
    for index, gradient in enumerate(gradients):
        yield LAYER._replace(log10_gradient_rms=gradient, **{name: values[index] for name, values in columns.items()})


@pytest.fixture(scope="session")
def report_of():
    """Log10 gradients ↦ the report on a network that has them; None is a layer that was not reached.

    Of a transformer they are those of its flow points, three a block.
    """

    def report(gradients, *, arch="mlp", obstacle="overflow", suggestions=None, columns=None, **config):
        depth, reached = len(gradients), sum(gradient is not None for gradient in gradients)
        layers = [*spread(gradients[:reached], columns or {}), *[LayerFlow()] * (depth - reached)]
        output = OutputFlow(2.3, 0.1, -1.0) if reached == depth else OutputFlow()
        obstacle = obstacle if reached < depth else ""
        flow = GradientFlow(
            (8,) * depth, (8,) * depth, tuple(layers), output, reached, obstacle, *UNITS.get(arch, ("step", (), True))
        )
        summary, thresholds = summarize(flow), Thresholds()
        parts = spec_of(arch, depth), DataSpec(), RunSpec(), thresholds
        options = {name: value for part in parts for name, value in part.to_dict().items()}
        options |= {"weights": None, "save_weights": None, "suggest": suggestions is not None, **config}
        diagnosis = diagnose(flow, summary, thresholds)
        made = make_report("simulate", options, [flow], flow, [summary], summary, diagnosis, parameters=72)
        return type(made)(**{**vars(made), "suggestions": suggestions})

    return report


@pytest.fixture(scope="session")
def vanishing(report_of):
    """Fifty layers, each with a third of the gradient of the next."""
    return report_of([(layer - 49) * math.log10(3) for layer in range(50)])


@pytest.fixture(scope="session")
def healthy(report_of):
    return report_of([-0.5, -0.2, -0.1, 0.0])
