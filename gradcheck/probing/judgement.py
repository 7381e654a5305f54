"""What a pass of a user's own model is judged to be, and how a trial changes that."""

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, Self, TypeVar

import numpy as np

from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.remarks import NEEDS_ADAM, TRAINS_ALL_THE_SAME
from gradcheck.diagnosis.summary import Summary, widest_group
from gradcheck.diagnosis.verdict import LIKELY, Diagnosis
from gradcheck.flow.model_flow import ModelFlow
from gradcheck.probing.doubts import LARGE, doubts_of, status_unlearnt
from gradcheck.probing.evidence import Evidence
from gradcheck.probing.first_loss import LARGE_INPUTS
from gradcheck.probing.trial import STEPS, Trial

#: Of the models that look ill and yet learn in a trial, the share that trains (benchmarks/zoo.py).
LEARNS = 0.95

#: Flags, and codes of causes, that a trial refutes.
SUSPECTED = ("vanishing", "exploding")

#: Who measured it: PyTorch's pass, or one of arrays.
Found = TypeVar("Found", bound=Evidence)


class Judgement(NamedTuple, Generic[Found]):
    """What a pass found, in a few numbers, its diagnosis, and the trial if there was one."""

    found: Found
    summary: Summary
    diagnosis: Diagnosis
    certain: bool = False  # more than one measure says so
    trial: Trial | None = None

    @property
    def is_suspicion(self) -> bool:
        """Whether a trial may acquit the model: by one measure its gradient, or its examples' differences, are lost."""
        suspected = self.diagnosis.verdict.status in (*SUSPECTED, "collapsed") or bool(self.doubt)
        return suspected and not self.certain and not self.found.flow.obstacle

    @property
    def doubt(self) -> tuple[Cause, ...]:
        """Why a model that looks healthy may not learn."""
        return doubts_of(self.found, self.diagnosis.verdict)

    @property
    def has_large_inputs(self) -> bool:
        """Whether a model that looks healthy has large inputs, and no norm after its first layer."""
        if self.diagnosis.verdict.status != "healthy":
            return False
        flow = self.found.flow
        return self.found.first_rms > LARGE_INPUTS and not flow.normalized[0] and not flow.obstacle

    def exploding_by_inputs(self) -> Self:
        """Return the judgement of a model that plain SGD makes explode because its inputs are large."""
        cause = Cause("inputs-explode", (1, 1), self.found.first_rms, LARGE_INPUTS)
        verdict = self.diagnosis.verdict
        score = min(verdict.score, TRAINS_ALL_THE_SAME)
        return self._changed(status="exploding", score=score, causes=(cause, *verdict.causes))

    def with_large_inputs(self, trial: Trial) -> Self:
        """Return the judgement of a model whose large inputs plain SGD doesn't bear, and Adam does."""
        cause = Cause("large-inputs", None, self.found.first_rms, LARGE_INPUTS)
        return self._changed(causes=(cause, *self.diagnosis.verdict.causes))._replace(trial=trial)

    def after(self, trial: Trial) -> Self:
        """Return the judgement after a trial, which acquits the model or confirms what it is suspected of."""
        if not trial.learns:
            return self._confirmed(_cause_of(trial, self.found, self.doubt))._replace(trial=trial)
        if self.doubt:
            return self._replace(trial=trial)
        return self._acquitted(_cause_of(trial, self.found, ()))._replace(trial=trial)

    def _confirmed(self, cause: Cause) -> Self:
        verdict, doubt = self.diagnosis.verdict, self.doubt
        causes = (*doubt, *(one for one in verdict.causes if one not in doubt), cause)
        score = min(verdict.score, TRAINS_ALL_THE_SAME)
        return self._changed(status=status_unlearnt(doubt, verdict), score=score, causes=causes)

    def _acquitted(self, cause: Cause) -> Self:
        flags, regions, verdict = self.diagnosis
        accuse = (one for one in verdict.causes if one.code.partition("-")[0] not in (*SUSPECTED, "starts"))
        causes = (cause, *(one for one in accuse if one.code not in LARGE))  # said again where the loss starts large
        apart = verdict.status != "collapsed"  # else the score is low since the examples look alike
        if apart and verdict.score < LIKELY and _is_plain(self.found.flow):
            causes = (Cause(NEEDS_ADAM, None, verdict.score, LIKELY), *causes)
        elif cause.details["steps"] > STEPS and cause.details["first"] > cause.details["goal"]:
            causes = (Cause("learns-late", None, cause.details["steps"], STEPS), *causes)
        verdict = verdict._replace(status="healthy", score=max(verdict.score, LEARNS), causes=causes)
        flags = tuple("ok" if flag in SUSPECTED else flag for flag in flags)
        regions = tuple(one for one in regions if one.flag not in SUSPECTED)
        return self._replace(diagnosis=Diagnosis(flags, regions, verdict))

    def _changed(self, **of_verdict: Any) -> Self:  # noqa: ANN401
        """Return the judgement with another verdict."""
        return self._replace(diagnosis=self.diagnosis._replace(verdict=self.diagnosis.verdict._replace(**of_verdict)))


def _cause_of(trial: Trial, found: Evidence, doubt: Sequence[Cause]) -> Cause:
    """Return what a trial has shown, and what the loss can't fall below where the output is squashed twice."""
    details = {"first": trial.first, "rate": trial.rate, "steps": trial.steps, "goal": trial.goal}
    floor = found.at_loss.first.floor_of_probabilities
    if any(one.code == "softmax-twice" for one in doubt) and trial.last >= floor:
        details["floor"] = floor
    return Cause("trial-learns" if trial.learns else "trial-fails", None, trial.last, trial.goal, details)


def _is_plain(flow: ModelFlow) -> bool:
    """Whether the layers that lie furthest apart are a plain chain, without norms or ways round them.

    Of such networks it is known how likely plain SGD trains them: those that were trained to find out are of this kind.
    """
    if not flow.reached or np.isnan(flow.column("log10_gradient_rms")[: flow.reached]).any():
        return False
    group = widest_group(flow)
    return bool(flow.carriers[group].all() and not np.array(flow.normalized)[group].any())
