#!/usr/bin/env bash
# A row of a log that is written above a tqdm bar stands below the bar of an older step, and a bar shows each step with
# the loss of the step before first.
#
# tqdm 4.70.1: a bar is drawn ten times a second at most. write() (so do transformers' and TRL's trainers) clears it,
# writes the line, and draws it anew. In a saved log the bar above the line is therefore that of the last drawing, which
# may be many steps ago; the bar below the line has the step. And update(1) followed by set_postfix(loss=...), as in
# Lightning's bar, draws step n twice: first with the loss of step n - 1. Who takes the bar before a row for its step, or
# the first loss beside a step, is off, by more the quicker the training is.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tqdm==4.70.1
"$folder/venv/bin/python" - <<'PYTHON'
import io
import re

from tqdm import tqdm

text = io.StringIO()
bar = tqdm(total=40, file=text)
for step in range(1, 41):
    bar.update(1)
    if step % 5 == 0:
        bar.write(f"row of step {step}", file=text)
bar.close()
places = re.findall(r"\| (\d+)/40 \[[^\r]*\r *\rrow of step (\d+)\n(?=[^|]*\|[^|]*\| (\d+)/40)", text.getvalue())
print("bar above, row, bar below:", places)
assert len(places) == 8
assert all(below == row for _, row, below in places)
assert sum(int(above) < int(row) for above, row, _ in places) >= 6

text = io.StringIO()
bar = tqdm(total=5, file=text, mininterval=0)
for step in range(1, 6):
    bar.update(1)
    bar.set_postfix(loss=10 * step)
bar.close()
drawn = [(int(at), int(loss)) for at, loss in re.findall(r"\| (\d)/5 \[.*?loss=(\d+)", text.getvalue())]
print("step and loss, as they are drawn:", drawn)
assert all((step, 10 * (step - 1)) in drawn and (step, 10 * step) in drawn for step in range(2, 6))
PYTHON
