#!/bin/sh
# In a checkpointed block BatchNorm's running statistics move twice a step, and forward hooks run twice, but the last.
#
# PyTorch 2.13. torch.utils.checkpoint runs a block's forward pass once more during backward. What a forward pass does
# beside its output is then done again: a hook that counts or averages activations sees every batch twice, and
# BatchNorm in training mode takes two moves of its momentum for one batch, so that its running mean is at 0.19 of the
# batch's where it would be at 0.10. The page of checkpoint() names neither hooks nor running statistics. The
# default, use_reentrant=False, stops as soon as it has what backward needs: a linear layer at the end of the block has
# its inputs then and isn't run, so its hook runs once where the others run twice, and a hook that compares layers
# compares two passes here with one there. use_reentrant=True runs all of them twice, as does early_stop=False. Backward
# hooks run once in every case.
# Cure: in a forward hook, pass over the second pass, in which torch._C._current_graph_task_id() isn't -1 (a private
# name); beside BatchNorm, leave it outside of the block, or take a smaller momentum, 1 - sqrt(1 - momentum).
#
# Seen: calls of the forward hooks of linear, norm, tanh, linear; running mean over that of the batch; calls outside of
# the second pass:
#   no checkpoint:        1 1 1 1; 0.10; 1 1 1 1
#   use_reentrant=False:  2 2 2 1; 0.19; 1 1 1 1
#   early_stop=False:     2 2 2 2; 0.19; 1 1 1 1
#   use_reentrant=True:   2 2 2 2; 0.19; 1 1 1 1
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 numpy
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def step(**how):
    """Return how often each forward hook ran in one step, how far the mean moved, and the calls of the first pass."""
    torch.manual_seed(0)
    block = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 8))
    calls, first, back, means = [0] * 4, [0] * 4, [0] * 4, {}
    for place, layer in enumerate(block):

        def count(layer, inputs, output, place=place):
            calls[place] += 1
            first[place] += torch._C._current_graph_task_id() == -1
            means[place] = inputs[0].detach().mean(0)

        def count_back(layer, before, after, place=place):
            back[place] += 1

        layer.register_forward_hook(count)
        layer.register_full_backward_hook(count_back)
    inputs = torch.randn(64, 8, requires_grad=True)
    output = checkpoint(block, inputs, **how) if how else block(inputs)
    output.square().sum().backward()
    assert back == [1] * 4
    return calls, round(float((block[1].running_mean / means[1]).mean()), 4), first


found = {
    "no checkpoint": step(),
    "use_reentrant=False": step(use_reentrant=False),
    "early_stop=False": step(use_reentrant=False, early_stop=False),
    "use_reentrant=True": step(use_reentrant=True),
}
for name, (calls, moved, first) in found.items():
    print(f"{name}: {' '.join(map(str, calls))}; {moved:.2f}; {' '.join(map(str, first))}")
once, twice = [1] * 4, [2] * 4
assert found["no checkpoint"] == (once, 0.1, once)
assert found["use_reentrant=False"] == ([2, 2, 2, 1], 0.19, once)
assert found["early_stop=False"] == found["use_reentrant=True"] == (twice, 0.19, once)
PYTHON
