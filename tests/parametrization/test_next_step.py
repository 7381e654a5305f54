"""What one is told to type, or to call, after one's own models were compared."""

import pytest

from gradcheck.parametrization.coordinates import Size
from gradcheck.parametrization.next_step import next_command
from gradcheck.parametrization.report import make_transfer_report

OWN = {"build": "test.<locals>.make", "optimizer": "adam", "lr": 0.1, "loss": None, "steps": 3, "seeds": 3, "seed": 0,
       "mode": "train", "width": [64, 256, 1024]}  # fmt: skip

TYPED = OWN | {"target": "models:build", "input": ["8x4"], "batch": None}


@pytest.fixture
def reported(records):
    """Options, exponents ↦ a report."""

    def make(config, diverging=False, **exponents):
        made = records(**exponents)
        if diverging:
            made = [one._replace(size=Size(0, float("inf"))) if one.step > 1 else one for one in made]
        return make_transfer_report(config, made)

    return make


def test_what_transfers_is_compared_at_a_larger_width(reported):
    assert next_command(reported(OWN)) == (
        "gradcheck.torch.transfer(make, (64, 256, 1024, 4096), batch=batch, lr=0.1, steps=3)"
    )
    assert next_command(reported(TYPED)) == (
        "gradcheck transfer models:build --input=8x4 --width 64,256,1024,4096 --lr 0.1 --steps 3"
    )


def test_what_diverges_is_compared_at_a_lower_rate(reported):
    assert next_command(reported(OWN, diverging=True)).endswith(
        "(make, (64, 256, 1024), batch=batch, lr=0.003, steps=3)"
    )
    assert next_command(reported(TYPED, diverging=True)).endswith(" --width 64,256,1024 --lr 0.003 --steps 3")


@pytest.mark.parametrize(("exponent", "page"), [(1, "grows"), (-1, "shrinks")])
def test_what_follows_the_width_is_explained(exponent, page, reported):
    assert next_command(reported(OWN, update=exponent)) == f"gradcheck explain {page}"


def test_an_optimizer_of_the_users_own_has_no_rate_that_an_option_could_name(reported):
    own = OWN | {"optimizer": "MuAdam"}
    assert next_command(reported(own, diverging=True)) == "gradcheck explain diverges"
    assert next_command(reported(own)) == "gradcheck explain transfers"


def test_what_has_no_name_is_called_by_its_parameter(reported):
    unnamed = OWN | {"build": "<lambda>", "loss": "my_loss", "optimizer": "sgd"}
    assert next_command(reported(unnamed)) == (
        "gradcheck.torch.transfer(build, (64, 256, 1024, 4096), batch=batch, loss=loss, optimizer='sgd', steps=3)"
    )


@pytest.mark.parametrize(("rate", "next_rate"), [(1e-300, 0.003), (0.5, 5.0)])
def test_where_nothing_has_moved_a_higher_rate_is_next(rate, next_rate, records):
    still = [one._replace(change=one.change and Size(0.0, 0.0)) for one in records()]
    report = make_transfer_report(OWN | {"lr": rate}, still)
    assert report.verdict.causes[0].code == "still"
    assert next_command(report).endswith(f"batch=batch, lr={next_rate}, steps=3)")


def test_what_overflows_before_any_training_has_no_rate_that_helps(records):
    report = make_transfer_report(OWN, [one._replace(size=Size(0, float("inf"))) for one in records()])
    (cause,) = report.verdict.causes
    assert (cause.code, cause.step) == ("not-finite", 0)
    assert cause.advice == "lessen the initial standard deviations: it is so before any training"
    assert next_command(report) == "gradcheck explain nonfinite"
