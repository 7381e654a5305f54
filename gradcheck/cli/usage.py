"""What the parser refuses, in our words: what was typed, what is allowed, what to type instead."""

import re
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from gradcheck.errors import GradcheckError, did_you_mean, folded
from gradcheck.spec.options.sweep import VARIED

#: What the parser says of a value of another type, and of a word that has no place.
NO_NUMBER = re.compile(r"(.+) is not a valid (int|float)", flags=re.DOTALL)
ONE_TOO_MANY = re.compile(r"Got unexpected extra argument\(?s?\)? \((.+)\)", flags=re.DOTALL)

#: Types as one says them.
SAID = {"int": "a whole number", "float": "a number"}

#: Options of other tools ↦ what they are called here, or why there is none.
ELSEWHERE = {
    "--device": "a simulation runs on the CPU, a model that probe is given where it is",
    "--num-layers": "layers are counted by --depth", "--n-layer": "layers are counted by --depth",
    "--n-layers": "layers are counted by --depth",
    "--hidden-size": "units of a layer are --width", "--hidden": "units of a layer are --width",
    "--hidden-dim": "units of a layer are --width", "--units": "units of a layer are --width",
    "--nonlinearity": "that is --activation", "--num-heads": "heads are --heads", "--n-heads": "heads are --heads",
    "--d-model": "the width of a transformer is --model-width", "--dropout": "dropout isn't simulated",
    "--seq-len": "a transformer's length is --tokens, a recurrent network's --steps",
    "--model": "a network is described by --arch or --preset, your own model is looked at by gradcheck probe",
    "--learning-rate": "a learning rate is --lr", "--verbose": "everything is shown unless --quiet is given",
    "-v": "the version is --version; everything is shown unless --quiet is given",
}  # fmt: skip

#: How the files end that a run writes.
LOGS = (".jsonl", ".csv", ".json", ".log", ".txt", ".gz")

#: Characters of an option that is too short to be a beginning.
SHORTEST = 3

#: What other programs take for yes and no.
SWITCHED = ("yes", "no", "true", "false", "on", "off", "1", "0")

#: How several values are typed.
SEVERAL = "options start with --, and several values are joined by commas, as in gradcheck compare --depth 10,50"

#: Commands without such options ↦ how many words they take.
WORDS = {
    "diagnose": "it reads one log, or compares two; of more, give their folder",
    "explain": "it takes one topic, whose words are joined by -, as in gradcheck explain chain-rule",
}


def in_words(error: Any) -> str:  # noqa: ANN401
    """Return what is wrong with a command line; the parser's classes are private, and known by what they carry."""
    context, parameter = error.ctx, getattr(error, "param", None)
    if hasattr(error, "option_name") and not hasattr(error, "possibilities"):
        return f"{error.option_name} needs a value{_as_in(error.option_name)}"
    if context is None:
        return str(error.format_message())
    if hasattr(error, "possibilities"):
        return _unknown_option(error.option_name, context)
    if parameter is not None and not error.message:
        return _missing(parameter, context)
    if parameter is not None and (found := NO_NUMBER.match(error.message)):
        return _no_number(parameter, found[1], found[2], context)
    if found := ONE_TOO_MANY.match(error.message):
        return _misplaced(found[1], context)
    return str(error.format_message())


def _as_in(option: str) -> str:
    """Return values of an option as one types them in a comparison; nothing in other commands."""
    row = VARIED.get(option.removeprefix("--").replace("-", "_"))
    compares = sys.argv[1:2] == ["compare"]  # the parser's error doesn't know the command
    return f", as in {row.varied[1]}" if row is not None and row.varied and compares else ""


def _misplaced(word: str, context: Any) -> str:  # noqa: ANN401
    """Return what a word that has no place may have meant: an option, or the value of a switch."""
    name, equals, value = word.partition("=")
    flags, before = _flags(context.command), sys.argv[sys.argv.index(name) - 1] if name in sys.argv else ""
    no_place = f"{word} has no place in gradcheck {context.info_name}"
    if equals and f"--{name}" in flags:
        return f"{no_place}; write --{name} {value}"
    if before in flags and name.lower() in SWITCHED:
        other = f"--no-{before[2:]}"
        return f"{no_place}: {before} takes no value{f', and its opposite is {other}' if other in flags else ''}"
    if ":" in word.strip(":") and not re.fullmatch(r"[-+.\d:]+", word):
        rate = " --batch MODULE:FUNCTION --rate" if context.info_name == "rate" else ""
        return f"{no_place}; to look at your own model: gradcheck probe {word}{rate}"
    return f"{no_place}: {WORDS.get(context.info_name, SEVERAL)}"


