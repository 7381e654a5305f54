"""The options of a command, from the rows of the table of options."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import Parameter, Signature
from itertools import chain
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.core import TyperCommand

from gradcheck.cli.shown import Shown
from gradcheck.errors import OptionError
from gradcheck.spec.options.measurement import VERDICT
from gradcheck.spec.options.network import NETWORK, RECURRENCE, TRANSFORMER
from gradcheck.spec.options.option import ARGUMENT, OUTPUT, Option, Switch, beginning, canonical, rows

#: The headings of the help, first to last; any other one comes before the output.
FIRST, LAST = (ARGUMENT, NETWORK, RECURRENCE, TRANSFORMER), (VERDICT, OUTPUT, "Options")

#: How Typer is asked for what it knows of the words.
CONTEXT = Parameter("call", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)

#: Characters of the column of names and values; longer ones take their own line.
COLUMN = 30


def command(
    *tables: type | Mapping[str, Option], shown: Iterable[Option]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function: it is called with the options of each table, and with how to show the result."""
    parts = [rows(table) if isinstance(table, type) else table for table in tables]
    showing = {row.name: row for row in shown}
    every = {name: row for part in parts for name, row in part.items()}

    def made(function: Callable[..., None]) -> Callable[..., None]:
        def run(call: typer.Context, **words: Any) -> None:  # noqa: ANN401
            sources = {name: call.get_parameter_source(name) for name in words}
            _refuse_slips(call.info_name or "", every, words)
            how = Shown.of(showing, words, {name for name, one in sources.items() if one and one.name != "DEFAULT"})
            function(*({name: words[name] for name in part} for part in parts), how)

        run.__name__, run.__module__, run.__doc__ = function.__name__, function.__module__, function.__doc__
        run.__annotations__ = {}
        options = tuple(row for part in (*parts, showing) for row in part.values())
        run.__signature__ = Signature([CONTEXT, *map(_parameter, options)])  # type: ignore[attr-defined]
        run.options = options  # type: ignore[attr-defined]
        return run

    return made


def _refuse_slips(command_name: str, table: Mapping[str, Option], words: Mapping[str, Any]) -> None:
    """Raise the error for a value that is the next option, or a list of names where one is taken."""
    for name, row in table.items():
        value, allowed, option = words.get(name), row.names, name.replace("_", "-")
        for word in value if isinstance(value, list) else (value,):
            if isinstance(word, str) and word.startswith("--") and _stem(word) in words:
                like = f", as in {row.varied[1]}" if row.varied and row.metavar == "LIST" else ""
                raise OptionError(name, f"needs a value before {word}{like}")
        if not isinstance(value, str):
            continue
        parts = value.split(",") if row.varied and allowed else []
        if len(parts) > 1 and {canonical(part, allowed) for part in parts} <= set(allowed):
            problem = f"takes one value in {command_name}; to compare several: gradcheck compare --{option} {value}"
            raise OptionError(name, problem)


def _stem(word: str) -> str:
    """Return what an option is called in Python: --no-shuffle ↦ shuffle."""
    return word[2:].removeprefix("no-").replace("-", "_")


def _parameter(row: Option) -> Parameter:
    """Return a row as a parameter that Typer understands."""
    default = row.default if row.usual is None else None
    settings: dict[str, Any] = {
        "metavar": row.metavar or None,
        "help": stated_help(row),
        "show_default": True if row.usual is None else row.usual,
        "callback": _reading(row),
        "readable": False,  # of a file's name: what reads or writes it says what is wrong
        "autocompletion": row.completion or (beginning(*row.names) if row.names else None),
    }
    if row.group == ARGUMENT:
        info = typer.Argument(**settings)
    else:
        info = typer.Option(*row.flags, rich_help_panel=row.group, **settings)
    given = Parameter.empty if default is ... else default
    return Parameter(row.name, Parameter.KEYWORD_ONLY, default=given, annotation=Annotated[_typed(row, default), info])


def _reading(row: Option) -> Callable[[Any], Any] | None:
    """Return what turns a word, or none, into the value of an option that Typer can't read by its type."""
    parse = row.parse
    if parse:
        return lambda value: None if value is None else parse(row.name, value)
    return (lambda value: value or ()) if row.default == () else None


def _typed(row: Option, default: object) -> Any:  # noqa: ANN401
    """Return the type of what is typed: of several the first; a word if it is parsed, words if it is a sequence."""
    kinds = get_args(row.type) if isinstance(row.type, UnionType) else (row.type,)
    first = next(kind for kind in kinds if kind is not NoneType)
    word = str if row.parse else list[str] if get_origin(first) else first
    return word if default is not None else word | None


def stated_help(row: Option) -> str:
    """Return what the help says of an option: its sentence, and the names that it takes."""
    return row.help if row.help.endswith(".") or not row.names else f"{row.help}: {' '.join(row.names)}."


def stated_default(row: Option) -> str:
    """Return what the help says of an option's default; nothing where there is none to state."""
    if row.usual is not None or row.default in (None, ..., ()):
        return row.usual or ""
    return {True: "yes", False: "no"}.get(row.default, str(row.default)) if row.type is bool else str(row.default)


def in_order(headings: Iterable[str]) -> list[str]:
    """Return headings in the order of the help."""
    first, last = ({name: place for place, name in enumerate(names)} for names in (FIRST, LAST))
    return sorted(headings, key=lambda name: (name in last, last.get(name, first.get(name, len(first)))))


def completed_lists(row: Option) -> Callable[[str], list[str]] | None:
    """Return a completion of comma lists of the names that an option takes; None where it takes none."""
    names = row.names or (("yes", "no", "both") if isinstance(row.range, Switch) else ())

    def last_of(incomplete: str) -> list[str]:
        before, comma, start = incomplete.rpartition(",")
        given = before.split(",")
        return [f"{before}{comma}{name}" for name in names if name.startswith(start) and name not in given]

    return last_of if names else None


def _help_record(parameter: Any, context: Any) -> list[tuple[str, str]]:  # noqa: ANN401
    """Return the row of a parameter in the help, if it has one, without the brackets Typer puts around `usual`."""
    record = parameter.get_help_record(context)
    return [(record[0], re.sub(r"\[default: \((.*)\)\]$", r"[default: \1]", record[1]))] if record else []


class GroupedCommand(TyperCommand):
    """A command whose help shows its options in groups."""

    examples: Sequence[str] = ()

    def format_help_text(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write what the command does, and some command lines to start from."""
        super().format_help_text(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write each group of options under its heading, in columns of one width."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            heading = (
                ARGUMENT
                if parameter.param_type_name == "argument"
                else getattr(parameter, "rich_help_panel", None) or LAST[-1]
            )
            groups.setdefault(heading, []).extend(_help_record(parameter, ctx))
        arguments, options = groups.pop(ARGUMENT, []), {name: groups[name] for name in in_order(groups)}
        if len(options) == 2:  # too few for headings
            options = {LAST[-1]: list(chain.from_iterable(options.values()))}
        width = min(COLUMN, max(len(words) for records in options.values() for words, _ in records))
        if arguments:
            with formatter.section(ARGUMENT):
                formatter.write_dl(arguments)
        for heading, records in options.items():
            with formatter.section(heading):
                formatter.write_dl([(words.ljust(width), text) for words, text in records], col_max=width)
