"""Logs with a number a row, as Comet, MLflow's SQL and melted tables have them, and as charts are downloaded."""

import io
import json
import math
import zipfile

import pytest

from gradcheck.errors import InputError
from gradcheck.logs.reading import read_log
from gradcheck.logs.report import diagnose
from gradcheck.logs.series import Series

STEPS = list(range(30))
LOSSES = [2.0 - step / 100 for step in STEPS]
NORMS = [1.0 + step % 7 if step != 20 else math.inf for step in STEPS]

#: Numbers in the order of their names, not of their steps.
PAIRS = [(name, step, value) for name, values in (("train_loss", LOSSES), ("grad_norm", NORMS), ("accuracy", LOSSES))
         for step, value in zip(STEPS, values, strict=True)]  # fmt: skip


def assert_same(read):
    assert read.values("loss").tolist() == pytest.approx(LOSSES)
    assert read.norms[:20].tolist() + read.norms[21:].tolist() == NORMS[:20] + NORMS[21:]
    assert read.run.nonfinite.first_step == 20


def of_comet(name, step, value):
    """A number as Comet's ``get_metrics`` gives it: as text."""
    return {"metricName": name, "metricValue": str(value), "timestamp": 1757001865179, "step": step, "epoch": None}


def message(name, step, value):
    """A line of Comet's offline archive."""
    value = value if math.isfinite(value) else "Infinity"
    metric = {"epoch": None, "metricName": name, "metricValue": value, "step": step}
    return json.dumps({"payload": {"local_timestamp": 1, "metric": metric}, "type": "metric_msg"})


MESSAGES = "\n".join(['{"type": "parameter_msg", "payload": {"param": {}}}', *(message(*one) for one in PAIRS)])


def archive(**files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as written:
        for name, content in files.items():
            written.writestr(name, content)
    return packed.getvalue()


LONG = {
    "Comet's metrics": json.dumps([of_comet(*one) for one in PAIRS]).encode(),
    "Comet's metrics, on several lines": json.dumps([of_comet(*one) for one in PAIRS], indent=2).encode(),
    "Comet's offline messages": MESSAGES.encode(),
    "Comet's offline archive": archive(**{"experiment.json": "{}", "messages.json": MESSAGES}),
    "MLflow's table as CSV": "\n".join(
        ["key,value,timestamp,run_uuid,step,is_nan", *(
            f"{name},{value if math.isfinite(value) else '1.7976931348623157e+308'},17,a1,{step},0"
            for name, step, value in PAIRS
        )]
    ).encode(),
    "a melted table": "\n".join(["step;variable;value", *(f"{s};{name};{value}" for name, s, value in PAIRS)]).encode(),
    "Comet's charts": json.dumps({"k1": {"experimentKey": "k1", "metrics": [
        {"metricName": name, "values": values, "steps": STEPS, "epochs": [], "runContext": None}
        for name, values in (("train_loss", LOSSES), ("grad_norm", [*NORMS[:20], "Infinity", *NORMS[21:]]))
    ]}}).encode(),
    "trackio's snapshot": json.dumps({"project": "p", "metrics": {
        name: [{"step": step, "value": value} for step, value in zip(STEPS, values, strict=True)]
        for name, values in (("train_loss", LOSSES), ("grad_norm", NORMS))
    }}).encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_numbers_by_name_and_step_become_one_row_a_step(name, series):
    read = series(LONG[name])
    assert read.steps.tolist() == STEPS
    assert_same(read)


def test_runs_of_a_long_table_are_told_apart(tmp_path):
    path = tmp_path / "metrics.csv"
    rows = [f"{name},{value},{run},{step}" for run in ("b2", "a1") for name, step, value in PAIRS]
    path.write_text("\n".join(["key,value,run_uuid,step", *rows]))
    report = diagnose(path)
    assert (report.log.rows, len(report.runs), report.log.run) == (30, 2, "run 2 of 2 (run a1)")


def test_a_table_with_a_name_beside_a_loss_is_an_ordinary_one(series):
    rows = "\n".join(
        ["step,name,value,loss", *(f"{step},x,7,{loss}" for step, loss in zip(STEPS, LOSSES, strict=True))]
    )
    assert series(rows.encode()).values("loss").tolist() == pytest.approx(LOSSES)


def test_numbers_by_name_between_rows_of_a_loss_are_no_long_table(series):
    rows = [json.dumps({"step": step, "loss": loss}) for step, loss in zip(STEPS, LOSSES, strict=True)]
    mixed = "\n".join(['{"name": "throughput", "value": 7.5, "step": 0}', *rows])
    assert series(mixed.encode()).values("loss").tolist() == pytest.approx(LOSSES)


def test_an_archive_of_several_files_and_a_damaged_one_say_what_to_do(read):
    with pytest.raises(InputError, match=r"archive of several files \(a.csv, b.csv\); unpack it"):
        read(archive(**{"a.csv": "", "b.csv": ""}))
    with pytest.raises(InputError, match="damaged archive"):
        read(LONG["Comet's offline archive"][:500])


@pytest.mark.parametrize(
    ("place", "byte", "reason"),
    [(6, 0xFF, "zip file version"), (8, 0x01, "is encrypted"), (10, 0x63, "compression method")],
)
def test_an_archive_that_python_cant_unpack_says_why_and_what_to_do(read, place, byte, reason):
    packed = bytearray(archive(**{"a.csv": "step,loss\n1,2\n"}))
    packed[packed.index(b"PK\x01\x02") + place] = byte  # in the entry of the directory
    with pytest.raises(InputError, match=f"can't be opened .*{reason}.*; unpack it"):
        read(bytes(packed))


def test_names_of_several_parts_are_told_by_their_last_and_a_context_of_a_validation_is_none_of_the_training(read):
    head = "run.hash,run.name,metric.name,metric.context,metric.step,metric.epoch,metric.value"
    rows = [
        f'7c0f,base,loss,"{{""subset"": ""{subset}""}}",{step},0,{loss + more!r}'
        for subset, more in (("val", 1.0), ("train", 0.0))
        for step, loss in zip(STEPS, LOSSES, strict=True)
    ]
    found = Series(read("\n".join([head, *rows]).encode(), "aim.csv"))
    assert (found.steps.tolist(), found.values("loss").tolist()) == (STEPS, LOSSES)


# ---- what TensorBoard's page lets one download


def downloads(folder, run, suffix):
    for tag, values in (("train_loss", LOSSES), ("grad_norm", NORMS), ("accuracy", LOSSES)):
        rows = [(1.5e9 + step, step, value) for step, value in zip(STEPS, values, strict=True)]
        lines = ["Wall time,Step,Value", *(",".join(map(str, row)) for row in rows)]
        cleansed = [[time, step, value if math.isfinite(value) else "Infinity"] for time, step, value in rows]
        content = "\r\n".join(lines) if suffix == "csv" else json.dumps(cleansed)
        numbered = " (1)" if tag == "grad_norm" else ""
        (folder / f"run-{run}-tag-{tag}{numbered}.{suffix}").write_text(content)


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_files_of_one_run_and_several_tags_are_put_together(suffix, tmp_path):
    downloads(tmp_path, "train", suffix)
    read = Series(read_log(tmp_path))
    assert read.steps.tolist() == STEPS
    assert_same(read)
    assert read.log.reader.format == "TensorBoard's downloads"


def test_downloads_of_several_runs_are_several_runs(tmp_path):
    downloads(tmp_path, "a-tag", "csv")
    downloads(tmp_path, "b", "csv")
    assert sorted(name for name, _, _ in read_log(tmp_path).runs()) == ["a-tag", "b"]