def unknown_command(name: str, commands: Collection[str]) -> GradcheckError:
    """Return the error for a command that there is not: it names what may have been meant."""
    from gradcheck.explanations import NAMES
    from gradcheck.spec.presets import PRESETS

    word = name.lower().replace("_", "-")
    if word == "help":
        meant = "gradcheck --help lists the commands, gradcheck COMMAND --help the options of one"
    elif word == "version":
        meant = "gradcheck --version prints it"
    elif word in PRESETS:
        meant = f"it is a published transformer: gradcheck simulate --preset {word}"
    elif word in NAMES:
        meant = f"to read about it: gradcheck explain {word}"
    elif name.endswith(".py"):
        meant = f"to look at a model in it: gradcheck probe {Path(name).stem}:build"
    elif name.endswith(LOGS) or Path(name).exists():
        meant = f"to read a log: gradcheck diagnose {name}"
    elif ":" in name:
        meant = f"to look at your own model: gradcheck probe {name}"
    else:
        meant = f"{did_you_mean(word, commands)}allowed: {', '.join(commands)}"
    return GradcheckError(f"there is no command {name!r}; {meant}")


def _unknown_option(option: str, context: Any) -> str:  # noqa: ANN401
    """Return what an option that there is not may have meant: another name, or an option of another command."""
    command, commands = context.info_name, getattr(context.find_root().command, "commands", {})
    own = _flags(context.command)
    there = [name for name in commands if name != command and option in _flags(commands[name])]
    meant = next((said for other, said in ELSEWHERE.items() if folded(other) == folded(option)), None)
    near = did_you_mean(option, own, cutoff=0.9) or _begun(option, own) or did_you_mean(option, own, cutoff=0.75)
    whole = next((f"-{word}" for word in sys.argv[1:] if word.startswith(option) and f"-{word}" in own), None)
    if option.removeprefix("--") in commands and not context.parent:
        meant = f"write gradcheck {option.removeprefix('--')}"
    elif whole:  # -depth 5, of which the parser takes -d
        meant = f"write {whole}"
    elif meant is None and there and not near:
        meant = f"it is an option of {' and '.join(f'gradcheck {name}' for name in there[:2])}"
        meant += "" if context.parent else f": gradcheck {there[0]} {option} …"
    of = f"gradcheck {command}" if context.parent else "gradcheck"
    said = near if meant is None else f"{meant}; "
    return f"{option} is no option of {of}; {said}{context.command_path} --help lists all"


def _begun(option: str, flags: Iterable[str]) -> str:
    """Return a question after the flag that goes on as an option begins, or begins it; nothing where none does.

    Of several it is the one that is most like it: ``--norm-position`` means ``--norm-placement``.
    """
    there = list(flags) if len(option) > SHORTEST else []
    alike = [flag for flag in there if flag.startswith(option) or option.startswith(flag)]
    longer = [flag for flag in there if any(flag.startswith(f"{one}-") for one in alike if one in option)]
    return did_you_mean(option, (*alike, *longer), cutoff=0)


def _flags(command: Any) -> list[str]:  # noqa: ANN401
    return [flag for one in command.params for flag in (*one.opts, *one.secondary_opts) if flag.startswith("--")]


def _missing(parameter: Any, context: Any) -> str:  # noqa: ANN401
    """Return what is missing, and the command line that has it."""
    name = parameter.metavar or parameter.name.upper()
    examples: Iterable[str] = getattr(context.command, "examples", ())
    like = next((f"; for example: {one}" for one in examples), "")
    piped = context.info_name == "diagnose" and sys.stdin is not None and not sys.stdin.isatty()
    return f"{name} is missing: {context.command_path} {name}{like}" + ("; - reads standard input" if piped else "")


def _no_number(parameter: Any, shown: str, kind: str, context: Any) -> str:  # noqa: ANN401
    """Return what is wrong with a word where a number is expected; several of them are of a comparison."""
    option, value = parameter.opts[0], shown[1:-1]
    if value in _flags(context.command):
        return f"{option} needs a value before {value}"
    several = re.fullmatch(r"[-+.\de]+([,:][-+.\de]+)+(log|lin)?", value)
    if several and parameter.name in VARIED:
        return (
            f"{option} takes one value in {context.info_name}; to compare several: gradcheck compare {option} {value}"
        )
    whole = re.fullmatch(r"\d+(\.\d*)?(e\d\d?)?", value) if kind == "int" else None
    meant = f"; write {float(value):.0f}" if whole and float(value).is_integer() else ""
    return f"{option} {shown} is not {SAID[kind]}{meant}"
