"""Command lines made from the table of options, extreme but legal values among them: an answer, or one line."""

import os
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradcheck.spec.options.learning_rate import OF_RATES
from gradcheck.spec.options.option import Names, Number, Switch, Whole, rows
from gradcheck.spec.options.simulation import OF_SIMULATIONS, TheoryOptions
from gradcheck.spec.options.sweep import VARIED, CompareOptions
from gradcheck.spec.options.training import OF_DEMONSTRATIONS
from gradcheck.spec.options.transfer import OF_TRANSFERS

#: How many are made; a longer search is ``GRADCHECK_GENERATED=5000 pytest`` with this file.
MANY = int(os.environ.get("GRADCHECK_GENERATED", "25"))

#: Sizes that keep each run short.
SMALL = {
    "simulate": "--depth 3 --width 8 --batch-size 8",
    "theory": "--depth 3 --width 8",
    "clip-demo": "--network mlp --depth 2 --width 4 --epochs 1 --batch-size 512",
    "rate": "--depth 2 --width 4 --batch-size 64",
    "transfer": "--width 4,8 --steps 1 --seeds 1 --batch-size 8",
    "compare": "--depth 2,3 --width 4 --batch-size 4 --seeds 1 --workers 1",
}

FLOATS = (
    5e-324, 1e-308, 1e-300, 1e-200, 1e-170, 1e-155, 1e-100, 1e-50, 1e-8, 0.0, 0.5, 1.0, 2.0, 1e8, 1e50, 1e100, 1e154,
    1e155, 1e200, 1e300, 1.7e308, -1.0, -1e300,
)  # fmt: skip

#: Options whose larger values only take longer, and those that name files.
LEFT_OUT = {
    "depth", "width", "batch_size", "blocks", "model_width", "tokens", "preset", "data", "weights", "save_weights",
    "seeds", "epochs", "suggest", "phase_diagram", "clip", "network", "arch", "labels", "journal", "max_rows",
    "updates", "base_width", "base_depth", "heads",
}  # fmt: skip

OPTIONS = {
    "simulate": OF_SIMULATIONS, "theory": rows(TheoryOptions), "clip-demo": OF_DEMONSTRATIONS, "rate": OF_RATES,
    "transfer": OF_TRANSFERS,
    "compare": {**VARIED, **rows(CompareOptions)},
}  # fmt: skip


def words(name, row, several=False):
    """Return ways of typing an option, perhaps with two values."""
    flag = f"--{name.replace('_', '-')}"
    if isinstance(row.range, Switch):
        return st.sampled_from([flag, f"--no-{name.replace('_', '-')}"])
    values = ()
    if isinstance(row.range, Names):
        values = row.range.names
    if isinstance(row.range, Number):
        values = (*map(str, FLOATS), *row.range.names)
    if isinstance(row.range, Whole):
        values = [str(row.range.low + more) for more in (-1, 0, 1, 7)]
    if not values:
        return st.just("")
    typed = st.lists(st.sampled_from(values), min_size=1, max_size=2 if several else 1)
    return typed.map(lambda some: f"{flag} {','.join(some)}")


def lines(command):
    """Return command lines with up to four options, of compare with lists, and of simulate some other networks."""
    some = [
        words(name, row, command == "compare" and name in VARIED)
        for name, row in OPTIONS[command].items()
        if name not in LEFT_OUT
    ]
    sizes = [SMALL[command]]
    if command == "simulate":
        sizes += [f"--arch {name} --steps 4 --width 8 --batch-size 8" for name in ("rnn", "lstm", "gru")]
        sizes += ["--arch transformer --blocks 1 --model-width 8 --heads 2 --tokens 4 --batch-size 4"]
    options = st.lists(st.one_of(some), max_size=4)
    return st.builds(lambda size, more: " ".join([command, size, *more]), st.sampled_from(sizes), options)


@settings(max_examples=MANY, deadline=None, suppress_health_check=list(HealthCheck))
@given(line=st.one_of(map(lines, SMALL)), form=st.sampled_from(["", "--json"]))
def test_every_command_line_ends_with_an_answer_or_with_one_line(gradcheck, line, form):
    ended = gradcheck(f"{line} {form}")
    assert ended.returncode in (0, 2), ended.stderr
    if ended.returncode == 2:
        assert ended.stdout == ""
        assert ended.stderr.startswith(("error: ", "Usage: "))
        assert ended.stderr.count("\n") == 1
    else:
        assert ended.stdout
        assert not re.search(r"Traceback|\w+(Warning|Error): ", ended.stdout + ended.stderr)  # nor in a row of compare
