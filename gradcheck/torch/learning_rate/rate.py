"""``rate``: which learning rate does your own model take, with your own optimizer?"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from gradcheck.base.calls import public
from gradcheck.diagnosis.report import Report
from gradcheck.errors import finite
from gradcheck.learning_rate.conclusions import Evidence, answer_of_trainable
from gradcheck.learning_rate.doubts import on_plateau
from gradcheck.learning_rate.remarks import OF_A_RATE
from gradcheck.learning_rate.report import RateReport, make_rate_report
from gradcheck.spec.clip_rules import Rule
from gradcheck.torch.learning_rate.model_search import Found, ModelSearch
from gradcheck.torch.probing.loss.losses import LossFunction
from gradcheck.torch.probing.probe import probe
from gradcheck.torch.probing.training.optimizers import Optimizer


@public
def rate(
    model: nn.Module,
    batch: object,
    loss: str | LossFunction | None = None,
    optimizer: Optimizer = "sgd",
    *,
    lr: float | None = None,
    updates: int | None = None,
    mode: str = "train",
    clip: str | Rule | None = None,
    optimizer_options: Mapping[str, Any] | None = None,
    seed: int = 0,
    tick: Callable[[float], None] | None = None,
) -> RateReport:
    """Search the learning rate that a model takes with its optimizer, by short runs from where it is.

    >>> report = gradcheck.torch.rate(model, loader, loss, torch.optim.AdamW(model.parameters()))
    >>> report.answer.low < report.answer.best_rate < report.answer.ceiling
    True

    Along the optimizer's first update the rate is searched at which the loss of its batch is least. From there, runs of
    some updates at rates a factor of two apart show which one gets furthest. Everything is put back afterwards:
    parameters, buffers, gradients, mode, the optimizer's state and rates, random numbers.

    Parameters
    ----------
    model : torch.nn.Module
    batch : tensor, tuple, mapping, DataLoader, list of batches, iterator or callable
        As in ``probe``; of a loader, a list of three batches or more, an iterator or a callable each update of a run
        has a batch of its own.
    loss : str or callable, optional
        As in ``probe``.
    optimizer : str, Optimizer or callable
        ``sgd``, ``momentum``, ``adam``, ``adamw``, ``rmsprop``; an optimizer of this model, whose own step is taken,
        and whose own rate is judged; or parameters ↦ optimizer. Groups of parameters keep the proportions of their
        rates: the rate is that of the first one.
    lr : float, optional
        A rate to judge: ``report.verdict.status`` is ``fits``, ``too-high`` or ``too-low``.
    updates : int, optional
        Of each run; all begin anew, with the same batches. By default 100, of larger models fewer, down to 8, by the
        multiplications of a pass.
    mode : str
        ``train`` or ``eval``.
    clip : str or Rule, optional
        What clips the gradient before each update: ``value:c``, ``norm:c`` (of each tensor), ``global-norm:c``.
    optimizer_options : mapping, optional
        Further options of an optimizer that is named, or arguments of the function: ``{"weight_decay": 0.1}``.
    seed : int
        For targets that are drawn, and for whatever the model draws, as of dropout: in all runs the same.
    tick : callable, optional
        Called after each run, with the share of those that there are at most.

    Returns
    -------
    RateReport
        As of ``gradcheck.rate``; its ``answer`` is None where no rate helps, and ``verdict`` says why.

    Raises
    ------
    GradcheckError
        The model can't be run on this batch, or an option isn't as it has to be; the message says what would be right.
    """
    asked = None if lr is None else finite("lr", lr, "it is a learning rate", above=0)
    search = ModelSearch.of(
        model, batch, loss, optimizer, lr=asked, updates=updates, mode=mode, clip=clip,
        optimizer_options=optimizer_options, seed=seed,
    )  # fmt: skip
    found = search.found(tick)
    evidence = None
    if not found.progressed:
        evidence = evidence_of(probe(model, search.batches.take(0), loss, mode=mode, seed=seed), found)
    return rate_report(search, found, evidence, asked if isinstance(optimizer, str) else search.update.rates.first)


def evidence_of(report: Report, found: Found) -> Evidence:
    """Return what a probe says of a model whose loss hasn't fallen."""
    verdict = report.verdict
    return Evidence(verdict.status, verdict.reasons[0], verdict.score, found.constant, by="probe")


def rate_report(search: ModelSearch, found: Found, evidence: Evidence | None, lr: float | None) -> RateReport:
    """Return the report of a search."""
    config = search.config(found) | {"lr": lr}
    none = answer_of_trainable([found.draw], found.rule, evidence) is None
    remarks = [one for one in found.remarks if not (none and one.code in OF_A_RATE)]
    if not none and on_plateau([found.draw], found.constant):  # which says so at more length
        remarks = [one for one in remarks if one.code != "learnt-little"]
    return make_rate_report(config, [found.draw], search.parameters, evidence, search.rule, remarks)
