"""Files that are no logs, and no text: pictures of curves, checkpoints, arrays."""

_PICTURE = (
    "a picture: a curve in it has no numbers to read; download its data as CSV, or give what the training printed"
)
CHECKPOINT = "a checkpoint has weights, and no losses or norms; give the log that the training wrote"
_PICKLE = f"a pickle, as checkpoints are: {CHECKPOINT}"
_NO_TEXT = "not text; give the log that the training wrote: JSON Lines, CSV or what it printed"

_PACKED = "packed in a way that isn't unpacked here; unpack it, and give the log in it"
_TAR = "a tar archive: unpack it, and give the log in it, or the folder"

#: What a tar archive has at a place of its head.
TAR, AT = b"ustar", 257

#: How a file begins ↦ what it is, and what to give instead.
BEGINNINGS = {
    b"\x89PNG": _PICTURE, b"\xff\xd8\xff": _PICTURE, b"GIF8": _PICTURE, b"II*\0": _PICTURE, b"MM\0*": _PICTURE,
    b"%PDF": "a PDF: copy the numbers in it into a text file, a line a step",
    b"PAR1": "a Parquet table: in Python gradcheck.diagnose(pandas.read_parquet(FILE)) reads it",
    b"\x93NUMPY": "a NumPy array, whose numbers have no names: in Python gradcheck.diagnose({'loss': array}) reads it",
    b"7z\xbc\xaf": _PACKED, b"Rar!": _PACKED, b"\xfd7zXZ": _PACKED, b"BZh": _PACKED, b"\x28\xb5\x2f\xfd": _PACKED,
    b"\x89HDF": f"HDF5: {CHECKPOINT}",
    b"\x80\x02": _PICKLE, b"\x80\x03": _PICKLE, b"\x80\x04": _PICKLE, b"\x80\x05": _PICKLE,
}  # fmt: skip

#: So much of a file is looked at.
HEAD = 2**12

#: So large a part of the characters isn't text: of binary data it is a quarter and more.
MANY = 0.1


def program(path: object) -> str:
    """Return what a file of source code is, where it has no numbers; empty of any other name."""
    return "it is a program: give what it prints, or the log that it writes" if str(path).endswith(".py") else ""


def no_text(first: bytes) -> str:
    """Return what a file that begins so is, and what to give instead; empty of text, and of an event file.

    A crash may leave zeros in a log, and a damaged line bytes that are no UTF-8; older encodings have no zeros.
    """
    if first[:4] == b"RIFF" and first[8:12] == b"WEBP":
        return _PICTURE
    if first.startswith(b"<svg") or (first.startswith(b"<?xml") and b"<svg" in first[:HEAD]):
        return _PICTURE
    if first[AT:].startswith(TAR):
        return _TAR
    known = next((said for begins, said in BEGINNINGS.items() if first.startswith(begins)), "")
    head = first[:HEAD]
    if known or b"\0" not in head or b"\0" in head[1:8]:  # a record's length, at the head of an event file
        return known
    text = head.decode("utf-8", "replace")
    return _NO_TEXT if text.count("\ufffd") > MANY * len(text) else ""
