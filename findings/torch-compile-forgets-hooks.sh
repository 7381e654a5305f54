#!/bin/sh
# Hooks that are added to a layer after the first call of torch.compile(model) never run, forward or backward.
#
# PyTorch 2.13.0. torch.compile returns a wrapper that traces its layers together with the hooks they have at the first
# call. A hook that is added later, to watch activations or gradients from some step on, is called neither then nor in any
# later step; nor is a global one for any layer. Nothing warns: the monitor shows no numbers, or those of before.
# model.compile(), which compiles in place, calls all of them.
#
# Seen: hooks called for one layer in a step (forward, backward, global), added before and after the first call:
#   eager           before 1 1 1   after 1 1 1
#   torch.compile   before 1 1 1   after 0 0 0
#   model.compile   before 1 1 1   after 1 1 1
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

INPUTS = torch.ones(2, 4)


def called(way, early):
    torch._dynamo.reset()
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    run = torch.compile(model, backend="aot_eager") if way == "torch.compile" else model
    if way == "model.compile":
        model.compile(backend="aot_eager")
    if not early:
        run(INPUTS).sum().backward()
    counts = {"forward": 0, "backward": 0, "global": 0}

    def count(which):
        def hook(module, *tensors):
            if hasattr(module, "watched"):
                counts[which] += 1

        return hook

    model[0].watched = True
    model[0].register_forward_hook(count("forward"))
    model[0].register_full_backward_hook(count("backward"))
    handle = register_module_forward_hook(count("global"))
    run(INPUTS).sum().backward()
    handle.remove()
    return tuple(counts.values())


found = {}
for way in ("eager", "torch.compile", "model.compile"):
    for early in (True, False):
        found[way, early] = called(way, early)
        print(f"{way:14} hooks added {'before' if early else 'after '} the first call: {found[way, early]}")
assert found["torch.compile", False] == (0, 0, 0)
assert all(found[way, early] == (1, 1, 1) for way, early in found if (way, early) != ("torch.compile", False))
PYTHON
