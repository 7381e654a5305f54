"""What the columns of a log mean: one table of the names that trainers give them."""

import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from gradcheck.errors import OptionError, one_of
from gradcheck.logs.records import LAYER_QUANTITIES
from gradcheck.logs.words import is_averaged, is_part, layer_of, lettered, quantity_of, words

#: Names of quantities, with underscores for everything that is no letter or digit.
ALIASES = {
    "step": "step global_step global_steps _step num_updates total_timesteps timesteps_total num_timesteps timesteps "
    "iteration iter update updates steps current_steps iters training_iteration global_step_max_steps batch it",
    "epoch": "epoch",
    "loss": "loss train_loss training_loss loss_train batch_loss train_loss_step loss_step total_loss lm_loss "
    "global_avg_loss loss_train_total ce_loss epoch_loss loss_epoch trl",
    "lr": "lr learning_rate learningrate lr_0",
    "loss_scale": "loss_scale scale grad_scale amp_scale",
    "grad_norm": "grad_norm gradient_norm gradnorm gnorm grad_norm_before global_grad_norm total_grad_norm "
    "grad_norm_total grad_2_0_norm_total grad_2_norm_total grad_2_0_norm grad_2_norm gradients_norm grads_norm "
    "grad_norm_global l2_norm_grad l2_norm_grad_global l2_grad_norm grad_gnorm norm gn grdn",
    "grad_norm_after": "grad_norm_after clipped_grad_norm grad_norm_clipped grad_norm_after_clip clipped_norm",
    "max_norm": "max_norm max_grad_norm clip_norm clip_threshold grad_clip",
    "weight_norm": "weight_norm param_norm parameter_norm params_norm weights_norm",
    "update_norm": "update_norm",
    "update_ratio": "update_ratio update_to_weight update_weight_ratio update_to_weight_ratio",
    "activation_rms": "activation_rms act_rms",
    "dead_fraction": "dead_fraction dead_units dead",
    "grad_left": "grad_left",
    "clipped_percent": "clipped_percent clip clip_percent percent_clipped",
    "overflow": "overflow overflows number_of_skipped_iterations skipped_iterations skipped_steps",
    "run": "run run_id run_name run_number run_uuid experiment experiment_id experiment_name experiment_key "
    "experimentkey exp_name trial trial_id trial_name "
    "job_id seed random_seed",
    "time": "time elapsed elapsed_time time_elapsed elapsed_seconds wall_time walltime runtime _runtime seconds "
    "time_total_s total_time",
    "nan_steps": "nan_steps number_of_nan_iterations nan_iterations",
}  # fmt: skip

#: What some trainers put before a name.
SECTIONS = {
    "train", "training", "trainer", "optim", "optimizer", "optimiser", "metrics", "metric", "debug", "model", "stats",
    "layers", "samples", "loss_metrics", "actor", "info", "learner", "learner_stats", "default_policy", "time",
    "rollout",
}  # fmt: skip

#: What a finding is logged under by the callbacks of trainers: it is no measurement.
OWN = "gradcheck"

#: A term of a loss, where the log has no whole one: their sum is judged.
PART = "loss_part"

#: Longer names are not read.
LONGEST_NAME = 512

#: What a column of a single number is called where the file doesn't say which.
VALUE = "Value"

#: What the step is taken from, where a row has none.
BAR = "the progress bar"

#: What separates a run's name from a column's, where W&B writes a chart as a table.
RUN = " - "

#: No name is asked for.
NOTHING: Mapping[str, str] = MappingProxyType({})

_QUANTITY = {alias: name for name, aliases in ALIASES.items() for alias in aliases.split()}
_RANK = {alias: rank for rank, alias in enumerate(_QUANTITY)}

#: A gradient between bars.
_NORM = re.compile(r"(?i)(\|{1,2}|‖)\s*(g|grad|gradient|∇|∇L)\s*(\|{1,2}|‖)(_?2|₂)?")

_OTHER = re.compile(r"[^a-z0-9]+")


class Column(NamedTuple):
    """What a column holds."""

    quantity: str  # a key of ``ALIASES``
    layer: str = ""  # empty for a number of the whole step


