"""Published transformers: their sizes and their initialisation, each with its source. Loads no NumPy."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from gradcheck.errors import OptionError, one_of


class Preset(NamedTuple):
    """A published network as options, any of which the user can override."""

    options: dict[str, Any]  # what differs from the defaults of a transformer
    published: str  # parameters, as published
    source: str  # where sizes and initialisation come from, and what is simplified


def _gpt(blocks: int, model_width: int, heads: int, context: int) -> dict[str, Any]:
    """Return GPT-2's layout: pre norm, N(0, 0.02²), what writes to the stream scaled by 1/√(2·blocks)."""
    return {
        "blocks": blocks, "model_width": model_width, "heads": heads, "context": context, "vocabulary": 50257,
        "init": "normal", "weight_std": 0.02, "residual_scale": "gpt2",
    }  # fmt: skip


def _llama(blocks: int, model_width: int, heads: int, mlp_ratio: float, kv_heads: int) -> dict[str, Any]:
    """Return Llama's layout: pre RMS norm, SwiGLU, rotary positions, no biases, N(0, 0.02²)."""
    return {
        "blocks": blocks, "model_width": model_width, "heads": heads, "kv_heads": kv_heads, "mlp_ratio": mlp_ratio,
        "activation": "swiglu", "init": "normal", "weight_std": 0.02, "norm": "rms", "positions": "rotary",
        "tied": False, "biases": False, "vocabulary": 32000,
    }  # fmt: skip


GPT2 = "Radford et al. 2019 and its code, section 2.3: residual weights scaled by 1/√(2·blocks)"
LLAMA = "initialisation as in its common implementations, N(0, 0.02²), as the paper gives none"

PRESETS: dict[str, Preset] = {
    "gpt2": Preset(_gpt(12, 768, 12, 1024), "124M", GPT2),
    "gpt2-xl": Preset(_gpt(48, 1600, 25, 1024), "1.5B", GPT2),
    "gpt3": Preset(
        _gpt(96, 12288, 96, 2048),
        "175B",
        "Brown et al. 2020, table 2.1; initialisation of GPT-2; dense attention in every block",
    ),
    "llama-7b": Preset(_llama(32, 4096, 32, 2.6875, 32), "6.7B", f"Touvron et al. 2023a, table 2; {LLAMA}"),
    "llama-70b": Preset(
        _llama(80, 8192, 64, 3.5, 8), "69B", f"Touvron et al. 2023b (Llama 2), grouped-query attention; {LLAMA}"
    ),
    "bert-base": Preset(
        {
            "init": "normal", "weight_std": 0.02, "norm_placement": "post", "causal": False, "vocabulary": 30522,
            "context": 512,
        },
        "110M",
        "Devlin et al. 2019; normal in place of truncated normal weights, no segments, no pooler; each token is asked "
        "for itself",
    ),
    "vit-b": Preset(
        {
            "init": "xavier_uniform", "causal": False, "tied": False, "patch": 768, "tokens": 197, "vocabulary": 1000,
        },
        "86M",
        "Dosovitskiy et al. 2021, table 1 (16 × 16 patches); its read-out starts at zero there, drawn here, or no "
        "gradient would flow",
    ),
    "transformer-base": Preset(
        {
            "blocks": 6, "model_width": 512, "heads": 8, "activation": "relu", "init": "xavier_uniform",
            "norm_placement": "post", "positions": "sinusoidal", "vocabulary": 37000,
        },
        "65M",
        "Vaswani et al. 2017, table 3: one of its two stacks, as a language model; initialisation of "
        "torch.nn.Transformer",
    ),
}  # fmt: skip


def with_preset(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with those of their preset, if they name one, where they have no value yet.

    Raises
    ------
    OptionError
        There is no such preset.
    """
    if values.get("preset") is None:
        return dict(values)
    name = one_of("preset", values["preset"], PRESETS)
    if values.get("arch") not in (None, "transformer"):
        raise OptionError("preset", f"{name} is a transformer: drop --arch {values['arch']}")
    options = {"arch": "transformer", **PRESETS[name].options}
    if values.get("init") not in (None, options["init"]):  # another law has no use for its standard deviation
        options.pop("weight_std", None)
    return options | {name: value for name, value in values.items() if value is not None}
