"""Annotations of a GitHub workflow, written so that nothing in them can end a command or start another."""

from gradcheck.render.style import without_controls

#: GitHub shows no more annotations of a step.
MOST = 10


def annotation(level: str, title: str, message: str, file: str | None = None) -> str:
    """Return one workflow command: an ``error``, ``warning`` or ``notice``, of a file if there is one."""
    where = "" if file is None else f"file={_property(file)},"
    return f"::{level} {where}title={_property(f'gradcheck {title}')}::{_data(message)}"


def _data(text: str) -> str:
    return without_controls(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