def meaning(name: str) -> Column | None:
    """Return what a column with this name holds; None if it is nothing that a diagnosis reads.

    ``grad_norm``, ``train/grad-norm``, ``grad_norm/fc1.weight`` and ``fc1.weight/grad_norm`` are understood, and so are
    dots in place of the slashes.
    """
    if len(name) > LONGEST_NAME:
        return None
    if _NORM.fullmatch(name.strip()):
        return Column("grad_norm")
    parts = [part for part in name.rpartition(RUN)[2].strip().split("/") if part]
    if len(parts) == 1 and _plain(parts[0]) not in _QUANTITY:
        return _meaning(parts[0].split(".", 1)) or _meaning(parts[0].rsplit(".", 1))
    return _meaning(parts)


def _meaning(parts: list[str]) -> Column | None:
    """Return what the parts of a name mean: a quantity, perhaps in several parts, and a layer before or after it."""
    while len(parts) > 1 and _plain(parts[0]) in SECTIONS:
        parts = parts[1:]
    if parts[:1] == [OWN]:
        return None
    name = _plain("/".join(parts))
    whole = _QUANTITY.get(name) or quantity_of(words("/".join(parts)))
    if whole:
        return Column(whole, name if whole == "run" else "")  # several columns may tell runs apart together
    for size in range(1, len(parts)):
        quantity = _QUANTITY.get(_plain("/".join(parts[:size])))
        if quantity in LAYER_QUANTITIES:
            return Column(quantity, "/".join(parts[size:]))
    last = _QUANTITY.get(_plain(parts[-1])) if len(parts) > 1 else None
    if last in LAYER_QUANTITIES:
        return Column(last, "/".join(parts[:-1]))
    layer = layer_of(words("/".join(parts)))
    return Column("grad_norm", layer) if layer else None


def chosen(names: Collection[str], wanted: Mapping[str, str] = NOTHING) -> dict[Column, str]:
    """Return the name that is read for each column: of two that mean the same, the more usual one.

    Of a quantity of the whole step that is the one that was asked for, if any, whatever the others mean.
    """
    plain = {quantity: _plain(name) for quantity, name in wanted.items()}
    meanings = [(name, column) for name in names if (column := meaning(name)) and column[0] not in plain]
    meanings += [(name, Column(one)) for one, other in plain.items() for name in names if _plain(name.strip()) == other]
    found: dict[Column, str] = {}
    for name, column in sorted(meanings, key=lambda pair: _rank(pair[0])):
        found.setdefault(column, name)
    if Column("loss") not in found and "loss" not in plain:
        parts = [name for name in names if is_part(words(name))] or lettered(names)
        found |= {Column(PART, name.strip()): name for name in parts}
    order = {name: place for place, name in enumerate(names)}
    return dict(sorted(found.items(), key=lambda pair: order[pair[1]]))


def _rank(name: str) -> tuple[int, bool]:
    """Return what names that mean the same are sorted by: the usual ones first, means of several steps after others."""
    return _RANK.get(_plain(name.split("/")[-1]), len(_RANK)), is_averaged(name)


def asked_columns(pairs: Iterable[str]) -> dict[str, str]:
    """Return what is asked for as ``QUANTITY=NAME``, as in ``loss=train/nll``; raise the error of what isn't so."""
    found = {}
    for pair in pairs:
        quantity, equals, name = pair.partition("=")
        if not equals or not name:
            raise OptionError("column", f"{pair!r} is not QUANTITY=NAME, such as loss=train/nll or grad_norm=gnorm")
        found[one_of("column", quantity.strip().replace("-", "_"), ALIASES)] = name.strip()
    return found


def tag_of(file: str) -> str:
    """Return the number that a file is named after, as TensorBoard and MLflow name theirs; ``Value`` if it is none."""
    stem = re.sub(r"\.(?:csv|json|jsonl|txt|log)$", "", file)
    tag = stem.rpartition("tag-")[2] or stem
    return tag if meaning(tag) else VALUE


def _plain(name: str) -> str:
    """Return a name in lower-case letters, digits and underscores."""
    return _OTHER.sub("_", name.lower()).rstrip("_")


class Layout:
    """The columns that a row has; the same object for all rows that have the same ones.

    It has what the log calls them, and the kind of rows that it belongs to, where a log has several: one is judged.
    """

    def __init__(self, columns: Iterable[Column], names: Iterable[str] = (), kind: str = "") -> None:
        self.columns, self.names, self.kind = tuple(columns), tuple(names), kind
        self.tells_runs = any(column.quantity == "run" for column in self.columns)
