"""Commands that are loaded when they are asked for."""

import sys

import pytest
import typer

from gradcheck.cli.app import COMMANDS
from gradcheck.cli.on_demand import OnDemand, group_of


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module with a command, not loaded yet."""
    (tmp_path / "late_command.py").write_text('def late(number: int = 3) -> None:\n    """Come late."""\n')
    monkeypatch.syspath_prepend(tmp_path)
    yield "late_command"
    sys.modules.pop("late_command", None)


def test_a_command_is_loaded_when_it_is_looked_at_and_once(module):
    commands = OnDemand({"late": f"{module}:late"}, {})
    assert list(commands) == ["late"]
    assert len(commands) == 1
    assert "late" in commands
    assert module not in sys.modules
    assert commands["late"].help == "Come late."
    assert module in sys.modules
    assert commands["late"] is commands.get("late")
    assert commands.get("never") is None


def test_commands_that_are_there_already_stand_behind(module):
    app = typer.Typer(cls=group_of({"late": f"{module}:late"}))

    @app.command()
    def early() -> None:
        """Come early."""

    @app.callback()
    def callback() -> None:
        """Do nothing."""

    group = typer.main.get_command(app)
    assert list(group.commands) == group.list_commands(None) == ["late", "early"]
    assert len(group.commands) == 2
    assert group.commands["early"].help == "Come early."


def test_every_command_of_the_application_has_its_name_and_a_help():
    for name in COMMANDS:
        command = OnDemand(COMMANDS, {})[name]
        assert command.name == name, name
        assert command.help, name
