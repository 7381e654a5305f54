"""What there is to choose from: presets, activations, initialisations and normalisations, each with its source."""

from collections.abc import Callable
from typing import Any

from gradcheck.base.calls import public
from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.initializers import INITIALIZERS, gaussian, haar_frame
from gradcheck.engine.normalization import NORMS
from gradcheck.errors import one_of
from gradcheck.families.transformer import GATES, TRANSFORMER
from gradcheck.spec import FREE_SCALE, GATED, WEIGHTLESS, TransformerSpec
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
    return [
        {
            "name": name,
            "law": "normal" if one.sample is gaussian else "frame" if one.sample is haar_frame else "uniform",
            "std_of_512x512": None if name in FREE_SCALE else _std(name),
            "weightless": name in WEIGHTLESS,
            "source": one.source,
        }
        for name, one in INITIALIZERS.items()
    ]


def _std(init: str) -> float:
    """Return the standard deviation of the entries of a 512 × 512 matrix."""
    variance = INITIALIZERS[init].variance(512, 512)
    return float((variance / 512 if init == "orthogonal" else variance) ** 0.5)


LISTS: dict[str, Callable[[], list[Entry]]] = {
    "presets": lambda: [_preset(name) for name in PRESETS],
    "activations": _activations,
    "inits": _inits,
    "norms": lambda: [{"name": name, "source": one.source} for name, one in NORMS.items()],
}
