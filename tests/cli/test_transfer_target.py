"""``gradcheck transfer TARGET``: the user's own models, from the folder they are in."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

FOLDER = Path(__file__).parents[1] / "torch"


@pytest.fixture(scope="module")
def transfer(gradcheck):
    """Options ↦ how the command ended, in the models' folder."""
    return lambda line: gradcheck(f"transfer {line} --width 16,32,64", cwd=FOLDER)


@pytest.fixture(scope="module")
def grown(transfer):
    ended = transfer(
        "torch_models:wide --batch torch_models:batch --optimizer torch_models:adam --seeds 2 --steps 2 --fail-on grows"
    )
    assert ended.stderr == ""
    return ended


def test_the_models_are_those_that_target_builds_and_the_optimizer_is_the_users(grown):
    assert grown.stdout.startswith("torch_models:wide · 3 widths from 16 to 64 · 2 steps of torch_models:adam 0.01 ·")


def test_the_verdict_decides_on_the_exit_code(grown):
    assert "GROWS" in grown.stdout
    assert grown.returncode == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("torch_models:wide", "--input is not given; by the model's first layer it could be --input 32x32"),
        ("torch_models:wide --input 4x32 --depth 2,4", "--width or --depth: torch_models:wide is called with"),
        ("torch_models:wide --input 4x32 --arch mlp", "--arch is for networks that gradcheck draws itself: drop it"),
        ("--input 4x32", "--input is for models of your own: name what builds them"),
        ("torch_models:BATCH --input 4x32", "TARGET torch_models:BATCH is int: it has to be a function"),
        ("torch_models:batch --input 4x32", "TARGET called with 16 failed: TypeError"),
    ],
)
def test_what_doesnt_fit_is_said_in_a_line(line, said, transfer):
    ended = transfer(line)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
