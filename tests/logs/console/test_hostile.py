"""Whatever a console shows: no exception but gradcheck's own, and bounded memory."""

import contextlib
import re
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.errors import GradcheckError
from gradcheck.logs.console.console import Console
from gradcheck.logs.console.kinds import MOST_KINDS
from gradcheck.logs.console.values import cut, pairs
from gradcheck.logs.reading import read_log
from gradcheck.logs.report import diagnose
from gradcheck.logs.text import as_text

SHAPES = run_path(str(Path(__file__).with_name("shapes.py")))
TEXTS = [text(steps=12) for text in (SHAPES["CONSOLES"] | SHAPES["EPOCHS"]).values()]

PIECES = (
    "loss: grad_norm= step epoch [ ] 3/20 ( ) { } ' \" | || nan inf None 1e5 -0.0 1,234 1e999 , ; : = "
    "\r \n \x1b[36m 5%|## val "
    'Traceback OVERFLOW! scale tensor( np.float64( ETA - 100/100 [====] 轮 \ufeff \x00 {"loss": 1} % 9'
)

pieces = st.sampled_from(PIECES.split(" "))


@pytest.fixture(scope="module")
def diagnosed(tmp_path_factory):
    """Bytes ↦ their report, if there is one."""
    path = tmp_path_factory.mktemp("logs") / "run.log"

    def run(content):
        path.write_bytes(content)
        with contextlib.suppress(GradcheckError):
            as_text(diagnose(path))

    return run


@settings(max_examples=30)
@given(text=st.lists(st.one_of(pieces, st.text(max_size=6)), max_size=60).map(" ".join))
def test_no_text_breaks_the_reader(text, diagnosed):
    diagnosed(text.encode("utf-8", "surrogatepass"))


@given(
    text=st.sampled_from(TEXTS),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=12)), min_size=1, max_size=6),
)
def test_no_mutation_of_a_shape_breaks_the_reader(text, cuts, diagnosed):
    content = text.encode()
    for place, length, put in cuts:
        at = int(place * len(content))
        content = content[:at] + put + content[at + length :]
    diagnosed(content)


@pytest.mark.parametrize("blank", ["\xa0", "\u2003", "\x1f", "\u3000"])
def test_a_name_of_blanks_of_another_kind_is_none(blank, diagnosed):
    diagnosed((f"step 1 {blank}: 2.0, loss 1.0\n" * 30).encode())


@settings(max_examples=30)
@given(line=st.text(max_size=120))
def test_a_line_is_the_texts_around_its_numbers_and_the_numbers(line):
    shape, numbers = cut(line)
    assert len(shape) == len(numbers) + 1
    assert all(0 <= pair.place < len(numbers) for pair in pairs(shape))


def test_lines_that_are_too_long_are_left_out_and_told(tmp_path):
    path = tmp_path / "run.log"
    good = "".join(f"step {step} loss 1.0\n" for step in range(30))
    path.write_text(good + "loss " + "1.0 " * 100_000 + "\n" + good.replace("step ", "step 1"))
    assert "8 KiB" in read_log(path).problems.lines()[0]


def test_ever_new_shapes_are_not_remembered_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("gradcheck.logs.console.console.MOST_SHAPES", 100)
    path = tmp_path / "run.log"
    path.write_text("".join(f"step {step} loss 1.0 word{'x' * (step % 77)}{step}y\n" for step in range(300)))
    log = read_log(path)
    assert isinstance(log.reader, Console)
    assert len(log.reader._plans) <= 100
    assert len(log.tables) <= MOST_KINDS + 2


def test_a_growing_console_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "run.log"
    path.write_text("".join(f"step {step} loss 1.0\n" for step in range(10)))
    seen = []

    def more(log):
        seen.append(log.table.rows_read)
        if len(seen) == 2:
            with path.open("a") as file:
                file.write("".join(f"step {step} loss 1.0\n" for step in range(10, 30)))
        return len(seen) > 4 or seen[-1] == 30

    log = read_log(path, follow=more)
    assert log.table.rows_read == 30
    assert np.array_equal(log.table.kept()[0][:, 0], np.arange(30))


def test_names_in_the_text_are_shown_without_control_characters(tmp_path):
    path = tmp_path / "run.log"
    path.write_text("".join(f"step {step} train\x07loss: 1.0 grad_norm: 1.0\n" for step in range(30)))
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", as_text(diagnose(path)))
