"""What the cells of a notebook printed is a log."""

import json

import pytest

from gradcheck.errors import InputError
from gradcheck.logs.reading import read_log
from gradcheck.logs.report import diagnose

FALLING = [(step, round(3 - step / 200, 3)) for step in range(0, 300, 10)]


@pytest.fixture
def notebook(tmp_path):
    """Outputs of cells ↦ the file of a notebook."""

    def write(*cells, name="train.ipynb", **keys):
        path = tmp_path / name
        code = [{"cell_type": "code", "source": ["loss = 1.0\n"], "metadata": {}, "outputs": one} for one in cells]
        path.write_text(json.dumps({"cells": [*code, {"cell_type": "markdown", "source": []}], **keys}, indent=1))
        return path

    return write


def stream(*lines):
    return {"output_type": "stream", "name": "stdout", "text": [line + "\n" for line in lines]}


def losses(report):
    return [(int(step), loss) for step, loss in zip(report.curves.loss.step, report.curves.loss.value, strict=True)]


def test_what_cells_print_is_read_and_no_source_code(notebook):
    lines = [f"step {step} loss {loss}" for step, loss in FALLING]
    path = notebook([stream("Loading")], [], [stream(*lines[:10]), stream(*lines[10:])], nbformat=4)
    report = diagnose(path)
    assert losses(report) == FALLING
    assert report.log.format == "a notebook's output"


def test_a_notebook_of_an_old_format_has_its_cells_in_worksheets(notebook):
    path = notebook([stream(*(f"step {step} loss {loss}" for step, loss in FALLING))])
    cells = json.loads(path.read_text())["cells"]
    for name in ("metadata", "worksheets"):  # what such a file begins with
        old = {"metadata": {}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells, "metadata": {}}]}
        path.write_text(json.dumps({name: old.pop(name), **old}))
        assert losses(diagnose(path)) == FALLING


def test_a_table_that_a_trainer_draws_is_read(notebook):
    rows = "".join(f"<tr>\n <td>{step}</td>\n <td>{loss:.6f}</td>\n</tr>" for step, loss in FALLING)
    head = '<tr style="text-align: left;"><th>Step</th><th>Training Loss</th><th>Validation&nbsp;Loss</th></tr>'
    table = ["<table>", head, rows.replace("</tr>", "<td>1</td></tr>"), "</table>"]
    drawn = {"output_type": "display_data", "data": {"text/html": table}}
    assert losses(diagnose(notebook([drawn], nbformat=4))) == FALLING


def test_a_table_of_steps_and_losses_alone_is_read(notebook):
    rows = "".join(f"<tr><td>{step}</td><td>{loss}</td></tr>" for step, loss in FALLING)
    drawn = {"output_type": "display_data", "data": {"text/html": f"<tr><th>Step<th>Training Loss</tr>{rows}"}}
    assert losses(diagnose(notebook([drawn], nbformat=4))) == FALLING


def test_a_table_without_end_marks_is_read_in_a_single_pass(notebook):
    rows = "".join(f"<tr><td>{step}<td>{loss:.6f}\n" for step, loss in FALLING)
    table = f"<table><tr><th>Step<th>Loss\n{rows}</table><p>{'<' * 100_000}"
    drawn = {"output_type": "display_data", "data": {"text/html": table}}
    assert losses(diagnose(notebook([drawn], nbformat=4))) == FALLING


def test_a_notebook_may_begin_with_a_mark_of_the_order_of_bytes(notebook):
    path = notebook([stream(*(f"step {step} loss {loss}" for step, loss in FALLING))], nbformat=4)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert losses(diagnose(path)) == FALLING


def test_a_notebook_that_printed_nothing_says_so(notebook):
    with pytest.raises(InputError, match="is a notebook whose cells printed nothing"):
        read_log(notebook([], nbformat=4))


def test_a_notebook_is_not_followed(notebook):
    with pytest.raises(InputError, match="notebooks are read from a file, and not while they grow"):
        read_log(notebook([stream("step 1 loss 2")], nbformat=4), follow=lambda log: True)


def test_a_notebook_that_is_cut_off_is_refused(notebook):
    path = notebook([stream("step 1 loss 2")], nbformat=4)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="is a notebook whose cells printed nothing, or that is damaged"):
        read_log(path)
