import subprocess
import sys

import pytest

from gradcheck.errors import OptionError
from gradcheck.spec import RECURRENT
from gradcheck.spec.demonstration import EXPLODING, network_options, reading_of, usual
from gradcheck.spec.names import SEQUENCES


def test_nothing_said_is_an_rnn_that_reads_digits_by_rows_and_explodes():
    assert network_options({}) == {"arch": "rnn", "steps": 8, **EXPLODING}


def test_a_reading_is_a_number_of_steps():
    for reading in SEQUENCES:
        for network in RECURRENT:
            options = network_options({"network": network, "sequence": reading})
            assert (options["arch"], options["steps"]) == (network, SEQUENCES[reading]), (network, reading)
            assert "sequence" not in options, (network, reading)
            assert "network" not in options, (network, reading)


def test_rows_and_pixels_are_those_of_the_digits():
    assert SEQUENCES == {"rows": 8, "pixels": 64}


def test_a_perceptron_has_the_options_of_simulate():
    assert network_options({"network": "mlp", "depth": 3}) == {"arch": "mlp", "depth": 3}


def test_what_is_given_outweighs_what_is_usual():
    for given in ({"recurrent_gain": 0.5}, {"init": "he"}, {"steps": 16}, {"width": 8}):
        assert network_options(given).items() >= given.items(), given


@pytest.mark.parametrize(("data", "steps"), [("digits", 8), ("gaussian", None), ("mine.npy", None)])
def test_only_the_digits_have_a_usual_number_of_steps(data, steps):
    assert network_options({"data": data}).get("steps") == steps


def test_given_weights_say_themselves_what_they_are():
    assert network_options({"weights": "mine.npz"}) == {"arch": "rnn", "weights": "mine.npz"}
    assert usual("rnn", "digits", "mine.npz") == {}


def test_nothing_that_is_given_is_changed():
    values = {"network": "lstm", "sequence": "pixels"}
    network_options(values)
    assert values == {"network": "lstm", "sequence": "pixels"}


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"sequence": "row"}, "'row' is unknown; did you mean 'rows'. allowed: rows, pixels"),
        ({"sequence": "rows", "steps": 8}, "rows means 8 steps: drop it, or steps"),
        ({"sequence": "pixels", "steps": 8}, "pixels means 64 steps: drop it, or steps"),
        ({"sequence": "rows", "network": "mlp"}, "rows is a way to read the digits with network rnn, lstm, gru; .*"),
        ({"sequence": "rows", "data": "gaussian"}, "rows is a way to read the digits .* steps for other data"),
    ],
)
def test_a_reading_that_does_not_fit_is_one_line(values, problem):
    with pytest.raises(OptionError, match=f"^sequence[ =]{problem}$"):
        network_options(values)


def test_the_reading_is_told_by_the_steps():
    for config, reading in [
        ({"data": "digits", "steps": 8}, "rows"),
        ({"data": "digits", "steps": 64}, "pixels"),
        ({"data": "digits", "steps": 16}, None),
        ({"data": "digits", "steps": None}, None),
        ({"data": "gaussian", "steps": 8}, None),
    ]:
        assert reading_of(config) == reading, config


def test_the_options_are_known_without_numpy():
    program = "import gradcheck.spec.demonstration, sys; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_perceptron_has_as_many_layers_as_train_in_seconds_unless_its_widths_say_how_many():
    assert network_options({"network": "mlp"})["depth"] == 10
    assert network_options({"network": "mlp", "depth": 3})["depth"] == 3
    assert "depth" not in network_options({"network": "mlp", "width": (8, 8)})
