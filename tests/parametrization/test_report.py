import math

import pytest

from gradcheck import transfer
from gradcheck.parametrization.coordinates import Coordinate, Size
from gradcheck.parametrization.formats import as_markdown
from gradcheck.parametrization.report import make_transfer_report
from gradcheck.parametrization.sentences import named

OWN = {"model": "MyModel", "optimizer": "AdamW", "lr": None, "steps": 2, "seeds": 1}


def test_a_users_own_model_needs_no_description_of_a_network(records):
    report = make_transfer_report(OWN, [*records(), *records(layer="logits", kind="output")])
    assert str(report).startswith("MyModel · 3 widths from 64 to 1,024 · 2 steps of AdamW · 1 seed")
    assert "gradcheck transfer" not in str(report)


def test_sizes_are_geometric_means_over_seeds():
    made = [
        Coordinate(scale, seed, 0, "layer 1", "hidden", Size(0, size))
        for scale in (8, 16)
        for seed, size in enumerate((1.0, 4.0))
    ]
    (layer,) = make_transfer_report(OWN, made).layers
    assert layer.sizes == ((pytest.approx(2.0), pytest.approx(2.0)),)


def test_what_is_not_finite_is_null(records):
    made = [one._replace(size=Size(0, math.inf)) for one in records()]
    report = make_transfer_report(OWN, made)
    start = next(one for one in report.layers if one.quantity == "start")
    assert (start.slope, start.sizes[0], start.course) == (None, (None, None, None), "grows")
    assert "not finite" in str(report)


def test_what_networks_do_once_they_diverge_is_not_judged(records):
    made = [one._replace(change=Size(0, math.inf)) if one.step > 1 else one for one in records()]
    report = make_transfer_report(OWN, made)
    change = next(one for one in report.layers if one.quantity == "change")
    assert (report.verdict.status, change.steps, change.course) == ("diverges", (1,), "keeps")
    (cause,) = report.verdict.causes
    assert (cause.code, cause.step, cause.scales, cause.value) == ("diverges", 2, (64, 256, 1024), None)
    said = "training diverges at every width: after step 2 the loss, or an output, is not finite"
    assert cause.text == report.verdict.reasons[0] == said


def test_layers_that_were_judged_before_networks_diverge_say_until_when(records):
    made = [one._replace(change=Size(0, math.inf)) if one.step > 1 else one for one in records()]
    report = make_transfer_report(OWN, made)
    assert "  up to step 1, before training diverges\n  layer" in str(report)
    assert "Layers are judged up to step 1, before training diverges." in as_markdown(report)
    assert "up to step" not in str(make_transfer_report(OWN, records()))


def test_several_changes_are_said_to_be_made_together(records):
    together = "each mends a fault of its own: make all of them"
    assert together in str(make_transfer_report(OWN, [*records(update=1), *records(layer="layer 2", update=0.5)]))
    assert together not in str(make_transfer_report(OWN, records(update=1)))


def test_the_rise_of_the_loss_is_that_of_the_network_that_rises_most():
    report = transfer(width=(8, 16), seeds=2, steps=1, depth=2, lr=30)
    (cause,) = report.verdict.causes
    assert cause.text.endswith("times its first value")
    assert "after step 1 the loss is up to" in cause.text
    assert cause.value > max(one.losses[1] / one.losses[0] for one in report.losses)


def test_beside_what_grows_it_is_said_which_networks_diverge(records):
    made = [
        one._replace(size=Size(0, math.inf)) if one.step > 1 and one.scale > 64 else one for one in records(update=1)
    ]
    verdict = make_transfer_report(OWN, made).verdict
    assert [(one.code, one.scales, bool(one.advice)) for one in verdict.causes] == [
        ("update-grows", None, True), ("diverges", (256, 1024), False),
    ]  # fmt: skip
    assert verdict.learning_rate == "a learning rate tuned at width 64 is some 16 times too large at 1,024"


def test_the_errors_floor_is_said(records):
    report = make_transfer_report(OWN | {"seeds": 3}, records())
    assert "standard errors, at least ±0.03 (networks that differ by 10 %)" in " ".join(str(report).split())


def test_the_figure_of_networks_that_diverge_begins_with_their_losses():
    pytest.importorskip("matplotlib")
    axes = transfer(width=(8, 16), seeds=1, steps=2, depth=2, optimizer="sgd", lr=1e6).plot().figure.axes
    assert [one.get_ylabel() for one in axes] == ["loss", ""]
    assert axes[0].get_yscale() == "log"


def test_what_it_means_for_the_learning_rate_is_said(records):
    grows = make_transfer_report(OWN, records(change=1, update=1)).verdict
    assert grows.learning_rate == "a learning rate tuned at width 64 is some 16 times too large at 1,024"
    shrinks = make_transfer_report(OWN, records(update=-0.5)).verdict
    assert shrinks.learning_rate.startswith("with a learning rate tuned at width 64 they move 4 times less")
    assert (
        make_transfer_report(OWN, records()).verdict.learning_rate == "a learning rate tuned at width 64 holds at 1,024"
    )


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([], "no layer"),
        (["stream"], "stream"),
        (["layer 2", "layer 4"], "layers 2 and 4"),
        (["layer 2", "layer 3", "logits"], "layers 2 and 3, and logits"),
        (["layer 2", "logits"], "layer 2 and logits"),
        (["0", "2.1", "head"], "modules 0 and 2.1, and head"),
        (["1 qkv", "1 mlp", "2 mlp"], "1 qkv, 1 mlp and 2 mlp"),
        ([f"layer {number}" for number in range(2, 9)], "layers 2, 3, 4 and 5, and 3 more"),
        (["a", "b", "c", "d", "e", "f"], "a, b, c, d and 2 more"),
    ],
)
def test_layers_are_listed_by_kind(layers, said):
    assert named(layers) == said


def test_a_name_of_numbers_is_called_a_module(records):
    (cause,) = make_transfer_report(OWN, records(layer="0.2", update=1)).verdict.causes
    assert (cause.layers, cause.advice) == (("0.2",), "divide the learning rate of module 0.2 by width")


def test_what_shows_later_may_follow_from_what_shows_first_and_has_no_advice_yet(records):
    later = records(layer="layer 2")
    for index, one in enumerate(records(layer="layer 2", update=1)):
        later[index] = one if one.step == 3 else later[index]._replace(update=one.update and Size(1.0, 1.0))
    first, after = make_transfer_report(OWN, [*records(update=0.5), *later]).verdict.causes
    assert (first.step, first.advice) == (1, "divide the learning rate of layer 1 by width^0.5")
    assert (after.layers, after.step, after.advice) == (("layer 2",), 3, None)


def test_the_figure_has_the_slopes_and_a_panel_for_each_layer():
    pytest.importorskip("matplotlib")
    report = transfer(width=(8, 16), seeds=1, steps=2, depth=2)
    axes = report.plot().figure.axes
    assert [one.get_xlabel() for one in axes] == ["slope of log size against log width", *["width"] * 3]
    assert [line.get_label() for line in axes[1].get_lines()] == ["step 1", "step 2"]


def test_the_page_has_the_map_of_slopes_and_a_chart_for_each_layer():
    pytest.importorskip("jinja2")
    page = transfer(width=(8, 16), seeds=1, steps=2, depth=2).to_html()
    assert all(f"Change of {name}" in page for name in ("layer 1", "layer 2", "logits"))
