"""One of two processes that train a model together, each on half of the batch: ``python two_processes.py RANK FOLDER``.

Training and recording, for each way of sharing a model; the first process writes the logs into the folder.
"""

import sys
from pathlib import Path

import torch
from torch import distributed, nn

from gradcheck.torch.recording.watcher import Watcher

STEPS, CLIP = 3, 0.05

INPUTS, LABELS = torch.randn(8, 6, generator=torch.Generator().manual_seed(1)), torch.arange(8) % 3


def small():
    """The model, the same in each process."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def train(model, file, rows, **options):
    """Train on some rows, and record; the watcher."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watcher = Watcher(model, file, every=1, start=0, **options)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(INPUTS[rows]), LABELS[rows])
        loss.backward()
        watcher.before_clipping(max_norm=CLIP)
        clip(model)
        optimizer.step()
        watcher.add_loss(loss)
        watcher.record()
        watcher.react()
    watcher.close()
    return watcher


def clip(model):
    """As each way of sharing a model has it."""
    if hasattr(model, "clip_grad_norm_"):
        model.clip_grad_norm_(CLIP)
    else:
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)


def replicated():
    return nn.parallel.DistributedDataParallel(small())


def sharded():
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh, model = init_device_mesh("cpu", (2,)), small()
    for layer in (model[0], model[2]):
        fully_shard(layer, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def flattened():
    from torch.distributed.fsdp import FullyShardedDataParallel

    return FullyShardedDataParallel(small(), use_orig_params=True, device_id=torch.device("cpu"))


def main(rank, folder):
    store = f"file://{folder / 'store'}"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    rows = slice(4 * rank, 4 * rank + 4)
    for shared in (replicated, sharded, flattened):
        train(shared(), folder / f"{shared.__name__}.jsonl", rows)
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
