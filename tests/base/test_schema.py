"""JSON Schemas come from the fields of records."""

from typing import Annotated, Any, Literal

import pytest

from gradcheck.base.document import CommandReport
from gradcheck.base.record import Frozen, Record, item
from gradcheck.base.schema import document_schema, schema_of


class Inner(Record):
    size: float | None = item("how large", banded=True)


def field_of(annotation, **more):
    """The schema of a record's only field."""
    record = type("One", (Record,), {"__annotations__": {"one": annotation}, "one": item(**more)})
    return schema_of(record)["properties"]["one"]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (bool, {"type": "boolean"}),
        (int, {"type": "integer"}),
        (float | None, {"type": ["number", "null"]}),
        (Literal["a", "b"], {"enum": ["a", "b"]}),
        (Literal["a"] | None, {"enum": ["a", None]}),
        (tuple[str, ...], {"type": "array", "items": {"type": "string"}}),
        (tuple[tuple[float, ...], ...] | None, {
            "type": ["array", "null"], "items": {"type": "array", "items": {"type": "number"}},
        }),
        (tuple[Annotated[int, "of one"], ...], {
            "type": "array", "items": {"type": "integer", "description": "of one"},
        }),
        (Frozen[Any], {"type": "object"}),
        (Frozen[float | None], {"type": "object", "additionalProperties": {"type": ["number", "null"]}}),
        (Inner | None, {"oneOf": [schema_of(Inner), {"type": "null"}]}),
    ],
)  # fmt: skip
def test_a_type_has_a_schema(annotation, expected):
    assert field_of(annotation) == expected


def test_what_is_told_stands_beside_the_type():
    told_of = field_of(int, meaning="how many", minimum=1)
    assert list(told_of.items()) == [("type", "integer"), ("minimum", 1), ("description", "how many")]


@pytest.mark.parametrize("word", [{"enum": ["x", "y"]}, {"const": 1}])
def test_given_values_take_the_place_of_the_type(word):
    assert field_of(str, **word) == word


def test_all_fields_are_required_but_optional_ones_and_extremes():
    class Outer(Record):
        maybe: Inner | None = item("perhaps", default=None)
        size: float = item("how large", banded=True)

    schema = schema_of(Outer)
    assert list(schema["properties"]) == ["size", "maybe", "size_low", "size_high"]
    assert schema["required"] == ["size"]
    assert schema["properties"]["maybe"] == {**schema_of(Inner), "description": "perhaps"}
    assert schema["properties"]["size_low"] == {"type": "number", "description": "how large; lowest of the draws"}


def test_a_field_of_one_command_is_in_its_schema_only():
    class Found(CommandReport):
        model: str | None = item(default=None, of="probe")

    probe, simulate = (document_schema(Found, command) for command in ("probe", "simulate"))
    assert "model" in probe["required"]
    assert "model" not in simulate["properties"]
    assert simulate["properties"]["command"] == {"const": "simulate"}
    assert simulate["title"] == "gradcheck simulate"
