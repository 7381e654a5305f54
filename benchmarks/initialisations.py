"""Does ``--init FRAMEWORK`` draw what the framework draws? Both sides draw; their entries are compared. See README.md.

Run it as ``python benchmarks/initialisations.py [torch keras …]``; what isn't installed is left out. It exits with 1 if

- a standard deviation differs by more than 0.5 %,
- the largest entry of a bounded law differs by more than 1e-4, or only one side is bounded,
- a matrix is orthonormal, as a whole or gate by gate, on one side alone,
- a constant isn't equal,
- or a p-value, of the difference of the means or Kolmogorov's and Smirnov's, is below 0.001/their number (Bonferroni).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from frameworks import GATES, NAMES, Draw, Framework, framework
from law import LEVEL, kolmogorov_smirnov, p_value
from speed import prepare_environment, print_table

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

#: Entries that are drawn of each matrix, and of each kind of biases; a deviation's standard error is then ≤ 0.1 %.
ENTRIES, BIASES = 1_000_000, 400_000

#: Fans that differ, so that none is taken for another.
INPUTS, OUTPUTS, HIDDEN, WIDTH, HEADS, TOKENS = 900, 500, 300, 600, 6, 2000

#: A kurtosis below this one is that of a bounded law: uniform 1.8, cut at two deviations 2.37, normal 3.
BOUNDED = 2.7


class Compared(NamedTuple):
    """What became of one kind of matrix or biases on two sides."""

    entries: int
    std: float  # of gradcheck's over the framework's
    largest: float | None  # the same of the largest entries, of bounded laws
    p_mean: float
    p: float
    same: bool  # what has to be equal is

    def right(self, bound: float) -> bool:
        """Return whether both sides have one law."""
        near = self.largest is None or abs(self.largest - 1) <= 1e-4
        return self.same and abs(self.std - 1) <= 0.005 and near and min(self.p, self.p_mean) >= bound


def main() -> None:
    """Compare all laws, print one line each, and leave with 1 if one differs."""
    options = parser().parse_args()
    prepare_environment()
    rows: list[tuple[str, str, Compared]] = []
    for name in options.frameworks or NAMES:
        try:
            theirs = framework(name)
        except ImportError as error:
            print(f"without {name}: {error}", file=sys.stderr)
            continue
        print(f"{name} …", file=sys.stderr)
        rows += [(name, what, compared(*sides)) for what, *sides in cases(name, theirs)]
    bound = LEVEL / (2 * len(rows))
    print_table(
        ["framework", "what", "entries", "std", "largest", "p of means", "p of laws", ""],
        [[name, what, *shown(one), "" if one.right(bound) else "DIFFERS"] for name, what, one in rows],
    )
    wrong = sum(not one.right(bound) for *_, one in rows)
    worst = max(abs(one.std - 1) for *_, one in rows)
    least = min(min(one.p, one.p_mean) for *_, one in rows)
    print(f"{len(rows)} laws; std apart by at most {worst:.2%}; smallest p-value {least:.2g}, bound {bound:.2g}")
    print(f"{wrong} differ: FAILED" if wrong else "passed")
    sys.exit(wrong > 0)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="gradcheck's initialisations beside the frameworks' own draws")
    parser.add_argument("frameworks", nargs="*", metavar="FRAMEWORK", help="; ".join(NAMES))
    return parser


def shown(one: Compared) -> list[str]:
    """Return the cells of a comparison."""
    largest = "" if one.largest is None else f"{one.largest:.6f}"
    return [f"{one.entries:,}", f"{one.std:.4f}", largest, f"{one.p_mean:.2g}", f"{one.p:.2g}"]


def cases(name: str, framework: Framework) -> Iterator[tuple[str, list[Array], list[Array]]]:
    """Yield what is drawn, by gradcheck and by the framework; a matrix is a list of its gates."""
    layers = {"dense": framework.dense, "logistic": framework.logistic, **framework.cells}
    for part, theirs in layers.items():
        matrices, sizes = ("W", "b"), (INPUTS, OUTPUTS)
        if part in GATES:
            matrices, sizes = ("W_x", "b", "W_h", "b_h"), (INPUTS, HIDDEN)
        for k, matrix in enumerate(matrices if theirs else ()):
            biases = matrix.startswith("b")
            few = (4, HIDDEN if part in GATES else 8 * OUTPUTS)  # weights for many biases
            yield f"{part} {matrix}", *both(name, part, theirs, k, few if biases else sizes, biases)
    for k, matrix in enumerate(("queries, keys, values", "output") if framework.attention else ()):
        yield f"attention {matrix}", *both(name, "attention", framework.attention, k, (WIDTH, HEADS))
    if framework.embedding:
        yield "embedding", *both(name, "embedding", framework.embedding, 0, (TOKENS, WIDTH))
    for law, theirs in framework.named.items():
        yield law, *both(law, "law", theirs, 0, (INPUTS, OUTPUTS))


def both(
    init: str, part: str, theirs: Draw, index: int, sizes: tuple[int, int], biases: bool = False
) -> tuple[list[Array], list[Array]]:
    """Draw one matrix, or its biases, by gradcheck and by a framework."""
    gates = GATES.get(part, 1)
    return drawn(ours_of(init, part), index, sizes, gates, biases), drawn(theirs, index, sizes, gates, biases)


def drawn(draw: Draw, index: int, sizes: tuple[int, int], gates: int, biases: bool) -> list[Array]:
    """Draw until there are enough entries; for each gate its weights (draws, fan_in, fan_out) or its biases."""
    found: list[Array] = []
    while not found or sum(one.size for one in found) < (BIASES if biases else ENTRIES):
        matrix = np.asarray(draw(*sizes)[index], dtype=np.float64)
        found.append(matrix)
        if biases and not any(is_random(row) for row in matrix):
            break
    return list(np.concatenate(found, axis=1)) if biases else np.split(np.stack(found), gates, axis=2)


def is_random(row: Array) -> bool:
    """Return whether the entries differ."""
    return bool((row != row.flat[0]).any())


def compared(ours: list[Array], theirs: list[Array]) -> Compared:
    """Compare two lists of gates."""
    random = [is_random(gate) for gate in ours]
    same = random == [is_random(gate) for gate in theirs] and frames(ours) == frames(theirs)
    pairs = zip(ours, theirs, random, strict=True)
    same &= all(one.flat[0] == other.flat[0] for one, other, free in pairs if not free)
    if not same or not any(random):
        return Compared(sum(gate.size for gate in ours), 1.0, None, 1.0, 1.0, bool(same))
    one, other = (
        np.sort(np.concatenate([gate.ravel() for gate, free in zip(gates, random, strict=True) if free]))
        for gates in (ours, theirs)
    )
    kurtosis = [np.mean(side**4) / np.mean(side**2) ** 2 for side in (one, other)]
    z = (one.mean() - other.mean()) / math.hypot(one.std() / math.sqrt(one.size), other.std() / math.sqrt(other.size))
    return Compared(
        one.size,
        float(one.std() / other.std()),
        float(max(-one[0], one[-1]) / max(-other[0], other[-1])) if min(kurtosis) < BOUNDED else None,
        math.erfc(abs(z) / math.sqrt(2)),
        p_value(kolmogorov_smirnov(one, other), one.size, other.size),
        True,
    )


def frames(gates: list[Array]) -> tuple[bool, ...]:
    """Return whether a matrix is orthonormal along its shorter side as a whole, and each of its gates."""
    if gates[0].ndim < 3:
        return ()
    return orthonormal(np.concatenate([gate[0] for gate in gates], axis=1)), *(orthonormal(gate[0]) for gate in gates)


def orthonormal(matrix: Array) -> bool:
    """Return whether the shorter side of a matrix is orthonormal."""
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    return bool(np.abs(tall.T @ tall - np.eye(tall.shape[1])).max() < 1e-4)


def ours_of(init: str, part: str) -> Draw:
    """Return what gradcheck draws for a part of a network, each time from another seed."""
    from gradcheck.families import drawn_network
    from gradcheck.spec import NetworkSpec, RecurrentSpec, TransformerSpec

    seeds = iter(range(10**9))

    def dense(inputs: int, outputs: int) -> tuple[Array, ...]:
        activation = "sigmoid" if "logistic" in part else "relu"
        spec = NetworkSpec(init=init, depth=1, width=outputs, activation=activation)
        weight, bias = dict(drawn_network(spec, inputs, 2, next(seeds)).maps)["W1", "b1"]
        return weight, np.zeros((1, outputs)) if bias is None else bias[None]

    def cell(inputs: int, hidden: int) -> tuple[Array, ...]:
        spec = RecurrentSpec(arch=part, init=init, width=hidden, steps=2)
        maps = dict(drawn_network(spec, 2 * inputs, 2, next(seeds)).maps)
        (own, b), (other, b_h) = maps["W_x", "b"], maps["W_h", "b_h"]
        none = np.zeros(GATES[part] * hidden)
        b, b_h = (np.reshape(none if bias is None else bias, (-1, hidden)) for bias in (b, b_h))
        return own, b, other, b_h

    def transformer(width: int, heads: int, tokens: int) -> object:
        sizes = {"blocks": 1, "model_width": width, "heads": heads, "tokens": 2, "vocabulary": tokens}
        spec = TransformerSpec(init=init, biases=True, tied=False, **sizes)
        return drawn_network(spec, 0, tokens, next(seeds))

    def attention(width: int, heads: int) -> tuple[Array, ...]:
        return tuple(one.weight for one in transformer(width, heads, 10).sublayer(1).branch.maps)

    def embedding(tokens: int, width: int) -> tuple[Array, ...]:
        return (transformer(width, 1, tokens)._embedding(tokens),)

    def law(inputs: int, outputs: int) -> tuple[Array, ...]:
        name, _, std = init.partition(" ")
        spec = NetworkSpec(init=name, depth=1, width=outputs, **({"weight_std": float(std)} if std else {}))
        return (dict(drawn_network(spec, inputs, 2, next(seeds)).maps)["W1", "b1"][0],)

    made = {"attention": attention, "embedding": embedding, "law": law}
    return made.get(part) or (cell if part in GATES else dense)


if __name__ == "__main__":
    main()
