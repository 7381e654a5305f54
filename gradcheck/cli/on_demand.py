"""A group of commands each of which is loaded when it is asked for: a command pays for itself only."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from gradcheck.base.loading import named


class OnDemand(Mapping[str, Any]):
    """Commands by their names, made from ``module:function`` when they are looked at; some may be there already."""

    def __init__(
        self,
        homes: Mapping[str, str],
        made: Mapping[str, Any],
        lines: Mapping[str, str] | None = None,
        examples: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._homes, self._made, self._lines, self._examples = homes, dict(made), lines or {}, examples or {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        if name not in self._made:
            from gradcheck.cli.options import GroupedCommand  # the version needs no options

            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            register = alone.command(name, cls=GroupedCommand, short_help=self._lines.get(name))
            register(named(self._homes[name]))
            self._made[name] = get_command(alone)
            self._made[name].examples = self._examples.get(name, ())
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._homes or name in self._made

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._homes, *self._made)))

    def __len__(self) -> int:
        return len(self._homes.keys() | self._made.keys())


def group_of(
    homes: Mapping[str, str],
    lines: Mapping[str, str] | None = None,
    examples: Mapping[str, Sequence[str]] | None = None,
) -> type[TyperGroup]:
    """Return the group of the commands in `homes`: name ↦ ``module:function``, in the order of the help.

    `lines` are what the help says of each in one line; its own first sentence, which may be cut, where there is none;
    `examples` are command lines that the help of each starts with.
    """

    class Group(TyperGroup):
        def __init__(self, **settings: Any) -> None:  # noqa: ANN401
            super().__init__(**settings)
            self.commands: Any = OnDemand(homes, self.commands, lines, examples)

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401
            return list(self.commands)  # the names alone: the group's own way would load every command

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
            if args[0] not in self.commands and not args[0].startswith("-") and not ctx.resilient_parsing:
                from gradcheck.cli.usage import unknown_command  # only a mistake pays for it

                raise unknown_command(args[0], list(homes))
            return super().resolve_command(ctx, args)

    return Group
