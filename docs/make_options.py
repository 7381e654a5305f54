"""Writes docs/options.md, the reference of all options, from the table that the commands are made of.

Run it after an option changed: ``python docs/make_options.py``.
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from gradcheck.cli.app import COMMANDS
from gradcheck.cli.options import in_order, stated_default, stated_help
from gradcheck.spec.options.option import ARGUMENT, Option

PAGE = Path(__file__).with_name("options.md")

HEAD = """# Options

Made by `docs/make_options.py` from the table in `gradcheck/spec/options/`; a test holds it equal.
In Python an option has the name in the second column: `gradcheck.simulate(batch_size=32)`.
"""


def reference() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(line for name, home in COMMANDS.items() for line in _command(name, home))])


def _command(name: str, home: str) -> Iterator[str]:
    """Yield the lines of a command: a table for each group of its options."""
    module, _, function = home.partition(":")
    groups: dict[str, list[Option]] = {}
    for row in getattr(import_module(module), function).options:
        groups.setdefault(row.group, []).append(row)
    yield f"## gradcheck {name}\n"
    for group in in_order(groups):
        yield f"| {group} | in Python | default | | range |\n| --- | --- | --- | --- | --- |"
        yield from (f"| {' | '.join(cell.replace('|', '&#124;') for cell in _cells(row))} |" for row in groups[group])
        yield ""


def _cells(row: Option) -> Iterator[str]:
    name = row.name.replace("_", "-")
    flags = ", ".join(row.flags) or (f"--{name} / --no-{name}" if not row.metavar else f"--{name}")
    yield f"`{row.metavar}`" if row.group == ARGUMENT else f"`{f'{flags} {row.metavar}'.strip()}`"
    yield f"`{row.name}`"
    yield stated_default(row)
    yield stated_help(row)
    yield "" if row.range is None or row.names else str(row.range)


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
