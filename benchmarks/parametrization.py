"""gradcheck.torch.transfer beside the coordinate check of the mup package: the same models, the same data.

Needs ``pip install mup==1.0.0 torch``. Exits with 1 if a size differs, or a verdict isn't what the parametrisation
says. ``--only agreement`` or ``--only verdicts`` runs one of the
two parts.

agreement   The perceptron and the transformer of mup's examples in µP and in the standard parametrisation, with SGD
            and Adam, five seeds each: mean |x| of every module's output at every step and width, as mup's check records
            it and as gradcheck does; the largest relative difference, and the verdict.
verdicts    Right networks, and mistakes that users make: what the verdict says of each.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import mup
import torch
from mup.coord_check import get_coord_data
from mup_models import (
    BASE,
    Images,
    Make,
    Multihead,
    Perceptron,
    Residual,
    Transformer,
    groups,
    in_mup,
    in_standard,
)
from torch import nn
from torch.nn import functional

from gradcheck.data.tokens import TEXT
from gradcheck.parametrization.judging import judge
from gradcheck.torch.parametrization.laying_out import Network, lay_out
from gradcheck.torch.parametrization.training import Training
from gradcheck.torch.probing.batches import Batches
from gradcheck.torch.probing.state import seed_all

#: mup's check looks at three passes, the last of them after two steps.
SEEDS, STEPS = 5, 2

#: mean |x| in float32 is summed in another order.
DIGITS = 1e-5

Optimize = Callable[[nn.Module], torch.optim.Optimizer]


class Case(NamedTuple):
    """A network, how it is trained and what is to come of it."""

    name: str
    build: Make
    optimize: Optimize
    batch: Any
    verdict: str
    loss: Any = None
    axis: str = "width"
    sizes: tuple[int, ...] = (64, 128, 256, 512)


def images(examples: int, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return standard normal images, and classes of them, instead of CIFAR-10."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(examples, *shape, generator=generator), torch.randint(10, (examples,), generator=generator)


def text(tokens: int, sequences: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the characters of a text, (tokens, sequences), and those that follow them, instead of Wikitext-2."""
    letters = TEXT.read_text(encoding="utf-8")
    ids = {letter: number for number, letter in enumerate(sorted(set(letters)))}
    stream = torch.tensor([ids[letter] % 96 for letter in letters[: tokens * sequences + 1]])
    return stream[:-1].view(sequences, -1).t().contiguous(), stream[1:].view(sequences, -1).t().contiguous()


