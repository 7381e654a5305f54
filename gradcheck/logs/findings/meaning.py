"""What the numbers of a log mean, where their names say something else: norms never computed, or scaled."""

import numpy as np

from gradcheck.logs.findings.alternating import unscaled_rows
from gradcheck.logs.findings.finding import Finding
from gradcheck.logs.findings.magnitudes import norm_is_computed
from gradcheck.logs.findings.scaling import norms_are_scaled
from gradcheck.logs.robust import distinct
from gradcheck.logs.series import Series


def as_meant(series: Series) -> tuple[Series, list[Finding]]:
    """Return the series that is to be judged, and notes on what was changed.

    A gradient norm that is zero in every row while the loss moves was not computed, or is printed with too few digits:
    the loss is judged. Norms that move as the loss scale does are divided by it; where gradients are accumulated and
    only every so many rows unscaled, the others are left out.
    """
    if not norm_is_computed(series):
        rows = float((series.norms == 0).sum())
        signs = ("few-digits",) if series.log.reader.rounds else ()
        return series.without("grad_norm"), [Finding("not-computed", *series.ends, (), {"rows": rows}, signs=signs)]
    if norms_are_scaled(series):
        scales = series.values("loss_scale")
        numbers = {"scales": float(len(distinct(scales[~np.isnan(scales)])))}
        return series.divided("grad_norm", "loss_scale"), [Finding("scaled-norms", *series.ends, (), numbers)]
    unscaled = unscaled_rows(series)
    if unscaled is not None:
        kept, note = unscaled
        return series.with_norms_at(kept), [note]
    return series, []
