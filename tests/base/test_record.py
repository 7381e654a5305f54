"""Records: fields as attributes and items, which nobody can change."""

import copy
import json
import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.base.record import Frozen, Record, banded, item, number

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
)


class Station(Record):
    index: int = item(minimum=1)
    kind: str | None = item("what it is", default=None)
    size: float | None = item("how large", banded=True)
    flag: str


class Line(Record):
    stations: tuple[Station, ...]
    options: Frozen[Any] = item(default=Frozen())


STATION = Station(index=1, size=2.0, flag="ok")
LINE = Line(stations=(STATION,), options=Frozen(name=[1, {"deep": [2]}]))


def test_attributes_are_items():
    assert STATION.flag == STATION["flag"] == "ok"
    assert LINE.options.name[1].deep == LINE["options"]["name"][1]["deep"] == (2,)


def test_items_stand_in_the_order_of_the_fields():
    assert list(Station(flag="ok", size=None, index=3, kind="x")) == ["index", "kind", "size", "flag"]


def test_an_optional_field_that_is_none_is_no_item():
    assert dict(STATION) == {"index": 1, "size": 2.0, "flag": "ok"}
    assert STATION.kind is None
    assert "kind" in Station(index=1, kind="x", size=None, flag="ok")


def test_a_default_takes_the_place_of_what_is_not_given():
    assert Line(stations=()).options == {}


@pytest.mark.parametrize("values", [{"index": 1, "size": 1.0}, {"index": 1, "size": 1.0, "flag": "", "more": 2}])
def test_a_field_too_few_or_too_many_is_named(values):
    with pytest.raises(TypeError, match=r"Station: (flag|more); its fields are index, kind, size, flag"):
        Station(**values)


@pytest.mark.parametrize("part", [STATION, LINE, LINE.options, LINE.options.name[1]])
def test_nothing_can_be_set_or_deleted(part):
    name = next(iter(part))
    for change in (
        lambda: setattr(part, name, 1),
        lambda: setattr(part, "new", 1),
        lambda: delattr(part, name),
        lambda: part.__setitem__(name, 1),
        lambda: part.__delitem__(name),
        lambda: part.pop(name),
        lambda: part.update({name: 1}),
    ):
        with pytest.raises(AttributeError):
            change()


def test_a_name_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(AttributeError, match="no 'gradient' here; there are: index, size, flag"):
        STATION.gradient  # noqa: B018
    with pytest.raises(KeyError):
        STATION["gradient"]


@given(VALUES)
def test_what_was_given_can_be_changed_without_changing_the_record(value):
    before, frozen = copy.deepcopy(value), Frozen(value=value)
    if isinstance(value, list):
        value.append(1)
    if isinstance(value, dict):
        value["new"] = 1
    assert frozen == {"value": before}


@given(VALUES)
def test_to_dict_is_the_callers_own_at_every_depth(value):
    frozen = Frozen(value=value)
    copied = frozen.to_dict()
    assert json.dumps(copied) == json.dumps({"value": value})
    spoil(copied)
    assert frozen == {"value": value}


def spoil(value):
    """Change every list and dict of a value."""
    for one in list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else ():
        spoil(one)
    if isinstance(value, dict):
        value["spoilt"] = True
    elif isinstance(value, list):
        value.append("spoilt")


def test_a_record_equals_a_dict_of_the_same_items():
    assert LINE == {"stations": [{"index": 1, "size": 2.0, "flag": "ok"}], "options": {"name": [1, {"deep": [2]}]}}
    assert Station(index=2, size=2.0, flag="ok") != STATION
    assert STATION != 1


def test_replace_returns_another_record():
    assert replace(STATION, flag="dead") == {"index": 1, "size": 2.0, "flag": "dead"}
    assert STATION.flag == "ok"


@pytest.mark.parametrize("copied", [copy.deepcopy(LINE), pickle.loads(pickle.dumps(LINE.options))])
def test_copies_are_equal(copied):
    assert copied in (LINE, LINE.options)


def test_several_draws_have_their_extremes_after_each_measured_number():
    station = banded(Station)(index=1, size=2.0, size_low=1.0, size_high=None, flag="ok")
    assert list(station) == ["index", "size", "size_low", "size_high", "flag"]
    assert isinstance(station, Station)


@pytest.mark.parametrize(("value", "expected"), [(1, 1.0), (float("nan"), None), (float("-inf"), None)])
def test_a_number_is_finite_or_none(value, expected):
    assert number(value) == expected
