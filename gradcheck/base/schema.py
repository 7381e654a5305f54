"""JSON Schemas (draft 2020-12) of records: made from their fields' types and meanings."""

from collections.abc import Iterator, Mapping
from dataclasses import Field, fields
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from gradcheck.base.record import BANDS, Record

Schema = dict[str, Any]

TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def document_schema(report: type[Record], command: str) -> Schema:
    """Return the schema of the JSON that a command writes."""
    schema = schema_of(report, command)
    schema["properties"]["command"] = {"const": command}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"gradcheck {command}", **schema}


def schema_of(record: type[Record], command: str = "") -> Schema:
    """Return the schema of a record.

    Parameters
    ----------
    record : type of Record
    command : str
        Whose reports it is part of, where some of its fields are those of one command only.
    """
    hints = get_type_hints(record, include_extras=True)
    required, optional = Schema(), Schema()
    for one in fields(record):
        if one.metadata.get("of", "") in ("", command) and not one.metadata.get("inner"):
            may_lack = one.default is None and not one.metadata["of"]
            (optional if may_lack else required)[one.name] = _of_field(one, hints[one.name], command)
            optional |= _bands(one, hints[one.name])
    return closed(required, optional)


def _of_field(one: Field[Any], hint: Any, command: str) -> Schema:  # noqa: ANN401
    """Return a field's schema: what its type says, what else its record says, what it means."""
    said: Schema = one.metadata.get("schema", {})
    if one.default is None:  # while it is None it isn't there
        typed: Schema = _of_kind(_kinds(hint)[0], command)
    else:
        typed = {} if {"const", "enum", "oneOf"} & set(said) else _of_type(hint, command)
    return typed | said | _described(one.metadata.get("meaning", ""))


def _bands(one: Field[Any], hint: Any) -> Iterator[tuple[str, Schema]]:  # noqa: ANN401
    """Yield the schemas of a field's extremes, where it has any."""
    for band, note in BANDS.items() if one.metadata.get("banded") else ():
        yield one.name + band, _of_type(hint, "") | _described(one.metadata["meaning"] + note)


def _described(meaning: str) -> Schema:
    return {"description": meaning} if meaning else {}


def _of_type(hint: Any, command: str) -> Schema:  # noqa: ANN401
    """Return a type's schema: ``Annotated[float, "what it means"]`` has a description."""
    if get_origin(hint) is Annotated:
        return _of_type(get_args(hint)[0], command) | _described(get_args(hint)[1])
    kinds = _kinds(hint)
    schema = _of_kind(kinds[0], command)
    if kinds == [hint]:
        return schema
    if schema.get("type") == "object":
        return {"oneOf": [schema, {"type": "null"}]}
    return schema | ({"enum": [*schema["enum"], None]} if "enum" in schema else {"type": [schema["type"], "null"]})


def _kinds(hint: Any) -> list[Any]:  # noqa: ANN401
    """Return the type itself, or those of a union that aren't None."""
    parts = get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)
    return [kind for kind in parts if kind is not NoneType]


def _of_kind(kind: Any, command: str) -> Schema:  # noqa: ANN401
    """Return the schema of a type that isn't None."""
    origin, parts = get_origin(kind) or kind, get_args(kind)
    if origin is Literal:
        return {"enum": list(parts)}
    if origin is tuple:
        return {"type": "array", "items": _of_type(parts[0], command)}
    if issubclass(origin, Record):
        return schema_of(origin, command)
    if issubclass(origin, Mapping):
        known = parts and parts[-1] is not Any
        return {"type": "object"} | ({"additionalProperties": _of_type(parts[-1], command)} if known else {})
    return {"type": next(name for known, name in TYPES.items() if issubclass(origin, known))}


def closed(properties: Schema, optional: Schema | None = None) -> Schema:
    """Return an object with these properties and no others; those not optional must be there."""
    return {
        "type": "object",
        "properties": properties | (optional or {}),
        "required": list(properties),
        "additionalProperties": False,
    }
