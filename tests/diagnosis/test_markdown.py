import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt  # rich depends on it

import gradcheck
from gradcheck.diagnosis.formats import HEADER, as_markdown, cells
from gradcheck.render.heading import what_was_run

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])

NAMES = st.text(st.sampled_from("ab1 .-_*`~[]()<>|!#&;:\\'\"$"), min_size=1, max_size=12).map(
    lambda name: f"x{name}.csv"
)


def plain(inline):
    """The text that a reader sees, if all of it is text."""
    assert {child.type for child in inline.children} <= {"text", "text_special", "strong_open", "strong_close"}
    return "".join(child.content for child in inline.children)


def inlines(report):
    """The pieces of text of a report, as a reader of Markdown sees them."""
    return [token for token in MARKDOWN.parse(as_markdown(report)) if token.type == "inline"]


def test_markdown_has_a_heading_reasons_and_a_table_of_every_layer(vanishing):
    tokens = MARKDOWN.parse(as_markdown(vanishing))
    assert [token.tag for token in tokens if token.level == 0 and token.nesting == 1] == ["p", "ul", "table"]
    assert sum(token.type == "tr_open" for token in tokens) == 1 + 50
    assert sum(token.type == "th_open" for token in tokens) == len(HEADER)
    assert sum(token.type == "td_open" for token in tokens) == 50 * len(HEADER)


def test_the_heading_says_the_verdict_and_what_was_run(vanishing):
    assert plain(inlines(vanishing)[0]) == f"vanishing - {what_was_run(vanishing.config)}"


def test_reasons_and_the_probability_are_listed(vanishing):
    shown = [plain(one) for one in inlines(vanishing)[1:]]
    assert shown[: len(vanishing.verdict.reasons)] == list(vanishing.verdict.reasons)
    assert shown[len(vanishing.verdict.reasons)] == "plain SGD trains it with probability below 1 %"


def test_a_row_has_the_layers_numbers(report_of):
    report = report_of([-3000.25, 0.0])
    assert cells(report, report.layers[0]) == ("1", "5.6e-3001", "5.6e-3001", "-", "0.50", "9.0", "vanishing")


def test_suggestions_are_listed_with_the_whole_command(report_of, suggestion_of):
    command = "gradcheck simulate --data 'my data.npz' --norm batch"
    report = report_of([-9.0, 0.0], suggestions=(suggestion_of(command, score=0.97, norm="batch"),))
    *_, last = inlines(report)
    code, text = last.children
    assert (code.type, code.content) == ("code_inline", command)
    assert text.content == ": healthy, trains with probability 97 %"


@pytest.mark.parametrize("suggestions", [None, ()])
def test_without_suggestions_there_is_no_list_of_them(report_of, suggestions):
    assert "fix it" not in as_markdown(report_of([-9.0, 0.0], suggestions=suggestions))


@given(NAMES)
@example("a~~b~~.csv")
@example("a&lt;b.csv")
def test_a_files_name_is_never_read_as_markup(report_of, name):
    report = report_of([-9.0, 0.0], data=name)
    assert plain(inlines(report)[0]) == f"vanishing - {what_was_run(report.config)}"


@given(NAMES)
def test_a_command_is_shown_as_it_is_typed(report_of, suggestion_of, name):
    command = f"gradcheck simulate --data {name}"
    *_, last = inlines(report_of([-9.0, 0.0], suggestions=(suggestion_of(command),)))
    assert last.children[0].type == "code_inline"
    assert last.children[0].content == command


def test_a_line_break_in_a_files_name_breaks_no_line(report_of):
    report = report_of([-9.0, 0.0], data="a\n\n# b.csv")
    tokens = MARKDOWN.parse(as_markdown(report))
    assert [token.tag for token in tokens if token.level == 0 and token.nesting == 1] == ["p", "ul", "table"]


def test_real_networks_of_every_verdict_are_laid_out():
    for options in ({}, {"activation": "step"}, {"activation": "linear", "init": "normal", "weight_std": 1e99}):
        report = gradcheck.simulate(depth=6, width=8, batch_size=16, suggest=True, **options)
        assert as_markdown(report).startswith(f"**{report.verdict.status}** - ")


def test_of_a_recurrence_the_table_has_steps(report_of):
    report = report_of([-9.0, 0.0], arch="lstm")
    lines = as_markdown(report).splitlines()
    assert f"| step | {' | '.join(HEADER[1:])} |" in lines
    assert not any("layer" in line for line in lines)
    assert "- step 1 gets less than 1/1000 of the last step's gradient" in lines


def test_of_a_transformer_the_table_has_blocks_and_their_flow_points(report_of):
    report = report_of([-9.0, -0.5, 0.0, -9.0, -0.5, 0.0], arch="transformer")
    lines = as_markdown(report).splitlines()
    assert f"| block | {' | '.join(HEADER[1:])} |" in lines
    assert [line.split(" | ")[0] for line in lines if line.startswith(("| 1 ", "| 2 "))] == [
        f"| {block} {point}" for block in (1, 2) for point in ("attention", "mlp", "residual")
    ]
    assert "- block 2 attention gets less than 1/1000 of the last block residual's gradient" in lines
    assert plain(inlines(report)[0]) == f"vanishing - {what_was_run(report.config)}"


def test_a_flow_point_without_weights_or_activation_is_laid_out():
    report = gradcheck.simulate(arch="transformer", blocks=2, model_width=16, heads=2, tokens=6, layers="dense")
    tokens = MARKDOWN.parse(as_markdown(report))
    assert sum(token.type == "tr_open" for token in tokens) == 1 + 6
    assert sum(token.type == "td_open" for token in tokens) == 6 * len(HEADER)
