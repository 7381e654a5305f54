"""Every word that gradcheck says has its page, and each page is whole, is found and leads on."""

import pytest

from gradcheck import GradcheckError, explain, simulate, topics
from gradcheck.diagnosis import score as score
from gradcheck.diagnosis.report import LayerRecord, OutputRecord, SummaryRecord
from gradcheck.diagnosis.schema import json_schema
from gradcheck.diagnosis.sentences.codes import CODES
from gradcheck.diagnosis.status import FLAGS, STATUSES
from gradcheck.diagnosis.text.layer_table import COLUMNS
from gradcheck.explanations import NAMES, TOPICS
from gradcheck.logs.records import GLOBAL_QUANTITIES, LAYER_QUANTITIES
from gradcheck.parametrization.sentences import SENTENCES
from gradcheck.render.style import LOG_STYLES, STYLES
from gradcheck.spec import ACTIVATIONS, INITIALIZERS, RECURRENT
from gradcheck.spec.names import SYNONYMS
from gradcheck.training.cells import COLUMNS as OF_STRATEGIES

every_topic = pytest.mark.parametrize("name", TOPICS)


@pytest.mark.parametrize("name", [*FLAGS, *STATUSES])
def test_every_flag_and_every_verdict_has_its_page(name):
    assert explain(name).topic.name == {"ok": "healthy"}.get(name, name)


def test_every_status_of_a_layer_has_its_page():
    statuses = json_schema("simulate")["properties"]["layers"]["items"]["properties"]["status"]["enum"]
    assert {name: explain(name).topic.name for name in statuses} == {
        "ok": "healthy", "underflow": "underflow", "overflow": "nonfinite", "nan": "nonfinite",
    }  # fmt: skip


def test_what_options_take_has_its_page():
    for name in (*ACTIVATIONS, *INITIALIZERS, *RECURRENT, "batch", "layer", "rms", "transformer"):
        assert explain(name).topic.name in TOPICS, name


def test_every_cause_has_its_page():
    for code in (*CODES, *SENTENCES):
        assert explain(code).topic.name in TOPICS, code


OF_TABLES = {*COLUMNS, *OF_STRATEGIES, *STYLES, *LOG_STYLES} - {"layer", "strategy", "error"}

OF_REPORTS = {*LayerRecord.__annotations__, *SummaryRecord.__annotations__, *OutputRecord.__annotations__}


def test_every_column_and_every_word_of_a_verdict_has_its_page():
    for word in OF_TABLES | OF_REPORTS:
        assert explain(word).topic.name in TOPICS, word


def test_every_number_that_a_recorder_writes_has_its_page():
    for quantity in {*GLOBAL_QUANTITIES, *LAYER_QUANTITIES}:
        assert explain(quantity).topic.name in TOPICS, quantity


def test_no_two_pages_answer_to_one_name():
    every = [name for topic in TOPICS.values() for name in (topic.name, *topic.aliases)]
    assert len(every) == len(set(every))
    assert set(NAMES) - set(every) <= set(SYNONYMS)


def test_every_page_has_all_its_parts_and_leads_on():
    for name in TOPICS:
        topic = TOPICS[name]
        assert topic.what, name
        assert topic.why or name == "columns", name
        assert topic.formula, name
        assert topic.examples, name
        assert topic.try_next, name
        assert topic.references, name
        assert topic.related, name
        assert set(topic.related) <= set(TOPICS) - {name}, name


def test_every_page_is_led_to_by_another():
    assert {related for topic in TOPICS.values() for related in topic.related} == set(TOPICS)


# ---- the functions


@pytest.mark.parametrize("said", ["batch-norm", "Batch Norm", "batch_norm", "BATCHNORM", "batch"])
def test_case_and_how_words_are_joined_make_no_difference(said):
    assert explain(said).topic.name == "batch-norm"


def test_words_of_other_libraries_have_the_page_of_what_they_mean():
    for said, page in {
        "kaiming": "initialisation", "Glorot_Uniform": "initialisation", "swish": "activations", "ReLU": "activations",
        "LayerNorm": "normalisation", "BatchNorm1d": "batch-norm", "softmax": "not-learning", "Adam": "score",
        "loss-of-probabilities": "remarks", "softmax-twice": "remarks",
        "fp16": "underflow", "half": "underflow", "GPT-2": "transformers", "LSTM": "recurrence", "lr": "learning-rate",
    }.items():  # fmt: skip
        assert explain(said).topic.name == page, said


def test_a_reports_page_is_that_of_its_verdict():
    assert explain(simulate(depth=30, width=16)).topic.name == "vanishing"
    with pytest.raises(GradcheckError, match=r"topic 5 is unknown"):
        explain(5)


def test_without_a_topic_it_lists_all_of_them():
    listed = explain()
    assert listed == topics()
    assert repr(listed) == f"<Contents {len(TOPICS)} pages>"
    text = f"\n{listed}"
    assert all(f"\n{name} " in text for name in TOPICS)
    assert len(listed.pages) == len(TOPICS)


@pytest.mark.parametrize(("said", "near"), [("vanishin", "vanishing"), ("exploding gradients", "exploding")])
def test_an_unknown_topic_is_an_error_with_the_nearest_ones(said, near):
    with pytest.raises(GradcheckError, match=f"^topic '{said}' is unknown; did you mean {near}"):
        explain(said)


def test_where_nothing_is_near_the_list_is():
    with pytest.raises(GradcheckError, match=r"^topic 'xyzzy' is unknown; gradcheck explain lists all$"):
        explain("xyzzy")


def test_topics_are_the_names_that_explain_takes():
    entries = topics()
    assert [entry["name"] for entry in entries] == list(TOPICS)
    for entry in entries:
        assert all(explain(alias).topic.name == entry["name"] for alias in entry["aliases"])


def test_a_page_as_a_dict_says_all_that_the_page_says():
    for name in TOPICS:
        page = explain(name).to_dict()
        topic = TOPICS[name]
        assert {field: page[field] for field in ("name", "summary", "what", "why")} == {
            "name": name, "summary": topic.summary, "what": topic.what, "why": topic.why,
        }  # fmt: skip
        assert page["examples"] == [{"command": one.command, "shows": one.shows} for one in topic.examples], name
        assert ("factors" in page) == (name == "chain-rule"), name


def test_a_page_prints_as_the_command_shows_it():
    assert str(explain("vanishing")).startswith("vanishing  the gradient fades on its way back to the first layers\n")


# ---- the chain rule, multiplied out
