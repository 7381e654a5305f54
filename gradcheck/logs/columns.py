"""What the columns of a log mean: one table of the names that trainers give them."""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from gradcheck.logs.records import LAYER_QUANTITIES

#: Names of quantities, with underscores for everything that is no letter or digit.
ALIASES = {
    "step": "step global_step _step iteration iter update updates num_updates steps current_steps",
    "epoch": "epoch",
    "loss": "loss train_loss training_loss loss_train batch_loss train_loss_step loss_step total_loss lm_loss "
    "global_avg_loss loss_train_total ce_loss",
    "lr": "lr learning_rate learningrate lr_0",
    "loss_scale": "loss_scale scale grad_scale amp_scale",
    "grad_norm": "grad_norm gradient_norm gradnorm gnorm grad_norm_before global_grad_norm total_grad_norm "
    "grad_norm_total grad_2_0_norm_total grad_2_norm_total grad_2_0_norm grad_2_norm gradients_norm grads_norm "
    "grad_norm_global l2_norm_grad l2_norm_grad_global l2_grad_norm",
    "grad_norm_after": "grad_norm_after clipped_grad_norm grad_norm_clipped grad_norm_after_clip clipped_norm",
    "max_norm": "max_norm max_grad_norm clip_norm clip_threshold grad_clip",
    "weight_norm": "weight_norm param_norm parameter_norm params_norm weights_norm",
    "update_norm": "update_norm",
    "update_ratio": "update_ratio update_to_weight update_weight_ratio update_to_weight_ratio",
    "activation_rms": "activation_rms act_rms",
    "dead_fraction": "dead_fraction dead_units dead",
}  # fmt: skip

#: What some trainers put before a name.
SECTIONS = {
    "train", "training", "trainer", "optim", "optimizer", "optimiser", "metrics", "metric", "debug", "model", "stats",
    "layers", "samples", "loss_metrics",
}  # fmt: skip

#: Longer names are not read.
LONGEST_NAME = 512

#: What separates a run's name from a column's, where W&B writes a chart as a table.
RUN = " - "

_QUANTITY = {alias: name for name, aliases in ALIASES.items() for alias in aliases.split()}
_RANK = {alias: rank for rank, alias in enumerate(_QUANTITY)}

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
    parts = [part for part in name.rpartition(RUN)[2].strip().split("/") if part]
    if len(parts) == 1 and _plain(parts[0]) not in _QUANTITY:
        return _meaning(parts[0].split(".", 1)) or _meaning(parts[0].rsplit(".", 1))
    return _meaning(parts)


def _meaning(parts: list[str]) -> Column | None:
    """Return what the parts of a name mean: a quantity, perhaps in several parts, and a layer before or after it."""
    while len(parts) > 1 and _plain(parts[0]) in SECTIONS:
        parts = parts[1:]
    whole = _QUANTITY.get(_plain("/".join(parts)))
    if whole:
        return Column(whole)
    for size in range(1, len(parts)):
        quantity = _QUANTITY.get(_plain("/".join(parts[:size])))
        if quantity in LAYER_QUANTITIES:
            return Column(quantity, "/".join(parts[size:]))
    last = _QUANTITY.get(_plain(parts[-1])) if len(parts) > 1 else None
    return Column(last, "/".join(parts[:-1])) if last in LAYER_QUANTITIES else None


def chosen(names: Collection[str]) -> dict[Column, str]:
    """Return the name that is read for each column: of two that mean the same, the more usual one."""
    meanings = [(name, column) for name in names if (column := meaning(name))]
    found: dict[Column, str] = {}
    for name, column in sorted(meanings, key=lambda pair: _RANK.get(_plain(pair[0].split("/")[-1]), len(_RANK))):
        found.setdefault(column, name)
    order = {name: place for place, name in enumerate(names)}
    return dict(sorted(found.items(), key=lambda pair: order[pair[1]]))


def _plain(name: str) -> str:
    """Return a name in lower-case letters, digits and underscores."""
    return _OTHER.sub("_", name.lower()).rstrip("_")


class Layout:
    """The columns that a row has; the same object for all rows that have the same ones.

    Parameters
    ----------
    columns : iterable of Column
    """

    def __init__(self, columns: Iterable[Column]) -> None:
        self.columns = tuple(columns)
