"""``--plot FILE``: the figure goes there whole or not at all, the result where it went before."""

import re
import sys
from pathlib import Path

import pytest

SMALL = "simulate --depth 4 --width 8"

#: Command line ↦ the ending of its figure's file, and how the file begins.
DRAWN = {
    f"{SMALL} --no-suggest": (".svg", b"<?xml"),
    "theory --depth 5": (".pdf", b"%PDF-"),
    "compare --depth 2,3 --width 8 --seeds 1 --workers 1": (".png", b"\x89PNG"),
    "clip-demo --clip none --width 4 --epochs 1": (".SVG", b"<?xml"),
    "rate --depth 2 --width 4 --activation tanh --updates 6": (".svg", b"<?xml"),
    "transfer --width 4,8 --steps 1 --seeds 1": (".svg", b"<?xml"),
    "verify --only loss": (".svg", b"<?xml"),
    "diagnose run.csv": (".svg", b"<?xml"),
}


@pytest.fixture
def drawing():
    """Where matplotlib isn't installed, what draws is not tested."""
    pytest.importorskip("matplotlib")


@pytest.fixture
def folder(tmp_path):
    rows = (f"{step},1.5,{step}\n" for step in range(1, 40))
    (tmp_path / "run.csv").write_text("step,loss,grad_norm\n" + "".join(rows))
    return tmp_path


@pytest.mark.parametrize("line", DRAWN)
def test_every_command_with_a_report_draws_beside_its_result(line, drawing, gradcheck, folder):
    ending, start = DRAWN[line]
    ended = gradcheck(f"{line} --plot figure{ending}", cwd=folder)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (folder / f"figure{ending}").read_bytes().startswith(start)
    without = gradcheck(line, cwd=folder).stdout
    assert ended.stdout.splitlines()[1:] == without.splitlines()[1:] or "verify" in line  # which says how long it took


def test_a_models_figure_is_drawn(drawing, gradcheck, tmp_path):
    pytest.importorskip("torch")
    layers = "torch.nn.Linear(4, 3), torch.nn.Linear(3, 2)"
    (tmp_path / "mine.py").write_text(f"import torch\nmodel = torch.nn.Sequential({layers})\n")
    ended = gradcheck("probe mine:model --input 8x4 --json --plot figure.svg", cwd=tmp_path)
    assert (ended.returncode, ended.stdout[:1]) == (0, "{")
    assert b"<svg" in (tmp_path / "figure.svg").read_bytes()


def test_the_figure_is_the_same_beside_any_format_and_where_nothing_is_printed(drawing, gradcheck, folder):
    for number, form in enumerate(("--format json", "--format csv", "--quiet --no-suggest", "--json -o report.json")):
        assert gradcheck(f"{SMALL} {form} --plot {number}.svg", cwd=folder).returncode == 0
    assert len({(folder / f"{number}.svg").read_bytes() for number in range(4)}) == 1


def test_rows_that_are_printed_as_they_finish_are_drawn_in_the_end(drawing, gradcheck, folder):
    line = "compare --depth 2,3 --width 8 --seeds 1 --workers 1 --format jsonl --plot figure.svg"
    ended = gradcheck(line, cwd=folder)
    assert (ended.returncode, ended.stdout.count("\n")) == (0, 2)
    assert (folder / "figure.svg").exists()


def test_the_figure_of_a_sweep_has_the_rows_that_are_shown(drawing, gradcheck, folder):
    line = "compare --depth 2,3,4 --width 8 --seeds 1 --workers 1 --top 2 --json --plot figure.svg"
    assert gradcheck(line, cwd=folder).returncode == 0
    assert "the best 2 of 3" in (folder / "figure.svg").read_text()


def test_a_comparison_with_a_baseline_is_drawn(drawing, gradcheck, folder):
    gradcheck(f"{SMALL} --json -o old.json", cwd=folder)
    assert gradcheck("compare --baseline old.json --gain 4 --plot figure.svg", cwd=folder).returncode == 0
    assert "REGRESSION" in (folder / "figure.svg").read_text()


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("figure.jpg", "--plot figure.jpg ends with .jpg; the file's ending says what is drawn: .svg, .png, .pdf"),
        ("figure", "--plot figure has no ending; the file's ending says what is drawn: .svg, .png, .pdf"),
        ("nowhere/figure.svg", "nowhere/figure.svg: can't be written: the folder nowhere doesn't exist; make it first"),
        ("folder.svg", "folder.svg: can't be written: it is a folder; name a file in it"),
        ("result.svg --output result.svg --format json", "result.svg promises svg"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_any_work(file, problem, gradcheck, folder, contents, monkeypatch):
    (folder / "folder.svg").mkdir()
    monkeypatch.setattr("gradcheck.simulation.simulate.simulate", lambda **options: pytest.fail("work was done"))
    before = contents(folder)
    ended = gradcheck(f"{SMALL} --plot {file}", cwd=folder)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert problem in ended.stderr
    assert contents(folder) == before


def test_figure_and_result_do_not_share_a_file(gradcheck, folder):
    (folder / "report.svg").symlink_to("report.json")
    ended = gradcheck(f"{SMALL} --json -o report.json --plot report.svg", cwd=folder)
    assert ended.returncode == 2
    assert "report.svg is where --output writes the result: name another file" in ended.stderr


def test_without_matplotlib_the_error_says_what_to_install(gradcheck, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ended = gradcheck(f"{SMALL} --plot figure.svg", cwd=folder)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--plot: needs matplotlib; install it with: pip install matplotlib" in ended.stderr


def test_what_fails_while_it_is_drawn_leaves_nothing(drawing, gradcheck, folder, contents, monkeypatch):
    from gradcheck.render import figure

    (folder / "figure.svg").write_text("before")
    monkeypatch.setattr(figure.Figure, "savefig", lambda *_, **__: 1 / 0)
    ended = gradcheck(f"{SMALL} --no-suggest --plot figure.svg", cwd=folder)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert contents(folder)["figure.svg"] == b"before"


def test_every_picture_of_the_page_is_small_and_has_its_command():
    page = (Path(__file__).parents[2] / "docs/how-to/plots.md").read_text(encoding="utf-8")
    drawn = re.findall(r"^    gradcheck .* --plot (.*)\n\n!\[.+\]\(plots/(.*)\)$", page, flags=re.MULTILINE)
    pictures = Path(__file__).parents[2] / "docs/how-to/plots"
    assert [one for one, _ in drawn] == [other for _, other in drawn]
    assert {one for one, _ in drawn} == {path.name for path in pictures.iterdir()}
    assert [path.name for path in pictures.iterdir() if path.stat().st_size > 100_000] == []


def test_matplotlib_is_loaded_for_a_figure_only(python):
    pytest.importorskip("matplotlib")
    told = "import sys; from gradcheck.cli import run; run(); print('matplotlib' in sys.modules, file=sys.stderr)"
    assert python("-c", told, *SMALL.split(), "--json").stderr.strip() == "False"
