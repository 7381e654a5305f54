import math
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck import clipping
from gradcheck.errors import OptionError
from gradcheck.spec import clip_rules as clip_rules
from gradcheck.spec.clip_rules import CHOICES, RULES, SUGGEST, Rule, parse_rule, parse_rules

WITH_THRESHOLD = [name for name in RULES if name != "none"]


@st.composite
def rules(draw):
    name = draw(st.sampled_from(WITH_THRESHOLD))
    highest = 100.0 if name == "percentile" else sys.float_info.max
    return Rule(name, draw(st.floats(0, highest, exclude_min=True)))


@given(rules())
def test_a_rule_is_typed_as_it_is_written(rule):
    assert parse_rule(str(rule)) == rule


@given(rules(), rules())
def test_two_rules_are_written_differently(one, other):
    assert (str(one) == str(other)) == (one == other)


def test_a_rule_is_a_name_and_a_threshold():
    for text, rule in [
        ("none", Rule("none")),
        ("value:0.5", Rule("value", 0.5)),
        ("norm:1", Rule("norm", 1.0)),
        ("global-norm:1.0", Rule("global-norm", 1.0)),
        (" global-norm:1e-3 ", Rule("global-norm", 1e-3)),
        ("agc:.01", Rule("agc", 0.01)),
        ("percentile:100", Rule("percentile", 100.0)),
        ("zscore:1e300", Rule("zscore", 1e300)),
    ]:
        assert parse_rule(text) == rule, text


@pytest.mark.parametrize(
    ("rule", "text"), [(Rule("none"), "none"), (Rule("norm", 1.0), "norm:1"), (Rule("agc", 0.01), "agc:0.01")]
)
def test_a_rule_is_written_as_one_types_it(rule, text):
    assert str(rule) == text


def test_a_rule_without_a_threshold_has_its_usual_one():
    for name in RULES:
        assert parse_rule(name) == Rule(name, RULES[name].usual), name


def test_the_table_is_complete():
    for name in RULES:
        info = RULES[name]
        assert info.meaning, name
        if name == "none":
            assert (info.symbol, info.usual) == ("", None), name
        else:
            assert info.symbol, name
            assert info.source, name
            assert parse_rule(f"{name}:{info.usual}").threshold == info.usual, name


def test_the_rules_by_name_are_those_that_can_be_applied():
    assert set(RULES) == set(clipping._RULES)
    assert (*RULES, SUGGEST) == CHOICES


ERRORS = {
    "norms:1": "clip='norms' is unknown; did you mean 'norm'? allowed: none, value, .*zscore.*",
    "norm=1": "clip='norm=1' is unknown; did you mean 'norm'? .*",
    "1.0": "clip=1.0 is a threshold without its rule; type global-norm:1.0",
    "": "clip='' is unknown; allowed: none, .*",
    ":1": "clip='' is unknown; allowed: none, .*",
    "none:3": "clip='none:3': none takes no threshold; type none",
    "none:": "clip='none:': none takes no threshold; type none",
    "norm:": "clip='norm:' has no number after the colon; type norm:.*",
    "norm:one": "clip='norm:one' has no number after the colon; type norm:.*",
    "agc:1:2": "clip='agc:1:2' has no number after the colon; type agc:0.01",
    "value:1,2": "clip='value:1,2' has no number after the colon; type value:.*",
    "norm:0": "clip norm:0 has no finite threshold above 0: it would leave no gradient at all; norm:.* is usual",
    "norm:-0.0": "clip norm:-0 has no finite threshold above 0: it would leave no gradient at all; norm:.* is usual",
    "norm:1e-400": "clip norm:0 has no finite threshold above 0: .*",
    "global-norm:-1": "clip global-norm:-1 .* above 0: it would turn every gradient round, as torch.*",
    "norm:-inf": "clip norm:-inf has no finite threshold above 0: it would turn .*",
    "norm:inf": "clip norm:inf has no finite threshold above 0: it would clip nothing: type none for that; .*",
    "agc:1e999": "clip agc:inf has no finite threshold above 0: it would clip nothing: .*",
    "norm:nan": "clip norm:nan has no finite threshold above 0: .*",
    "percentile:101": "clip percentile:101 is no percentile; allowed: above 0, up to 100 .10 is usual.",
    "percentile:-5": "clip percentile:-5 has no finite threshold above 0: .*",
    "percentile:100.00000001": "clip percentile:100.00000001 is no percentile; .*",
}


def test_what_is_no_rule_is_one_line_that_teaches(error_of):
    for text in ERRORS:
        pattern = ERRORS[text].replace("?", r"\?")
        for refused in (error_of(parse_rule, text), error_of(parse_rules, ["norm:1", text])):
            assert refused.option == "clip", text
            assert re.fullmatch(pattern, str(refused)), text


def test_without_any_there_is_one_of_each():
    assert parse_rules(()) == [Rule(name, info.usual) for name, info in RULES.items()]
    assert parse_rules([])[0] == Rule("none")


def test_each_rule_is_there_once_in_the_order_of_the_words():
    texts = ["norm:1", "none", "norm:1.0", "norm", f"norm:{RULES['norm'].usual}", "none", "norm:2"]
    assert parse_rules(texts) == [Rule("norm", 1.0), Rule("none"), parse_rule("norm"), Rule("norm", 2.0)]


def test_suggest_stands_for_a_rule_that_is_not_known_yet():
    assert parse_rules(["none", "suggest", " suggest ", "norm:1"]) == [Rule("none"), None, Rule("norm", 1.0)]


def test_suggest_takes_no_threshold_and_says_so():
    with pytest.raises(OptionError) as caught:
        parse_rules(["suggest:3"])
    assert "'suggest' is unknown" not in str(caught.value)
    assert "threshold" in str(caught.value)


def test_suggest_is_offered_where_it_can_be_typed():
    with pytest.raises(OptionError, match="did you mean 'suggest'"):
        parse_rules(["sugest"])


def test_one_word_in_place_of_a_list_is_not_taken_letter_by_letter():
    try:
        found = parse_rules("norm:1")
    except OptionError as error:
        assert "'n' is unknown" not in str(error)  # noqa: PT017
    else:
        assert found == [Rule("norm", 1.0)]


def test_every_finite_threshold_above_zero_is_allowed():
    for threshold in (5e-324, 1e-5, 1.0, sys.float_info.max):
        assert parse_rule(f"norm:{threshold!r}").threshold == threshold, threshold
        assert math.isfinite(threshold), threshold


def test_the_rules_are_known_without_numpy():
    program = f"import {clip_rules.__name__}, sys; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_rules_made_by_hand_go_with_typed_ones():
    assert parse_rules(["none", Rule("norm", 2.0), "suggest"]) == [Rule("none"), Rule("norm", 2.0), None]
    assert parse_rules(Rule("norm", 2.0)) == [Rule("norm", 2.0)]


@pytest.mark.parametrize("thing", [3, None, ("value", 1.0), Rule("value", "x"), Rule("value", True)], ids=repr)
def test_what_is_neither_typed_nor_a_rule_is_an_option_error(thing):
    with pytest.raises(OptionError, match=r"^clip"):
        parse_rules([thing])
    with pytest.raises(OptionError, match=r"^clip"):
        clipping.clip([np.ones(3)], thing)
