"""A training step of the default clip-demo beside PyTorch eager, see README.md.

Run it as ``python benchmarks/training.py [--runs 9] [--threads N]``.

One step: forward through the recurrent network, cross-entropy, backpropagation through time, clipping by global norm,
SGD with momentum. Both sides get the same weights, the same batch, the same threads; the clock starts only if their
losses agree over three steps.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from typing import TYPE_CHECKING

from speed import Task, alternate, positive, prepare_environment, print_table, ratios, repeated, set_threads

if TYPE_CHECKING:
    from gradcheck.data.datasets import Batch
    from gradcheck.training.demonstration import Demonstration

#: What both sides clip by.
RULE = "global-norm:0.15"

#: Networks that are trained: the default first. Over 64 steps its gain would amplify the last digit to a difference.
NETWORKS = {
    "rnn, 8 steps (the default)": {"network": "rnn"},
    "rnn, 64 steps": {"network": "rnn", "sequence": "pixels", "recurrent_gain": 1.0},
    "lstm, 8 steps": {"network": "lstm", "recurrent_gain": 1.0},
    "gru, 8 steps": {"network": "gru", "recurrent_gain": 1.0},
}


def main() -> None:
    """Print one line a network."""
    options = parser().parse_args()
    prepare_environment()
    set_threads(options.threads)
    rows = []
    for name, network in NETWORKS.items():
        work = prepared(network)
        tasks = {"ours": ours(*work), "torch": theirs(*work)}
        check(*work)
        times = alternate(tasks, options.runs, repeated)
        milliseconds = [f"{1e3 * sorted(each)[len(each) // 2]:.2f}" for each in times.values()]
        rows.append([name, *milliseconds, *ratios(*times.values())])
    title = f"training step, {options.runs} runs, {options.threads} thread{'s' * (options.threads > 1)}"
    print_table([title, "ours, ms", "PyTorch, ms", "ours / PyTorch", "median of pairs"], rows)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="a training step beside PyTorch's")
    parser.add_argument("--runs", type=positive, default=9, metavar="N", help="of each (9)")
    parser.add_argument(
        "--threads", type=positive, default=os.cpu_count() or 1, metavar="N", help="of both (all cores)"
    )
    return parser


def prepared(network: dict[str, object]) -> tuple[Demonstration, Batch]:
    """Return the demonstration of a network, and its first batch."""
    from gradcheck.training.demonstration import Demonstration

    demonstration = Demonstration.from_options({**network, "clip": [RULE]})
    return demonstration, next(demonstration.training_batches())


def ours(demonstration: Demonstration, batch: Batch) -> Task:
    """Return one training step of gradcheck's, with everything that the demonstration notes down of it."""
    from gradcheck.clipping import Clipper
    from gradcheck.training.sgd import train

    steps = train(demonstration.network(), itertools.repeat(batch), Clipper(RULE), demonstration.training)
    return lambda: next(steps).loss


def theirs(demonstration: Demonstration, batch: Batch) -> Task:
    """Return one training step of PyTorch's, from the same weights."""
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    (_, given), (_, recurrent), (_, readout) = demonstration.network().maps
    kind = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[demonstration.experiment.network.arch]
    layer = kind(given.weight.shape[0], recurrent.weight.shape[0]).double()
    head = nn.Linear(*readout.weight.shape).double()
    parameters = [layer.weight_ih_l0, layer.bias_ih_l0, layer.weight_hh_l0, layer.bias_hh_l0, head.weight, head.bias]
    with torch.no_grad():
        arrays = [array for one in (given, recurrent, readout) for array in one]
        for parameter, array in zip(parameters, arrays, strict=True):
            parameter.copy_(torch.from_numpy(array.T.copy()))
    training = demonstration.training
    optimizer = torch.optim.SGD(parameters, lr=training.lr, momentum=training.momentum)
    sequence = torch.from_numpy(demonstration.network().sequence(batch.inputs))
    labels = torch.from_numpy(batch.labels)
    limit = float(RULE.partition(":")[2])

    def step() -> float:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(head(layer(sequence)[0][-1]), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, limit)
        optimizer.step()
        return loss.item()

    return step


def check(demonstration: Demonstration, batch: Batch) -> None:
    """Stop unless both sides' losses agree over three steps."""
    mine, torchs = ours(demonstration, batch), theirs(demonstration, batch)
    for _ in range(3):
        left, right = mine(), torchs()
        if not abs(left / right - 1) < 1e-9:
            sys.exit(f"training.py: the losses differ: {left!r}, {right!r}")


if __name__ == "__main__":
    main()
