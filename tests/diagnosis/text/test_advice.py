import shlex
from dataclasses import replace

import gradcheck
from gradcheck.diagnosis.text import as_text
from gradcheck.diagnosis.text.advice import next_command, next_commands

SMALL = {"depth": 4, "width": 32, "batch_size": 16}


def test_the_best_suggestion_is_the_next_command(report_of, suggestion_of):
    suggestions = (suggestion_of("gradcheck simulate --norm batch"), suggestion_of("gradcheck simulate --residual"))
    assert next_command(report_of([-9.0, 0.0], suggestions=suggestions)) == "gradcheck simulate --norm batch"


def test_suggestions_show_what_they_change_and_what_it_would_bring(report_of, suggestion_of):
    one = suggestion_of(score=0.87, residual=True, residual_scale=0.5)
    lines = as_text(report_of([-9.0, 0.0], suggestions=(one,))).splitlines()
    title = lines.index("  What would fix it (each simulated)")
    assert lines[title + 1] == "    --residual --residual-scale 0.5   span 0.5   trains: 87 %"


def test_of_several_changes_of_a_model_the_text_says_where_the_code_of_the_others_is(report_of, suggestion_of):
    pair = suggestion_of("one.mul_(2)"), suggestion_of("other.mul_(3)")
    said = [as_text(replace(report_of([-9.0, 0.0], suggestions=pair[:count]), command="probe")) for count in (1, 2)]
    assert [
        text.count("The code of the others is printed by --suggest --json: suggestions, command") for text in said
    ] == [0, 1]
    assert "one.mul_(2)" in said[1]
    assert "other.mul_(3)" not in said[1]


def test_a_healthy_network_is_next_drawn_several_times_and_then_guarded():
    options = {"activation": "tanh", "init": "lecun", **SMALL}
    once, often = (next_command(gradcheck.simulate(seeds=seeds, **options)) for seeds in (1, 5))
    assert once.endswith(" --seeds 5")
    assert often.endswith(" --seeds 5 --fail-on any")


def test_what_is_wrong_is_explained_last(report_of):
    report = report_of([-9.0, 0.0])
    assert list(next_commands(report)) == [next_command(report), "gradcheck explain vanishing"]
    assert as_text(report).endswith("  gradcheck explain vanishing\n")


def test_a_healthy_network_needs_no_explanation(report_of):
    report = report_of([-0.1, 0.0])
    assert list(next_commands(report)) == [next_command(report)]


def test_a_network_in_need_is_next_asked_for_suggestions(report_of):
    assert next_command(report_of([-9.0, 0.0])) == "gradcheck simulate --depth 2 --width 8 --suggest"


def test_where_no_single_change_helps_this_is_said_and_the_layers_are_next(report_of):
    report = report_of([-9.0, 0.0], suggestions=())
    assert next_command(report) == "gradcheck simulate --depth 2 --width 8 --all-layers"
    said = " ".join(as_text(report).split())
    assert "No single change that was simulated fixes it and trains better than it with other seeds, too; try" in said


def test_of_one_draw_others_are_advised_where_no_single_change_helps(report_of):
    said = [" ".join(as_text(report_of([-9.0, 0.0], suggestions=(), seeds=seeds)).split()) for seeds in (1, 3)]
    assert "; try two together, or see how other draws do with --seeds 5." in said[0]
    assert "; try two together. " in said[1]


def test_where_the_reasons_name_what_is_wrong_with_the_batch_this_is_mended_first(report_of):
    report = report_of([-9.0, 0.0], suggestions=())
    causes = (replace(report.verdict.causes[0], code="large-inputs"),)
    said = " ".join(as_text(replace(report, verdict=replace(report.verdict, causes=causes))).split())
    assert "; first mend what the reasons above name, then probe again." in said


def test_given_weights_get_no_suggestions_and_hear_of_none(report_of):
    report = report_of([-9.0, 0.0], suggestions=(), weights="w.npz")
    assert next_command(report) == "gradcheck simulate --weights w.npz --all-layers"
    assert "change" not in as_text(report)


def test_the_next_command_is_one_that_can_be_typed(report_of):
    command = next_command(report_of([-9.0, 0.0], data="my data; $(x).npz"))
    assert shlex.split(command)[:6] == ["gradcheck", "simulate", "--depth", "2", "--width", "8"]
    assert "my data; $(x).npz" in shlex.split(command)
