"""The losses of a game of two networks: each is judged by itself."""

import numpy as np
import pytest

from gradcheck.logs.report import diagnose

NAMES = [
    ("g_loss", "d_loss"), ("loss_G", "loss_D"), ("generator_loss", "discriminator_loss"), ("G/loss", "D/loss"),
    ("train/gen_loss", "train/critic_loss"), ("lossGen", "lossDisc"),
]  # fmt: skip


def rows(first, second, change=lambda step, one, other: (one, other), norms=False):
    draw = np.random.default_rng(0)
    for step in range(200):
        losses = 1 + 0.3 * draw.standard_normal() ** 2, 0.69 + 0.05 * draw.standard_normal()
        norm = {"grad_norm": float(np.exp(0.2 * draw.standard_normal()))} if norms else {}
        yield {"step": step} | dict(zip((first, second), map(float, change(step, *losses)), strict=True)) | norm


@pytest.mark.parametrize("names", NAMES)
def test_a_game_at_its_balance_is_healthy_and_both_losses_are_named(names):
    report = diagnose(list(rows(*names)))
    assert report.verdict.status == "healthy"
    assert [one.name for one in report.log.columns if one.quantity == "loss"] == list(names)


@pytest.mark.parametrize("norms", [False, True])
@pytest.mark.parametrize("names", NAMES[:2])
def test_what_one_loss_does_is_said_of_it(names, norms):
    second = names[1]
    falls = diagnose(list(rows(*names, lambda step, one, other: (one, other * (step <= 120)), norms)))
    assert (falls.verdict.status, falls.verdict.first_step) == ("collapsed", 121)
    assert f"the loss {second} falls to exactly zero" in falls.findings[0].message
    grows = diagnose(list(rows(*names, lambda step, one, other: (one * 1.2 ** max(0, step - 120), other), norms)))
    assert grows.verdict.status == "exploding"
    assert f"the loss {names[0]} grows" in grows.findings[0].message
    assert "has won" in grows.findings[0].advice[0]
    broken = diagnose(list(rows(*names, lambda step, one, other: (one, other if step < 150 else np.nan), norms)))
    assert f"the loss {second} is not a number from step 150" in broken.findings[0].message


def test_a_loss_that_rises_because_the_other_network_gets_better_is_the_game():
    report = diagnose(
        list(rows("g_loss", "d_loss", lambda step, one, other: (one + 0.03 * step, 0.7 / (1 + step / 50))))
    )
    assert report.verdict.status == "healthy"


def test_of_the_parts_of_a_player_the_whole_counts():
    held = [
        row | {"loss_D_real": row["loss_D"] / 2, "loss_D_fake": row["loss_D"] / 2} for row in rows("loss_G", "loss_D")
    ]
    names = [one.name for one in diagnose(held).log.columns if one.quantity == "loss"]
    assert names == ["loss_G", "loss_D"]
    apart = [{name: value for name, value in row.items() if name != "loss_D"} for row in held]
    names = [one.name for one in diagnose(apart).log.columns if one.quantity == "loss"]
    assert names == ["loss_G", "loss_D_real + loss_D_fake"]


def test_parts_of_one_loss_are_no_game():
    report = diagnose([{"box_loss": 1.0, "d_loss": 2.0, "step": step} for step in range(30)])
    assert [one.name for one in report.log.columns if one.quantity == "loss"] == ["box_loss + d_loss"]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("{0}: G: {1:.3f} D: {2:.3f} lr: 0.0002", ["G", "D"]),
        ("[{0}/90] g={1:.3f}, d={2:.3f}", ["g", "d"]),
        ("step {0} | G {1:.3f} | D {2:.3f}", ["G", "D"]),
        ("step {0}, G: {1:.3f}, D_real: {2:.3f}, D_fake: {2:.3f}", ["G", "D_real + D_fake"]),
    ],
)
def test_letters_alone_are_losses_where_both_players_have_one(line, names, tmp_path):
    path = tmp_path / "run.log"
    path.write_text("\n".join(line.format(row, 1.2 + row % 3 / 10, 0.7 - row % 2 / 50) for row in range(30)))
    report = diagnose(path)
    assert [one.name for one in report.log.columns if one.quantity == "loss"] == names
    assert report.log.rows == 30


def test_both_losses_are_drawn_each_with_its_range():
    report = diagnose(list(rows("loss_G", "loss_D", lambda step, one, other: (3.5 + step % 2, 0.25 + step % 4 / 4))))
    assert [one.name for one in report.curves.players] == ["loss loss_G", "loss loss_D"]
    assert "loss loss_G 3.50 … 4.50" in str(report)
    assert "loss loss_D 0.250 … 1.00" in str(report)


def test_both_losses_are_on_the_page():
    pytest.importorskip("jinja2")
    assert "loss loss_D" in diagnose(list(rows("loss_G", "loss_D"))).to_html()


def test_the_losses_of_players_are_not_in_the_json():
    report = diagnose(list(rows("loss_G", "loss_D")))
    assert set(report.to_dict()["curves"]) == {"grad_norm", "loss"}
