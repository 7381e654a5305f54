import copy
import json

import jsonschema
import numpy as np
import pytest

import gradcheck
from gradcheck.diagnosis.schema import REPORTS, json_schema
from gradcheck.errors import GradcheckError
from gradcheck.flow.quantities import QUANTITIES
from gradcheck.render.documents import as_json
from gradcheck.sweep.comparison import compare

SMALL = {"depth": 3, "width": 8, "batch_size": 16}

#: Kinds that the command line's documents, which are validated too, don't have.
RUNS = {
    "healthy": {"activation": "tanh", "init": "lecun", **SMALL},
    "underflow": {"depth": 12, "width": 8, "init": "normal", "weight_std": 1e-40},
    "a layer of one unit": {"depth": 1, "width": 1, "batch_size": 2},
    "rnn with suggestions": {"arch": "rnn", "width": 8, "batch_size": 16, "recurrent_gain": 0.5, "suggest": True},
    "gru of one step": {"arch": "gru", "steps": 1, "width": 1, "batch_size": 1, "data": "gaussian"},
}


@pytest.fixture(scope="module")
def validator():
    return jsonschema.Draft202012Validator(json_schema("simulate"))


@pytest.fixture(scope="module")
def document():
    return json.loads(as_json(gradcheck.simulate(seeds=2, suggest=True, depth=8, width=8, batch_size=16)))


def test_every_schema_is_a_valid_draft_2020_12_schema():
    """So that other tests need not look at it before they validate a document."""
    for command in REPORTS:
        schema = json_schema(command)
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema", command
        assert json.loads(json.dumps(schema, allow_nan=False)) == schema, command


@pytest.mark.parametrize("options", [*RUNS.values()], ids=[*RUNS])
def test_real_reports_of_every_kind_validate(validator, options):
    validator.validate(json.loads(as_json(gradcheck.simulate(**options))))


def test_a_report_on_given_weights_validates(validator, tmp_path):
    np.savez(tmp_path / "w.npz", W1=np.full((64, 3), np.nan), W_out=np.eye(3, 10))
    validator.validate(json.loads(as_json(gradcheck.simulate(weights=tmp_path / "w.npz"))))


PLACES = {
    "the document": lambda document: document,
    "a layer": lambda document: document["layers"][0],
    "the output": lambda document: document["output"],
    "a region": lambda document: document["regions"][0],
    "the summary": lambda document: document["summary"],
    "the verdict": lambda document: document["verdict"],
    "a suggestion": lambda document: document["suggestions"][0],
}


@pytest.fixture(params=PLACES.values(), ids=PLACES)
def place(request, document):
    """A copy of the document, and one of its objects."""
    changed = copy.deepcopy(document)
    document_of = request.param
    return changed, document_of(changed)


def test_a_misspelt_key_is_rejected(validator, place):
    changed, part = place
    first = next(iter(part))
    part[f"{first}_"] = part.pop(first)
    assert not validator.is_valid(changed)


def test_an_unknown_key_is_rejected(validator, place):
    changed, part = place
    part["colour"] = 1.0
    assert not validator.is_valid(changed)


def test_every_key_is_required_but_suggestions_and_extremes(validator, place, document):
    changed, part = place
    for key in list(part):
        value = part.pop(key)
        assert validator.is_valid(changed) == (key == "suggestions" or key.endswith(("_low", "_high")))
        part[key] = value
    assert changed == document


def test_a_number_that_is_text_is_rejected(validator, document):
    for name in document["layers"][0]:
        changed = copy.deepcopy(document)
        changed["layers"][0][name] = ["NaN"]
        assert not validator.is_valid(changed)


def test_an_unknown_word_is_rejected(validator, document):
    for part, key in (("layers", "flag"), ("layers", "status"), ("regions", "flag"), ("suggestions", "status")):
        changed = copy.deepcopy(document)
        changed[part][0][key] = "fine"
        assert not validator.is_valid(changed), part


@pytest.mark.parametrize("score", [-0.01, 1.01])
def test_a_score_that_is_no_probability_is_rejected(validator, document, score):
    for part in (lambda changed: changed["verdict"], lambda changed: changed["suggestions"][0]):
        changed = copy.deepcopy(document)
        part(changed)["score"] = score
        assert not validator.is_valid(changed)


def test_every_quantity_of_a_layer_is_described():
    properties = json_schema()["properties"]["layers"]["items"]["properties"]
    for name, quantity in QUANTITIES.items():
        assert properties[f"{name}_low"]["description"] == properties[name]["description"] + "; lowest of the draws"
        assert ("log10_" + name in properties) == quantity.show_log


def numbers_of(schema, path="report"):
    """Every number in the schema that isn't a count."""
    for name, one in schema.get("properties", {}).items():
        yield from numbers_of(one, f"{path}.{name}")
    if "properties" in schema.get("items", ()):  # what is in a list of numbers, the list says
        yield from numbers_of(schema["items"], f"{path}[]")
    if "number" in schema.get("type", ()):
        yield path, schema


def test_every_number_is_described():
    for path, schema in numbers_of(json_schema()):
        assert schema.get("description"), path


def test_an_unknown_command_has_no_schema():
    with pytest.raises(GradcheckError, match=r"'simulat' is unknown; .*simulate"):
        json_schema("simulat")


@pytest.mark.parametrize(
    ("grid", "options", "group_by"),
    [
        ({"depth": [2, 3], "width": 4}, {"seeds": 2}, None),
        ({"residual": [True, False], "depth": 2, "width": 4}, {"seeds": 1}, "residual"),
        ({"data": "missing.npy"}, {}, None),
    ],
)
def test_the_json_of_a_comparison_validates(grid, options, group_by):
    comparison = compare(grid, **options)
    list(comparison)
    jsonschema.Draft202012Validator(json_schema("compare")).validate(comparison.to_dict(group_by))


def test_a_name_that_is_like_no_command_has_no_guess():
    with pytest.raises(GradcheckError, match="schema 'nope' is unknown; allowed: "):
        json_schema("nope")
