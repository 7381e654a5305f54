"""The sentences of what the loss shows."""

from gradcheck.base.wording import as_percent
from gradcheck.logs.findings.finding import Finding
from gradcheck.logs.findings.phrases import factor_text, step_text
from gradcheck.render.numbers import significant


def loss_rises(found: Finding) -> str:
    """Return how a loss rises for good, or leaves its first row upwards."""
    best, end = (significant(found.numbers[name], 3) for name in ("best", "end"))
    if "from-the-start" in found.signs:
        left = f"the loss leaves its first row, {best}, upwards"
        highest, last, peak = (found.numbers.get(name, 0.0) for name in ("highest", "last", "peak"))
        since = f"; from {highest:.3g} on it falls, to {last:.3g}" if highest else ""
        left += f", to {peak:.3g}" if peak else ""
        return f"{left}, and is no lower in the second half of the run: {end}{since}{_norm_grows(found)}"
    between = f"between step {step_text(found.first_step)} and the end, for good"
    return f"the loss rises from {best} to {end} {between}{_norm_grows(found)}"


def _norm_grows(found: Finding) -> str:
    """Return how much the norm grows beside the loss; empty if it doesn't."""
    decades = found.numbers.get("log10_norm_growth")
    return "" if decades is None else f"; the gradient norm grows {factor_text(decades)}-fold beside it"


def huge(found: Finding) -> str:
    """Return how large loss and norm are, and since when."""
    loss, norm = (significant(found.numbers.get(name, 0.0), 2) for name in ("loss", "norm"))
    if found.details.get("at_first"):
        return f"a loss of {loss} in the first row, and of {significant(found.numbers['end'], 3)} in the end"
    if found.details.get("alone"):
        return f"a loss of {loss} from the first row on, and no better at the end"
    return f"a loss of {loss} and a gradient norm of {norm} from the first row on, and no better at the end"


def not_learning(found: Finding) -> str:
    """Return where a loss stays, and what that level is."""
    if found.details.get("rate"):
        how = "printed" if "few-digits" in found.signs else "logged"
        return f"the learning rate is 0 in every row, as far as it is {how}, and the loss does not fall"
    if "swings" in found.signs:
        low, high = (significant(found.numbers[name], 3) for name in ("low", "high"))
        once = f"to and fro in {int(found.numbers['rows'])} rows"
        return f"the loss swings between {low} and {high}, {once}, and is no lower at the end"
    if "still" in found.signs:
        start, level = (significant(found.numbers[name], 3) for name in ("start", "level"))
        return f"the loss falls from {start} to {level} by step {step_text(found.first_step)}, and hardly since"
    level, classes = significant(found.numbers["level"], 4), int(found.numbers.get("classes", 0))
    since = "in the whole log" if found.details.get("whole", True) else f"from step {step_text(found.first_step)} on"
    if "least" in found.numbers:
        sign = "" if found.numbers["level"] > 0 else "minus "
        part = "" if found.numbers["share"] == 1 else f"{as_percent(found.numbers['share'])} of "
        clamp = f"{part}−ln({found.numbers['least']:.3g}), where a logarithm is clamped ({found.details['what']})"
        return f"the {found.details['name']} stays at {level} {since}: {sign}{clamp}; outputs are saturated"
    guess = f", that is ln({classes:,}): a guess among {classes:,} classes" if classes else ""
    if "most_classes" in found.numbers:
        fewest, most = (int(found.numbers[name]) for name in ("fewest_classes", "most_classes"))
        guess = f", that is ln({classes:,}): a guess among {fewest:,} to {most:,} classes, as of a vocabulary"
    if found.details.get("uneven"):
        guess = f", just below ln({classes:,}): what a guess among {classes:,} classes costs if some are more frequent"
    if found.details.get("rounded"):
        guess = f", as far as it is printed ln({classes:,}): if there are {classes:,} classes, that is a guess"
    return f"the loss stays at {level} {since}{guess}"


def loss_jump(found: Finding) -> str:
    """Return from where to where a loss jumps, and where it is in the end."""
    before, after, end = (significant(found.numbers[name], 3) for name in ("before", "after", "end"))
    jump = f"the loss jumps from {before} to {after} at step {step_text(found.first_step)}"
    if "began-anew" in found.signs:
        return f"{jump}, where it began, and falls once more as from the first row on: training begins anew there"
    learnt = ", falling: as new data are learnt" if found.severity and "rate-jumps" not in found.signs else ""
    return f"{jump}, and is at {end} in the end{learnt}{_norm_grows(found)}"


def won(found: Finding) -> str:
    """Return how far a discriminator's loss falls, and where the generator's is meanwhile."""
    start, end, first, last = (
        significant(found.numbers[one], 3) for one in ("start", "end", "other_start", "other_end")
    )
    falls = f"the {found.details['what']} falls from {start} to {end}, and stays there from step"
    ends = f"the {found.details['other']} is at {last} in the end, from {first}"
    return f"{falls} {step_text(found.first_step)} on, while {ends}: the discriminator has won"
