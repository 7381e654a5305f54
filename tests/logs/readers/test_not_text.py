"""Files that are no text: what they are, and what to give instead."""

import io
import pickle
import struct
import zipfile

import pytest

from gradcheck.errors import InputError
from gradcheck.logs.reading import read_log

BYTES = bytes(range(256)) * 9


def packed(*names):
    """A zip archive of files by these names."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name in names:
            archive.writestr(name, BYTES)
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + BYTES, "is a picture: .* download its data as CSV"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF" + BYTES, "is a picture"),
        (b"RIFF" + struct.pack("<I", 9) + b"WEBP" + BYTES, "is a picture"),
        (b'<?xml version="1.0"?>\n<svg viewBox="0 0 9 9"><path d="M1 2"/></svg>', "is a picture"),
        (b'<svg viewBox="0 0 9 9"><path d="M1 2"/></svg>', "is a picture"),
        (b"%PDF-1.7\n" + BYTES, "is a PDF"),
        (b"PAR1" + BYTES, "is a Parquet table"),
        (b"\x93NUMPY\1\0" + BYTES, "is a NumPy array"),
        (b"log.txt".ljust(257, b"\0") + b"ustar\x0000" + BYTES, "is a tar archive: unpack it"),
        (b"7z\xbc\xaf\x27\x1c" + BYTES, "is packed in a way that isn't unpacked here"),
        (b"\xfd7zXZ\0" + BYTES, "is packed in a way"),
        (pickle.dumps({"loss": [1.0, 2.0]}), "is a pickle"),
        (packed("model/data.pkl", "model/data/0"), "is what torch.save wrote: a checkpoint has weights"),
        (b"some head" + BYTES, "is not text; give the log"),
    ],
)
def test_a_file_that_is_no_text_is_called_what_it_is(content, said, tmp_path):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_log(tmp_path / "x")


def test_a_program_is_no_log_of_what_it_prints(tmp_path):
    (tmp_path / "train.py").write_text("import torch\nrate = 0.1\n")
    with pytest.raises(InputError, match=r"\(it is a program: give what it prints, or the log that it writes\)"):
        read_log(tmp_path / "train.py")


@pytest.mark.parametrize("between", [b"\0" * 4096, "Wärme 0.3 °C, 学习率\n".encode(), b"\xff\xfe\0\n"])
def test_zeros_and_damaged_lines_leave_a_log_what_it_is(between, tmp_path):
    lines = b"".join(b"step %d loss %.2f grad_norm 0.5\n" % (step, 3 - step / 50) for step in range(40))
    (tmp_path / "x").write_bytes(lines + between + lines.replace(b"step ", b"step 1"))
    assert len(read_log(tmp_path / "x").table.kept()[0]) >= 40
