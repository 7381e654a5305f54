import json
import math

import jsonschema
import numpy as np
import pytest

import gradcheck
from gradcheck.checking.checks import list_checks
from gradcheck.checking.verification import LIMITS, verify
from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.errors import OptionError
from gradcheck.spec.options.checking import KINDS


@pytest.fixture
def broken(monkeypatch):
    """Breaks the derivative of softplus by a factor."""

    def by(factor):
        right = ACTIVATIONS["softplus"]

        def wrong(z):
            value, slope = right.evaluate(z)
            return value, slope * factor

        monkeypatch.setitem(ACTIVATIONS, "softplus", right._replace(evaluate=wrong))

    return by


@pytest.fixture(scope="module")
def every(shared):
    """All checks of the engine as it is."""
    return shared("verified", verify)


def errors(verification):
    return {(check.kind, check.name): check.error for check in verification.checks}


def test_a_seed_gives_the_same_errors_and_another_one_others():
    first, again, others = (errors(verify(only=["activation", "cell", "map"], seed=seed)) for seed in (0, 0, 1))
    assert again == first
    assert sum(others[key] != first[key] for key in first) > 0.9 * len(first)


@pytest.mark.parametrize("only", ["gelu", ["rnn"], ["norm", "gelu"], ("attention",)])
def test_a_check_has_the_same_error_whichever_others_are_run(only, every):
    names = {only} if isinstance(only, str) else set(only)
    assert errors(verify(only=only)) == {key: error for key, error in errors(every).items() if names & set(key)}


def test_all_is_well_with_the_engine(every):
    assert (every.passed, every.failed) == (True, ())
    assert every.worst.error == max(check.error for check in every.checks) < 1e-7
    assert all(check.limit == LIMITS["float64"][check.method] for check in every.checks)


def test_step_has_derivative_zero_and_says_so(every):
    (check,) = verify(only="step").checks
    assert (check.error, check.passed) == (0.0, True)
    assert check.note.startswith("derivative 0 wherever there is one")
    assert [one.name for one in every.checks if one.note] == ["step"]


def test_what_fails_is_not_passed_and_is_the_worst(broken):
    broken(1.01)
    found = verify(only="activation")
    assert not found.passed
    assert [check.name for check in found.failed] == ["softplus"]
    assert found.worst.name == "softplus"
    assert 1e-3 < found.worst.error < 0.1


def test_a_check_without_a_number_is_worse_than_any(broken):
    broken(math.nan)
    assert verify(only="activation").worst.name == "softplus"


@pytest.mark.parametrize("factor", [1, 1.01, math.nan, math.inf])
def test_the_dict_is_strict_json_that_agrees_with_the_checks(factor, broken):
    broken(factor)
    found = verify(only=["activation", "map"])
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    jsonschema.Draft202012Validator(gradcheck.json_schema("verify")).validate(document)
    assert (document["command"], document["schema_version"]) == ("verify", gradcheck.SCHEMA_VERSION)
    assert document["config"] == {"seed": 0, "dtype": "float64", "only": ["activation", "map"]}
    assert document["summary"]["passed"] is (factor == 1)
    assert document["summary"]["failed"] == sum(not check["passed"] for check in document["checks"])
    assert document["summary"]["checks"] == len(document["checks"])
    for check in document["checks"]:
        assert check["passed"] == (check["error"] is not None and check["error"] <= check["limit"])
        assert (check["problem"] is None) == (check["error"] is not None)


def test_the_schema_is_valid_and_describes_every_key_and_no_other():
    schema = gradcheck.json_schema("verify")
    jsonschema.Draft202012Validator.check_schema(schema)
    document = verify(only="step").to_dict()
    assert list(schema["properties"]) == list(document)
    for part in ("config", "environment", "summary"):
        assert list(schema["properties"][part]["properties"]) == list(document[part])
    assert list(schema["properties"]["checks"]["items"]["properties"]) == list(document["checks"][0])


def test_the_environment_is_this_one():
    found = verify(only="step", dtype="float32").environment
    assert found.numpy == np.__version__
    assert found.epsilon == np.finfo(np.float32).eps
    assert found.threads >= 1
    assert found.blas == np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]


def test_a_numpy_that_does_not_know_its_blas_is_no_error(monkeypatch):
    monkeypatch.setattr(np, "show_config", lambda mode: {})
    found = verify(only="step")
    assert (found.environment.blas, found.environment.blas_version) == (None, None)
    assert "BLAS unknown" in str(found)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"only": "geluu"}, "only='geluu' is unknown; did you mean 'gelu'"),
        ({"only": ["gelu", "Attentoin"]}, "only='Attentoin' is unknown; did you mean 'attention'"),
        ({"only": "@"}, "only='@' is unknown; allowed: a kind of checks (activation, norm, map,"),
        ({"dtype": "float16"}, "dtype='float16' is unknown; did you mean 'float64'? allowed: float64, float32"),
        ({"seed": -1}, "seed=-1 is not a whole number of at least 0: it seeds the random numbers"),
        ({"seed": 0.5}, "seed=0.5 is not a whole number of at least 0: it seeds the random numbers"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(how, told):
    with pytest.raises(OptionError) as caught:
        verify(**how)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_the_kinds_that_are_completed_are_those_of_the_checks():
    assert tuple(dict.fromkeys(check.kind for check in list_checks())) == KINDS
