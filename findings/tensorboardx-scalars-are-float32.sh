#!/usr/bin/env bash
# A gradient norm that explodes or vanishes leaves the range of a TensorBoard event file long before that of a Python
# float.
#
# tensorboardX 2.6.5 (protobuf 7.36.2): add_scalar takes any Python float and stores it as a float32. A finite norm of
# 1e39 is read back as inf, one of 1e-46 as exactly 0, without an error or a warning. So an event file alone can't tell
# a gradient that overflowed from one that was only large, nor a dead network from one whose gradient is small.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    tensorboardX==2.6.5 protobuf==7.36.2 numpy==2.4.6
"$folder/venv/bin/python" - "$folder/run" <<'PYTHON'
import struct
import sys
from pathlib import Path

from tensorboardX import SummaryWriter
from tensorboardX.proto import event_pb2

folder = sys.argv[1]
with SummaryWriter(folder) as writer:
    for step, norm in enumerate((1e38, 1e39, 1e-45, 1e-46)):
        writer.add_scalar("grad_norm", norm, step)

# A record is its length (8 bytes), a checksum (4), the event, a checksum (4).
(file,) = Path(folder).iterdir()
content, at, read = file.read_bytes(), 0, []
while at < len(content):
    (length,) = struct.unpack_from("<Q", content, at)
    event = event_pb2.Event()
    event.ParseFromString(content[at + 12 : at + 12 + length])
    at += 16 + length
    read += [value.simple_value for value in event.summary.value]
print("logged 1e38, 1e39, 1e-45, 1e-46; read", read)
assert read[1] == float("inf") and read[3] == 0
assert 0.9e38 < read[0] < 1.1e38 and read[2] > 0
PYTHON
