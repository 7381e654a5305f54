"""What is loaded when it is asked for."""

import random
import sys

import pytest

from gradcheck.base.loading import named


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module that draws a random number when it is imported."""
    (tmp_path / "drawing_module.py").write_text("import random\n\nrandom.random()\n\n\ndef made():\n    return 5\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "drawing_module"
    sys.modules.pop("drawing_module", None)


def test_a_function_is_loaded_by_its_name(module):
    assert named(f"{module}:made")() == 5


def test_loading_leaves_pythons_own_random_numbers_as_they_were(module):
    before = random.getstate()
    named(f"{module}:made")
    assert random.getstate() == before


def test_they_stay_where_the_function_is_missing(module):
    before = random.getstate()
    with pytest.raises(AttributeError):
        named(f"{module}:nothing")
    assert random.getstate() == before


def test_printing_a_report_is_the_same_in_a_process_of_its_own():
    import subprocess

    code = (
        "import random, gradcheck\nreport = gradcheck.simulate(depth=2, width=4)\nbefore = random.getstate()\n"
        "str(report)\nassert random.getstate() == before"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
