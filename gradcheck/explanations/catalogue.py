"""What there is to choose from: presets, activations, initialisations and normalisations, each with its source."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from gradcheck.base.calls import public
from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.cells import CELLS
from gradcheck.engine.initializers import INITIALIZERS, Law, Sample, gaussian, haar_frame, uniform
from gradcheck.engine.normalization import NORMS
from gradcheck.errors import one_of
from gradcheck.families.transformer import TRANSFORMER
from gradcheck.mean_field.laws import counted_fans
from gradcheck.spec import FREE_SCALE, GATED, WEIGHTLESS, TransformerSpec
from gradcheck.spec.frameworks import FRAMEWORKS, Drawn, Framework, laws_of
from gradcheck.spec.names import GATES
from gradcheck.spec.presets import PRESETS, with_preset

#: One thing to choose, as JSON values.
Entry = dict[str, Any]


@public
def catalogue(kind: str) -> list[Entry]:
    """Return what there is to choose from.

    Parameters
    ----------
    kind : str
        ``presets``, ``activations``, ``inits`` or ``norms``.

    Returns
    -------
    list of dict
        Each with a ``name`` and a ``source``, and with what else is known of it.

    Raises
    ------
    OptionError
        There is no such kind.
    """
    return LISTS[one_of("kind", kind, LISTS)]()


def _preset(name: str) -> Entry:
    """Return a preset's sizes, those that its published table has."""
    spec = TransformerSpec.from_dict(with_preset({"preset": name}))
    return {
        "name": name,
        "parameters": TRANSFORMER.parameters(spec, 0, 0),
        "published": PRESETS[name].published,
        "blocks": spec.blocks,
        "model_width": spec.model_width,
        "heads": spec.heads,
        "kv_heads": spec.kv_heads or spec.heads,
        "mlp_width": spec.mlp_width,
        "activation": spec.activation,
        "norm": f"{spec.norm} {spec.norm_placement}",
        "init": " ".join(str(part) for part in (spec.init, spec.weight_std) if part),
        "residual_scale": spec.residual_scale,
        "source": PRESETS[name].source,
    }


def _activations() -> list[Entry]:
    entries: list[Entry] = [
        {"name": name, "steepest": one.steepest, "kinks": list(one.kinks), "source": one.source}
        for name, one in ACTIVATIONS.items()
    ]
    for name in GATED:
        source = f"{GATES[name]} of one half times the other, in a transformer; Shazeer 2020"
        entries.append({"name": name, "steepest": None, "kinks": [], "source": source})
    return entries


def _inits() -> list[Entry]:
    laws: list[Entry] = [
        {
            "name": name,
            "law": _kind(name),
            "std_of_512x512": None if name in FREE_SCALE else _std(Drawn(name)),
            "weightless": name in WEIGHTLESS,
            "version": None,
            "layers": [],
            "source": one.source,
        }
        for name, one in INITIALIZERS.items()
    ]
    frameworks: list[Entry] = [
        {
            "name": name,
            "law": _kind(one.dense.law),
            "std_of_512x512": _std(one.dense),
            "weightless": laws_of(name, one.architectures[-1]) <= set(WEIGHTLESS),
            "version": one.version,
            "layers": list(_layers(one)),
            "source": f"{one.version}: {one.source}",
        }
        for name, one in FRAMEWORKS.items()
    ]
    return laws + frameworks


def _kind(law: str) -> str:
    """Return the shape of a law."""
    one = INITIALIZERS[law]
    kinds: dict[Sample, str] = {gaussian: "normal", uniform: "uniform", haar_frame: "frame"}
    return "truncated" if one.limit < math.inf else kinds.get(one.sample, "truncated")


def _layers(framework: Framework) -> Iterator[Entry]:
    """Yield how each kind of matrix is drawn, of a layer of 512 units that reads 512 numbers."""
    yield _layer("dense", framework.dense)
    if framework.logistic:
        yield _layer("dense, sigmoid", framework.logistic)
    for arch, cell in framework.cells.items():
        gates = len(CELLS[arch].gates)
        forget = {"forget_bias": cell.forget_bias if CELLS[arch].keeper is not None else None}
        yield _layer(f"{arch} input", cell.input, gates) | forget
        yield _layer(f"{arch} recurrent", cell.recurrent, gates)
    if framework.attention:
        project, write, embedding = framework.attention
        yield from (_layer("attention", project, 3), _layer("attention out", write), _layer("embedding", embedding))


def _layer(name: str, drawn: Drawn, parts: int = 1) -> Entry:
    law = {"law": drawn.law, "std_of_512x512": _std(drawn, parts), "fans": drawn.fans}
    return {"layer": name, **law, "biases": drawn.biases, "forget_bias": None}


def _std(drawn: Drawn, parts: int = 1) -> float:
    """Return the standard deviation of the entries of a 512 × 512 matrix, or of one of so many beside each other."""
    law = Law(drawn.law, drawn.std, fans=counted_fans(drawn, 512, parts, 512, 512))
    longest = 512 * (parts if drawn.fans == "whole" else 1)
    return float(law.std(512, 512) / (longest**0.5 if law.haar else 1))


LISTS: dict[str, Callable[[], list[Entry]]] = {
    "presets": lambda: [_preset(name) for name in PRESETS],
    "activations": _activations,
    "inits": _inits,
    "norms": lambda: [{"name": name, "source": one.source} for name, one in NORMS.items()],
}
