"""What the pytest fixture ``gradcheck`` offers."""

import warnings
from collections.abc import Collection
from inspect import Parameter, Signature, signature
from typing import Any

from gradcheck.base.calls import check_call, public
from gradcheck.diagnosis.remarks import ASKED_FOR
from gradcheck.diagnosis.report import Report
from gradcheck.diagnosis.status import STATUSES
from gradcheck.errors import GradcheckError, one_of
from gradcheck.torch import probe

#: A span of so many limits may be below the limit with other weights.
NEAR = 1.5

#: What may be said by name.
TAKEN = Signature(
    [Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in ("loss", "allow", "remarks")]
    + [one for one in signature(probe).parameters.values() if one.kind is Parameter.KEYWORD_ONLY]
)


class Health:
    """Asserts that a model's gradients are healthy."""

    @public
    def assert_healthy(
        self,
        model: Any,  # noqa: ANN401
        batch: Any,  # noqa: ANN401
        loss: Any = None,  # noqa: ANN401
        *,
        allow: str | Collection[str] = (),
        remarks: bool = False,
        **options: Any,  # noqa: ANN401
    ) -> Report:
        """Pass a batch through a model; fail unless its gradients survive.

        Parameters
        ----------
        model : torch.nn.Module
            Its weights, buffers, gradients and mode are left as they were.
        batch : tensor, tuple, mapping or callable
            (inputs, targets), or inputs alone.
        loss : str or callable, optional
            ``cross-entropy``, ``mean-square``, or (output, targets) ↦ scalar.
        allow : str or collection of str
            Verdicts besides ``healthy`` that pass, such as ``collapsed`` or ``no-gradient``; and remarks that neither
            fail nor warn, by their codes, such as ``units-alike``: one of these lets no verdict pass.
        remarks : bool
            Fail on what leaves gradients healthy and lets the batch be learnt, and is wrong all the same, such as units
            that all have the same weights (``gradcheck explain remarks``); otherwise it is a warning.
        **options
            The other options of ``gradcheck.torch.probe``: limits (``max_span=3``), ``steps``, ``amp``, ``seed``, ...

        Returns
        -------
        Report
            For further assertions of your own.

        Raises
        ------
        AssertionError
            The model is ill; the message is the verdict, its reasons and the table of layers.
        GradcheckError
            The model can't be run on this batch, or an option isn't as it has to be.
        """
        __tracebackhide__ = True
        several = isinstance(allow, Collection) and not isinstance(allow, str)
        allowed = {one_of("allow", one, (*STATUSES, *ASKED_FOR)) for one in (allow if several else [allow])}
        check_call("assert_healthy", TAKEN, (), options)
        try:
            report = probe(model, batch, loss, **options)
        except GradcheckError as error:
            raise error.with_traceback(None) from error.__cause__  # its line says all, its cause where the model failed
        doubts = [cause for cause in report.verdict.causes if cause.code in ASKED_FOR and cause.code not in allowed]
        if report.verdict.status not in {"healthy", *allowed} or (remarks and doubts):
            from gradcheck.diagnosis.text.failure import as_failure  # only a failure pays for it

            raise AssertionError(as_failure(report) + _near(report))
        for doubt in doubts:
            how = f'remarks=True fails on it, allow="{doubt.code}" lets it pass'
            warnings.warn(f"{doubt.text} ({how})", UserWarning, stacklevel=3)
        return report


def _near(report: Report) -> str:
    """Return the remark that another seed may pass, where the span is near its limit."""
    span, limit = report.summary.gradient_span, report.config.max_span
    if span is None or not limit < span < NEAR * limit:
        return ""
    cure = "call torch.manual_seed(0) before the model is built, and look at several seeds once"
    return (
        f"\nThe span is near its limit: with other weights this test may pass. To have the same ones each time, {cure}."
    )
