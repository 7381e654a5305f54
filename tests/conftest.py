"""What all tests share: repeatable hypothesis runs, an error measure, and a network drawn and measured."""

import os

# Two threads on products this small take longer than one, many times longer on a busy machine; NumPy reads it once.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings

from gradcheck.engine.initializers import Law
from gradcheck.engine.loss import cross_entropy
from gradcheck.engine.network import build, drawn
from gradcheck.flow import MEMORY, measure
from gradcheck.networks import drawn_network
from gradcheck.spec import NetworkSpec, RecurrentSpec

LARGEST = pytest.StashKey()  # relative errors, by what was compared

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


def pytest_addoption(parser):
    parser.addoption("--require-extras", action="store_true", help="a test skipped for want of a package is a failure")


def pytest_sessionfinish(session):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.option.require_extras and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    for compared, error in sorted(config.stash.get(LARGEST, {}).items()):
        terminalreporter.write_line(f"largest relative error, {compared}: {error:.1e}")


@pytest.fixture
def record_error(request):
    """Note a relative error; the largest of each kind is shown at the end of the run."""
    largest = request.config.stash.setdefault(LARGEST, {})

    def record(compared, error):
        largest[compared] = max(error, largest.get(compared, 0.0))

    return record


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
def network_of():
    """Spec fields ↦ the spec's network, its weights drawn."""

    def network(*, seed=0, features=12, classes=5, dtype="float64", **fields):
        spec = NetworkSpec(**fields)
        widths = (features, *spec.widths, classes)
        law = Law(spec.init, spec.gain * (spec.weight_std or 1), spec.bias_std)
        return build(spec, widths, drawn(law, widths, seed, dtype))

    return network


@pytest.fixture(scope="session")
def recurrent_of():
    """Spec fields ↦ the spec's recurrent network, its weights drawn."""

    def network(*, seed=0, features=12, classes=5, dtype="float64", **fields):
        return drawn_network(RecurrentSpec(**fields), features, classes, seed, dtype)

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
