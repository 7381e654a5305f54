"""What would fix the network, and the next command to type."""

import shlex
from collections.abc import Iterator
from json import dumps

from rich.console import RenderableType
from rich.text import Text

from gradcheck.diagnosis.label import remark
from gradcheck.diagnosis.remarks import DOUBTS, decisive_remark, is_of_another_kind
from gradcheck.diagnosis.report import Report, SuggestionRecord
from gradcheck.diagnosis.shown_layers import sampled
from gradcheck.diagnosis.suggestions import said_order, starts_far
from gradcheck.render.layout import indented, to_copy
from gradcheck.render.numbers import percent, significant
from gradcheck.render.style import INDENT
from gradcheck.spec.command_line import command_line, options


def advice(report: Report, width: int) -> Iterator[RenderableType]:
    """Yield the last lines of the text."""
    of_model = report.command == "probe"
    if report.suggestions:
        yield ""
        yield Text(f"  {_heading(report)}")
        yield from _lines(report.suggestions, width, of_model)
        yield indented(Text(said_order(report.suggestions), style="dim"))
        if of_model:
            yield ""
            yield Text("  The first of them in PyTorch (model is yours)")
            yield indented(Text(report.suggestions[0].command), 2 * INDENT)
            if len(report.suggestions) > 1:  # a page of code would bury the reasons
                yield indented(
                    Text("The code of the others is printed by --suggest --json: suggestions, command", style="dim")
                )
    elif report.suggestions is not None and report.verdict.status != "healthy" and not _of_another_kind(report):
        yield ""
        helps = "fixes it" if of_model else "fixes it and trains better than it with other seeds, too"
        yield indented(Text(f"No single change that was simulated {helps}; {_instead(report)}."))
    yield ""
    for command in next_commands(report):
        yield to_copy(command)


def _instead(report: Report) -> str:
    """Return what to do where no single change helps: what the reasons say of batch, loss or model comes first."""
    if any(cause.code in DOUBTS for cause in report.verdict.causes):
        return "first mend what the reasons above name, then probe again"
    one_draw = report.command == "simulate" and report.config.get("seeds") == 1
    return "try two together" + (", or see how other draws do with --seeds 5" if one_draw else "")


def _of_another_kind(report: Report) -> bool:
    """Whether two changes together are no advice: the weights are given, or it is training that makes a model ill."""
    return bool(report.config.get("weights") or (report.config.get("steps") and report.command == "probe"))


def _heading(report: Report) -> str:
    if report.suggestions and report.suggestions[0].loss is not None:
        brings = "makes the loss fall" if report.verdict.status == "healthy" else "keeps it healthy"
        return f"What {brings} (each tried: the same steps, from the same start)"
    return "What would fix it (each simulated)"


def _lines(suggestions: tuple[SuggestionRecord, ...], width: int, of_model: bool) -> Iterator[RenderableType]:
    """One line a suggestion; on a narrow terminal its figures stand under it."""
    changes = [_said(one) if of_model else " ".join(options(one.changes)) for one in suggestions]
    longest = max(map(len, changes))
    for change, suggestion in zip(changes, suggestions, strict=True):
        figures = f"span {suggestion.gradient_span:.1f}   trains: {percent(suggestion.score)}{starts_far(suggestion)}"
        if suggestion.loss is not None:
            figures = f"loss {suggestion.loss:.3g} after them"
        fits = 2 * INDENT + longest + 3 + len(figures) <= width
        line = Text(change.ljust(longest) if fits else change, style="bold")
        line.append(f"   {figures}" if fits else f"\n{figures}", style="not bold")
        yield indented(line, 2 * INDENT)


def _said(suggestion: SuggestionRecord) -> str:
    """Return what a change of a model is, in words: ``init kaiming``."""
    return ", ".join(f"{name} {value}" for name, value in suggestion.changes.items())


def next_commands(report: Report) -> Iterator[str]:
    """Yield the command that one would type next, and where something is wrong the one that explains it."""
    codes = [cause.code for cause in report.verdict.causes]
    doubt = remark(codes) if report.command == "probe" and report.verdict.status == "healthy" else None
    if doubt is not None:  # a healthy gradient is no reason to go on with the wrong model
        yield f"gradcheck explain {doubt}"
    elif report.command != "probe":
        yield next_command(report)
    elif report.config.get("target") and (report.verdict.status == "healthy" or sampled(report) or _is_untried(report)):
        yield probe_command(report)
    if report.verdict.status != "healthy":  # a remark that decided has a page of its own
        yield f"gradcheck explain {decisive_remark(codes) or report.verdict.status}"


def _is_untried(report: Report) -> bool:
    """Whether an ill PyTorch model may be healed by changes that nobody has tried yet: its pass takes a while."""
    config, codes = report.config, [cause.code for cause in report.verdict.causes]
    of_another_kind = config.get("framework") or config.get("steps") or is_of_another_kind(codes)
    return report.verdict.status != "healthy" and report.suggestions is None and not of_another_kind


def probe_command(report: Report) -> str:
    """Return the command that lets a healthy model take steps; of an ill one, tries changes or shows all layers."""
    config = report.config
    framework = config.get("framework")
    kept = {
        "framework": framework,
        "kwargs": config.kwargs and dumps(config.to_dict()["kwargs"]),
        "batch": config.batch,
    }
    if report.model is not None and not report.model.loss_by_default:
        kept["loss"] = config.loss
    usual = {
        "mode": "train", "amp": None, "seed": 0, "optimizer": "sgd", "lr": 0.1, "warmup": None, "clip": None,
    }  # fmt: skip
    changed = kept | {name: config[name] for name, value in usual.items() if config[name] != value}
    healthy = report.verdict.status == "healthy"
    found = report.learning_rate
    named = ":" not in (config.optimizer or "")  # a function of one's own sets the rate itself
    if healthy and named and not config.steps and found is not None and found.best_rate is not None:
        changed["lr"] = float(significant(found.best_rate))
    steps = {"steps": 50 if healthy and not config.steps and framework is None else config.steps or None}
    words = ["gradcheck", "probe", config.target, *(f"--input={shape}" for shape in config.input or ())]
    words += [f"--optimizer-option={name}={value}" for name, value in (config.get("optimizer_options") or {}).items()]
    words += options({name: value for name, value in (changed | steps).items() if value is not None})
    of_ill = "--suggest" if _is_untried(report) else "--all-layers"
    last = of_ill if not healthy else "--fail-on any" if config.steps or framework else ""
    return f"{shlex.join(words)} {last}".rstrip()


def next_command(report: Report) -> str:
    """Return the command that one would type next."""
    if report.suggestions:
        return str(report.suggestions[0].command)
    this = command_line(report.command, report.config)
    if report.verdict.status == "healthy":
        return f"{this} --seeds 5" if report.config.seeds == 1 else f"{this} --fail-on any"
    return f"{this} --all-layers" if report.suggestions is not None or report.config.weights else f"{this} --suggest"
