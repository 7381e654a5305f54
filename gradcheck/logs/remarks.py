"""What is said about a log beside its diagnosis: what was guessed, left out, or stands in it more than once."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gradcheck.errors import InputError
from gradcheck.logs.columns import BAR, PART, Column
from gradcheck.logs.console.unnamed import ASKED
from gradcheck.logs.console.unnamed import NAME as UNNAMED
from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.findings.phrases import step_text
from gradcheck.logs.series import Series
from gradcheck.logs.words import is_an_error, is_bare_gradient, words


def _guessed(series: Series, asked: Mapping[str, str]) -> tuple[str, str]:
    """Return why a number may be no loss that nobody said is one, and what to say if it is; nothing of any other."""
    name = series.names.get(Column("loss"), "")
    if "loss" in asked or not (name == UNNAMED or is_an_error(name)):
        return "", ""
    return ("its numbers have no names", ASKED) if name == UNNAMED else (f"it has no loss but {name!r}", _asked(name))


def _asked(name: str) -> str:
    return f"say --column loss={shlex.quote(name)}"


def check_guess(series: Series, asked: Mapping[str, str], found: Sequence[Finding], file: str) -> None:
    """Raise an error where a run would be accused by numbers that may be no losses: a nan or inf says it by itself."""
    serious = [one for one in found if one.weight != NOTE]
    why, ask = _guessed(series, asked)
    if serious and why and all(one.kind != "nonfinite" for one in serious):
        kind, where = serious[0].kind, step_text(serious[0].first_step)
        by = "step" if series.has_steps else "row"
        said = f"{why}; as losses they would be {kind} from {by} {where} on: if they are, {ask}"
        raise InputError(file, f"{said}, and if not, name columns step, loss, grad_norm")


def warnings(series: Series, asked: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with a log, or was guessed."""
    why, ask = _guessed(series, asked)
    if why:
        what = "those after a step are its loss" if ask == ASKED else "it stands for one"
        yield f"{why}: that {what} is a guess, and all below depends on it; if it is right, {ask}"
    several = [name for name, _, _ in series.log.runs()]
    if len(several) > 1:
        yield f"it holds {len(several)} runs; judged is the last one ({several[-1]}), the others are told in short"
    if beside := series.log.beside:
        yield f"judged is {series.log.name}; of the same run, with less of its gradients: {', '.join(beside)}"
    if series.log.reader.last_word:
        yield f"the log ends with {series.log.reader.last_word!r}"
    back = series.run.steps_back
    if series.run.newest_first:
        yield "the steps fall from row to row: its newest row is the first, and it is read from the last one on"
    elif back:
        times = "once" if back == 1 else f"{back:,} times"
        how = "they are sorted" if series.run.out_of_order else "where a step occurs twice, the later row counts"
        yield f"the steps go back {times}: {how}"
    for name in ("step", "loss", "grad_norm"):
        from_rows = series.names.get(Column(name)) != BAR
        if (
            from_rows
            and Column(name) in series.columns
            and np.isnan(series.samples[:, series.columns[Column(name)]]).all()
        ):
            yield f"no number under {name} could be read"
    norm = Column("grad_norm")
    put_aside = norm in series.table.columns and norm not in series.columns  # a note says why
    if series.run.nonfinite is None and not len(series.norm) and len(series.steps) and not put_aside:
        none = np.isnan(series.values("loss")).all()
        by = "step" if series.has_steps else "row"
        only = f"only the loss is judged, from {by} {step_text(series.steps[0])} on"
        said = "it has no loss and no gradient norm, only overflows" if none else f"it has no gradient norm: {only}"
        yield said + _hint(series)
    elif Column("loss") not in series.columns and not any(one.quantity == PART for one in series.columns):
        letter = next((name.strip() for name in sorted(series.log.reader.seen) if words(name) == ("l",)), None)
        if letter is not None:
            yield f"it has no loss: only the gradient is judged; if {letter!r} is the loss, {_asked(letter)}"


def _hint(series: Series) -> str:
    """Say how a number is read as the norm whose name says of a gradient and not what of it."""
    name = next((name.strip() for name in sorted(series.log.reader.seen) if is_bare_gradient(words(name))), None)
    return "" if name is None else f"; if {name!r} is the norm, say --column grad_norm={shlex.quote(name)}"