def nll(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the loss of mup's examples: the negative output of the right class."""
    return functional.nll_loss(output.flatten(0, -2), targets.flatten())


def published() -> Iterator[tuple[str, Case]]:
    """Yield mup's examples, with the optimizer of ``get_coord_data`` that trains them."""
    subjects = {
        "perceptron": (Perceptron, images(64, 3072), 0.1, 1e-3),
        "transformer": (Transformer, text(35, 20), 0.5, 0.01),
    }
    for name, (make, batch, *rates) in subjects.items():
        for kind, rate in zip(("sgd", "adam"), rates, strict=True):
            ours = {"sgd": (mup.MuSGD, torch.optim.SGD), "adam": (mup.MuAdam, torch.optim.Adam)}[kind]
            for param, wrap, optimizer in zip(("mup", "standard"), (in_mup, in_standard), ours, strict=True):
                optimize = partial(_optimizer, optimizer, rate)
                verdict = "transfers" if param == "mup" else "grows"
                yield kind, Case(f"{name}, {param}, {kind}", wrap(make), optimize, batch, verdict, nll)


def _optimizer(kind: Callable[..., torch.optim.Optimizer], rate: float, model: nn.Module) -> torch.optim.Optimizer:
    return kind(model.parameters(), lr=rate)


def train(case: Case, steps: int, seeds: int) -> list[Network]:
    """Train the networks of a case as ``gradcheck.torch.transfer`` does."""
    training, found = Training(Batches(case.batch), case.loss, steps, "train"), []
    for seed in range(seeds):
        for size in case.sizes:
            seed_all(seed)
            model = case.build(size)
            found.append(Network(size, seed, training.run(model, case.optimize(model), seed)))
    return found


#: (width, seed, step) ↦ mean |x|, of one module.
Sizes = dict[tuple[int, int, int], float]


def of_mup(case: Case, kind: str) -> dict[str, Sizes]:
    """Return what mup's coordinate check records of the same networks."""
    found: dict[str, Sizes] = defaultdict(dict)
    for seed in range(SEEDS):
        models = {width: partial(_seeded, case.build, width, seed) for width in case.sizes}
        settings = {
            "optimizer": kind,
            "lr": case.optimize.args[1],
            "mup": case.optimize.args[0] in (mup.MuSGD, mup.MuAdam),
        }
        inputs, targets = case.batch
        rows = get_coord_data(
            models, [(inputs, targets.flatten())], **settings, lossfn="nll", flatten_output=inputs.dtype == torch.int64,
            nsteps=STEPS + 1, cuda=False, show_progress=False,
        )  # fmt: skip
        for row in rows.itertuples():
            found[row.module][row.width, seed, row.t - 1] = row.l1
    return found


def _seeded(build: Make, width: int, seed: int) -> nn.Module:
    seed_all(seed)
    return build(width)


def compare(theirs: dict[str, Sizes], networks: Sequence[Network]) -> tuple[int, int, float]:
    """Return how many modules mup records, how many of them gradcheck does by name, and the largest difference.

    The others return what a module within them has returned: that one has to be there with the same sizes.
    """
    ours: dict[str, Sizes] = defaultdict(dict)
    for one in networks:
        for step, layers in enumerate(one.seen.passes):
            for name, layer in layers.items():
                ours[name][one.scale, one.seed, step] = layer.output.mean
    nearest = {
        name: min(_difference(sizes, other) for other in ([ours[name]] if name in ours else ours.values()))
        for name, sizes in theirs.items()
    }
    return len(theirs), len(theirs.keys() & ours.keys()), max(nearest.values())


def _difference(one: Sizes, other: Sizes) -> float:
    return max(
        abs(other.get(key, float("inf")) - size) / max(size, 1e-30) if size or other.get(key) else 0.0
        for key, size in one.items()
    )


def agreement() -> bool:
    """Print how far the two are apart, and whether all is as it has to be."""
    print(f"{'network':30} {'modules':>8} {'by name':>8} {'largest difference':>19}  verdict")
    sound = True
    for kind, case in published():
        networks = train(case, STEPS, SEEDS)
        modules, by_name, difference = compare(of_mup(case, kind), networks)
        verdict = judge(lay_out(networks, "width", STEPS)).status
        sound &= difference < DIGITS and verdict == case.verdict
        print(f"{case.name:30} {modules:8} {by_name:8} {difference:19.1e}  {verdict}", flush=True)
    return sound


def right() -> Iterator[Case]:
    """Yield networks that transfer."""
    adam, sgd = partial(_optimizer, mup.MuAdam, 0.01), partial(_optimizer, mup.MuSGD, 0.1)
    rows, tokens = images(32, 64), text(16, 4)
    narrow = (64, 128, 256)
    for name, optimize in (("Adam", adam), ("SGD", sgd)):
        for norm in (nn.Identity, nn.LayerNorm, nn.BatchNorm1d):
            yield Case(
                f"residual stream, {norm.__name__}, {name}",
                in_mup(partial(Residual, norm=norm)),
                optimize,
                rows,
                "transfers",
            )
        yield Case(
            f"convolutions, {name}", in_mup(Images), optimize, images(8, 3, 8, 8), "transfers", sizes=(32, 64, 128)
        )
        yield Case(
            f"nn.MultiheadAttention, more heads, {name}",
            in_mup(lambda width: Multihead(width, width // 16)),
            optimize,
            tokens,
            "transfers",
            sizes=narrow,
        )
        yield Case(
            f"transformer, pre-norm, {name}",
            in_mup(partial(Transformer, pre=True)),
            optimize,
            tokens,
            "transfers",
            nll,
            sizes=narrow,
        )
        yield Case(
            f"transformer, tied, {name}",
            tied,
            optimize,
            tokens,
            "transfers",
            nll,
        )
    yield Case(
        "transformer, queries at zero, Adam",
        in_mup(partial(Transformer, zero_queries=True)),
        adam,
        tokens,
        "transfers",
        nll,
        sizes=narrow,
    )
    yield Case(
        "MuAdamW with weight decay",
        in_mup(Residual),
        lambda model: mup.MuAdamW(model.parameters(), lr=0.01, weight_decay=0.1),
        rows,
        "transfers",
    )
    yield Case(
        "depth-µP, Adam",
        partial(deep, power=0.5),
        partial(adam_in_depth, power=0.5),
        rows,
        "transfers",
        axis="depth",
        sizes=(4, 8, 16, 32),
    )
    yield Case(
        "depth-µP, SGD",
        partial(deep, power=0.5),
        lambda model: torch.optim.SGD(model.parameters(), lr=0.05),
        rows,
        "transfers",
        axis="depth",
        sizes=(4, 8, 16, 32),
    )


def tied(width: int, *, again: bool = True) -> nn.Module:
    """Return a transformer whose read-out is its embedding.

    Setting the base shapes multiplies the embedding by the root of the width, so it has to be drawn again.
    """
    model = in_mup(partial(Transformer, tied=True))(width)
    if again:
        nn.init.normal_(model.embedding.weight, std=BASE**-0.5)
    return model


def deep(depth: int, power: float, norm: type[nn.Module] = nn.Identity) -> nn.Module:
    """Return a residual network of width 64 whose branches are divided by a power of its depth."""
    return mup.set_base_shapes(Residual(64, norm, depth, depth**-power), None)


def adam_in_depth(model: nn.Module, power: float) -> torch.optim.Optimizer:
    """Return Adam whose rate falls in the branches with a power of the depth."""
    within = 3e-3 * (4 / len(model.branches)) ** power
    return torch.optim.Adam(groups(model, lambda name: within if "branches" in name else 3e-3))


def wrong() -> Iterator[Case]:
    """Yield mistakes that users make, and what each does."""
    adam, sgd = partial(_optimizer, mup.MuAdam, 0.01), partial(_optimizer, mup.MuSGD, 0.1)
    plain = partial(_optimizer, torch.optim.Adam, 0.01)
    rows, tokens = images(32, 64), text(16, 4)
    narrow, depths = (64, 128, 256), (4, 8, 16, 32)
    linear = in_mup(partial(Residual, readout=nn.Linear), strict=False)
    for name, optimize in (("Adam", adam), ("SGD", sgd)):
        yield Case(f"nn.Linear instead of MuReadout, {name}", linear, optimize, rows, "grows")
        yield Case(
            f"scores over sqrt(d), {name}",
            in_mup(partial(Transformer, power=0.5)),
            optimize,
            tokens,
            "grows",
            nll,
            sizes=narrow,
        )
        yield Case(
            f"nn.MultiheadAttention, wider heads, {name}",
            in_mup(lambda width: Multihead(width, 2)),
            optimize,
            tokens,
            "grows",
            sizes=narrow,
        )
        yield Case(f"hidden matrix drawn anew with a fixed deviation, {name}", drawn_anew, optimize, rows, "grows")
    yield Case(
        "tied embedding as MuSharedReadout leaves it", partial(tied, again=False), adam, tokens, "grows", nll,
        sizes=narrow,
    )  # fmt: skip
    yield Case("torch's Adam instead of MuAdam", in_mup(Residual), plain, rows, "grows")
    yield Case(
        "torch's SGD instead of MuSGD", in_mup(Residual), partial(_optimizer, torch.optim.SGD, 0.1), rows, "shrinks"
    )
    yield Case("read-out drawn before the base shapes are set", readout_first, adam, rows, "grows")
    yield Case(
        "MuAdam with weight decay",
        in_mup(Residual),
        lambda model: mup.MuAdam(model.parameters(), lr=0.01, weight_decay=0.01),
        rows,
        "shrinks",
    )
    for name, part, power, verdict in (
        ("first layer's rate over the width", "enter", 1, "shrinks"),
        ("read-out's rate over the width", "readout", 1, "shrinks"),
        ("hidden rates over the squared width", "branches", 2, "shrinks"),
    ):
        yield Case(name, in_mup(Residual), partial(adam_but, part=part, power=power), rows, verdict)
    yield Case(
        "embedding's rate over the width",
        in_mup(Transformer),
        partial(adam_but, part="embedding", power=1),
        tokens,
        "shrinks",
        nll,
        sizes=narrow,
    )
    yield Case(
        "no scale of branches in depth",
        partial(deep, power=0),
        partial(adam_in_depth, power=0.5),
        rows,
        "grows",
        axis="depth",
        sizes=depths,
    )
    yield Case(
        "no scale of branches in depth, norms",
        partial(deep, power=0, norm=nn.LayerNorm),
        partial(adam_in_depth, power=0.5),
        rows,
        "grows",
        axis="depth",
        sizes=depths,
    )
    yield Case(
        "rates that don't fall with depth",
        partial(deep, power=0.5),
        partial(adam_in_depth, power=0),
        rows,
        "grows",
        axis="depth",
        sizes=depths,
    )


def adam_but(model: nn.Module, part: str, power: int) -> torch.optim.Optimizer:
    """Return Adam with µP's rates, but for those of one part, which fall with a power of the width."""
    wider = max(one.infshape.width_mult() for one in model.parameters())

    def rate(name: str) -> float:
        if part in name:
            return 0.01 / wider**power
        return 0.01 / wider if model.get_parameter(name).infshape.ninf() == 2 else 0.01

    return torch.optim.Adam(groups(model, rate))


def drawn_anew(width: int) -> nn.Module:
    """Return a model whose hidden matrix is drawn once more, after the base shapes are set, with nn.init."""
    model = in_mup(Residual)(width)
    nn.init.normal_(model.branches[0].weight, std=0.1)
    return model


def readout_first(width: int) -> nn.Module:
    """Return a model whose read-out is drawn at its final size, which setting the base shapes multiplies once more."""

    def make(width: int) -> nn.Module:
        model = Residual(width)
        nn.init.normal_(model.readout.weight, std=0.2)
        return model

    return in_mup(make)(width)


def verdicts() -> bool:
    """Print the verdict on each network, and whether all are as they have to be."""
    sound = True
    for case in (*right(), *wrong()):
        judgement = judge(lay_out(train(case, 5, 3), case.axis, 5))
        faults = [*judgement.of("grows"), *judgement.of("shrinks")]
        named = ", ".join(f"{one.layer} {one.quantity} {one.first.slope.exponent:+.2f}" for one in faults[:3])
        sound &= judgement.status == case.verdict
        flag = "" if judgement.status == case.verdict else f"  (not {case.verdict})"
        print(f"{case.name:52} {judgement.status}{flag}  {named}", flush=True)
    return sound


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["agreement", "verdicts"])
    asked = parser.parse_args().only
    torch.set_num_threads(1)
    parts = {"agreement": agreement, "verdicts": verdicts}
    sound = [run() for name, run in parts.items() if asked in (None, name)]
    sys.exit(0 if all(sound) else 1)
