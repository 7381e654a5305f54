#!/bin/sh
# torch.nn.utils.clip_grad_norm_ clips nothing, and says so by a norm of 0 alone, where it is given what is used up.
#
# PyTorch 2.13.0. parameters = filter(lambda one: one.requires_grad, model.parameters()) is how one leaves frozen layers
# out. The optimizer goes through it once, and from then on it is empty: a clip_grad_norm_(parameters, 1.0) in the loop
# clips nothing, in no step. Of a generator, (one for one in model.parameters() if one.requires_grad), there is a warning;
# of filter(), map() or itertools.chain() there is none, and error_if_nonfinite=True lets infinite gradients pass as well.
# A log of the norm that is returned shows 0 in every row, as if no gradient arrived. clip_grad_value_ raises an error.
#
# Seen: gradients of norm 800 before and after; returned 0.0; warnings: generator 1, filter 0, chain 0.
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import itertools
import warnings

import torch
from torch import nn


def trained(model, kind):
    """What is to be trained, as a loop keeps it in one variable."""
    if kind == "generator":
        return (one for one in model.parameters() if one.requires_grad)
    if kind == "chain":
        return itertools.chain(*(module.parameters() for module in model))
    return filter(lambda one: one.requires_grad, model.parameters())


def clipped(kind):
    model = nn.Sequential(nn.Linear(2, 1, bias=False))
    parameters = trained(model, kind)
    torch.optim.SGD(parameters, lr=0.1)
    weight = model[0].weight
    weight.grad = torch.full_like(weight, 800 / 2**0.5)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        norm = nn.utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True).item()
    return norm, weight.grad.norm().item(), len(told)


found = {kind: clipped(kind) for kind in ("generator", "filter", "chain")}
for kind, (norm, after, told) in found.items():
    print(f"{kind}: returned {norm}, norm after clipping to 1: {after:.1f}, warnings: {told}")
assert all(norm == 0 and abs(after - 800) < 1e-2 for norm, after, _ in found.values())
assert [told for _, _, told in found.values()] == [1, 0, 0]
PYTHON
