"""The pages of what a log shows: one for each kind of finding, and its command shows what the page says."""

import json
import math

import pytest

import gradcheck
from gradcheck import explain
from gradcheck.explanations import NAMES, TOPICS
from gradcheck.explanations.findings import FINDINGS
from gradcheck.logs.findings.finding import FINDING_KINDS


def run(steps=120, **columns):
    """Rows of a healthy run, some of their columns as functions of the step."""
    for step in range(steps):
        row = {"step": step, "loss": 2 / (1 + step / 50) + 0.01 * math.sin(step), "grad_norm": 1 + 0.2 * math.sin(step)}
        yield row | {name: value(step) for name, value in columns.items()}


#: A log of each kind that only logs have.
LOGS = {
    "not-learning": run(loss=lambda step: math.log(10) + 0.01 * math.sin(step)),
    "loss-rises": run(loss=lambda step: 1 + max(0, step - 60) / 30),
    "loss-jump": run(loss=lambda step: 1 - step / 500 + 3 * (step >= 80)),
    "spikes": run(grad_norm=lambda step: 1 + 0.2 * math.sin(step) + 500 * (step == 70)),
    "no-gradient": run(loss=lambda step: 2.3 + 0.01 * math.sin(step), grad_norm=lambda step: 0.0),
    "zeros": run(loss=math.sin, grad_norm=lambda step: float(step % 3 == 0)),
    "not-computed": run(grad_norm=lambda step: 0.0),
    "always-clipped": run(max_norm=lambda step: 0.1),
    "drifting": run(grad_norm=lambda step: 10 ** (step / 70) * (1 + 0.1 * math.sin(step))),
    "never-clipped": run(max_norm=lambda step: 100.0),
    "update-ratio": run(**{"update_ratio/a": lambda step: 1e-6}),
    "huge": run(loss=lambda step: 3e8 + 1e7 * math.sin(step), grad_norm=lambda step: 8e5),
    "too-short": run(10),
    "tiny": run(grad_norm=lambda step: 3e-9),
    "not-zeroed": run(grad_left=lambda step: 1.0),
    "scaled-norms": run(loss_scale=lambda step: 2.0 ** (step // 20), grad_norm=lambda step: 2.0 ** (step // 20)),
    "clipped-scaled": run(
        loss_scale=lambda step: 2.0 ** (8 + step // 20), grad_norm_after=lambda step: 0.5 ** (8 + step // 20)
    ),
}


@pytest.mark.parametrize("kind", FINDING_KINDS)
def test_every_finding_has_its_page(kind):
    assert explain(kind).topic.name == NAMES[kind] == kind


@pytest.mark.parametrize("kind", LOGS)
def test_the_command_shows_what_the_page_says(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.jsonl").write_text("".join(json.dumps(row) + "\n" for row in LOGS[kind]))
    report = gradcheck.diagnose("run.jsonl")
    (example,) = TOPICS[kind].examples
    assert example.command == "gradcheck diagnose run.jsonl"
    assert report.findings[0].kind == kind
    assert report.verdict.status == (example.verdict or "healthy")


@pytest.mark.parametrize("topic", FINDINGS, ids=lambda topic: topic.name)
def test_a_page_leads_to_the_check_for_its_finding(topic):
    (check,) = topic.try_next
    assert check.command == f"gradcheck diagnose run.jsonl --fail-on {topic.name}"


def test_every_page_has_a_log_that_shows_it():
    assert set(LOGS) == {topic.name for topic in FINDINGS}
