"""What to type, or to call, after networks were compared."""

from collections.abc import Iterator, Mapping
from shlex import join
from typing import Any

from gradcheck.parametrization.report import TransferReport
from gradcheck.parametrization.sentences import higher_rate, lower_rate
from gradcheck.spec.command_line import options
from gradcheck.spec.data import DataSpec
from gradcheck.spec.options.transfer import OF_TRANSFERS
from gradcheck.spec.probing import OPTIMIZERS
from gradcheck.spec.transfer import RATES, transfer_specs

#: Options of a comparison of a user's own models, in the order in which they are typed.
OF_OWN = ("loss", "optimizer", "lr", "steps", "seeds", "seed", "mode")


def diverges(report: TransferReport) -> bool:
    """Whether training diverges somewhere."""
    return any(one.code == "diverges" for one in report.verdict.causes)


def next_command(report: TransferReport) -> str:
    """Return what one would type next, or of a model that a Python program builds what it would call.

    A lower rate where training diverges, a higher one where nothing moves, mup where it isn't, a wider network where it
    is.
    """
    config = report.config.to_dict()
    if any(one.code == "not-finite" and not one.step for one in report.verdict.causes):
        return "gradcheck explain nonfinite"  # before any training, whatever the options of training are
    if "arch" in config:
        return transfer_command(config, **_changes(report, config))
    if config["optimizer"] not in OPTIMIZERS or report.verdict.status in ("grows", "shrinks"):
        return f"gradcheck explain {report.verdict.status}"  # the change is one of the user's own code
    return _own_command(report, config, _changes(report, config))


def _changes(report: TransferReport, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are another next time."""
    status = report.verdict.status
    if status != "diverges" and config.get("param", "mup") != "mup":
        return {"param": "mup"}
    if diverges(report):
        return {"lr": lower_rate(config["optimizer"], config["lr"])}
    if any(one.code == "still" for one in report.verdict.causes):
        return {"lr": higher_rate(config["optimizer"], config["lr"])}
    if status == "transfers":
        return {report.axis: [*report.scales, 4 * report.scales[-1]]}
    return {"seeds": 2 * config["seeds"]}


def transfer_command(config: Mapping[str, Any], **changes: Any) -> str:  # noqa: ANN401
    """Return ``gradcheck transfer …`` with every option that isn't at its default."""
    changed = {**config, **changes}
    needed = {name: changed[name] for name in ("arch", "optimizer", "activation")}
    spec, data = transfer_specs(needed | ({"depth": changed["depth"]} if len(changed["depth"]) > 1 else {}))
    usual = {**DataSpec().to_dict(), **spec.to_dict(), **data.to_dict(), "arch": "mlp", "optimizer": "adam"}
    usual |= {"activation": transfer_specs({"arch": changed["arch"]})[0].activation}
    usual |= {"base_width": min(changed["width"]), "base_depth": min(changed["depth"])}
    if len(changed["depth"]) > 1:
        usual.pop("depth")
    given = {name: one for name, one in changed.items() if one is not None and one != usual.get(name)}
    return " ".join(["gradcheck transfer", *options(given | {name: changes[name] for name in {"lr"} & set(changes)})])


def _own_command(report: TransferReport, before: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    """Return the command, or the call, that compares a user's own models."""
    config = {**before, **changes}
    usual = {
        "loss": None, "optimizer": "adam", "lr": RATES.get(config["optimizer"], RATES["adam"]), "mode": "train",
        **{name: OF_TRANSFERS[name].default for name in ("steps", "seeds", "seed")},
    }  # fmt: skip
    given = {name: config[name] for name in OF_OWN if name in changes or config.get(name, usual[name]) != usual[name]}
    sizes = changes.get(report.axis, list(report.scales))
    if "target" not in config:
        return f"gradcheck.torch.transfer({', '.join(_arguments(report, sizes, given))})"
    typed = {report.axis: sizes, "batch": config.get("batch"), **given}
    words = ["gradcheck", "transfer", config["target"], *(f"--input={shape}" for shape in config.get("input") or ())]
    return " ".join([join(words), *options({name: one for name, one in typed.items() if one is not None})])


def _arguments(report: TransferReport, sizes: list[int], given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the arguments of a call; a batch, and what has no name, are called by their parameters."""
    build = str(report.config.get("build") or "").rpartition(".")[2]
    yield build if build.isidentifier() else "build"
    where = "" if report.axis == "width" else "depths="
    yield f"{where}({', '.join(map(str, sizes))})"
    yield "batch=batch"
    for name, value in given.items():
        yield (
            f"{name}=loss" if name == "loss" and value not in ("cross-entropy", "mean-square") else f"{name}={value!r}"
        )
