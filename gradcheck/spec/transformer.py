"""Transformers: a stack of decoder or encoder blocks."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gradcheck.base.calls import public_class
from gradcheck.base.wording import counted
from gradcheck.errors import OptionError, one_of
from gradcheck.spec.family import Spec, heading_of_weights
from gradcheck.spec.names import FRAMEWORKS, FREE_SCALE, GATED, NORMS
from gradcheck.spec.presets import PRESETS, with_preset


@public_class
@dataclass(frozen=True, kw_only=True)
class TransformerSpec(Spec):
    """A stack of blocks, each multi-head self-attention and an MLP beside the residual stream, and a read-out.

    Attributes
    ----------
    blocks : int
    model_width : int
        Numbers of the residual stream for each token.
    heads, kv_heads : int
        Attention heads, and how many of them have their own keys and values (Ainslie et al. 2023); all, if None.
    mlp_ratio : float
        Hidden units of an MLP over `model_width`.
    tokens : int
        Of each sequence.
    activation : str
        One of ``ACTIVATIONS``, or of ``GATED``: an MLP whose hidden units are gated (Shazeer 2020).
    norm, norm_placement : str
        ``layer``, ``rms`` or ``none``; ``pre``: x + f(norm(x)), ``post``: norm(x + f(x)), ``both``: x +
        norm(f(norm(x))), the sandwich of Ding et al. 2021.
    residual_scale : float or str
        Multiplies what a branch adds. ``gpt2`` scales the branches' last matrices by 1/√(2·blocks) at initialisation
        instead (Radford et al. 2019), ``deepnorm`` the stream by (2·blocks)^¼ and matrices by (8·blocks)^−¼ (Wang et
        al. 2022).
    causal : bool
        A token sees those before it only, and is asked for the next; else it sees all and is asked for itself.
    positions : str
        ``learned``, ``sinusoidal``, ``rotary`` (Su et al. 2021) or ``none``.
    tied : bool
        The read-out is the transposed embedding.
    biases : bool
        Linear maps have biases (which are zero unless `bias_std` says otherwise).
    vocabulary : int
        Kinds of tokens, or classes where the input is patches.
    context : int or None
        Positions that a learned embedding knows; as many as there are tokens, if None.
    patch : int or None
        Numbers of a patch: vectors take the place of tokens, and what is read out is a class token before them.
    init, gain, weight_std, bias_std
        As in ``InitialSpec``, of all matrices. Embeddings have `weight_std`, or with the other laws 1/√model_width and
        a factor √model_width at the input (Vaswani et al. 2017, section 3.4); those of a framework its own law.
        ``gpt2`` also scales the branches' last matrices.
    """

    architectures: ClassVar[tuple[str, ...]] = ("transformer",)
    fixed: ClassVar[Mapping[str, Any]] = {"residual": True}
    trained: ClassVar[bool] = False
    layer: ClassVar[str] = "flow point"

    arch: str = "transformer"
    blocks: int = 12
    model_width: int = 768
    heads: int = 12
    kv_heads: int | None = None
    mlp_ratio: float = 4.0
    tokens: int = 32
    activation: str = "gelu"
    norm: str = "layer"
    norm_placement: str = "pre"
    residual_scale: float | str = 1.0
    causal: bool = True
    positions: str = "learned"
    tied: bool = True
    biases: bool = True
    vocabulary: int = 256
    context: int | None = None
    patch: int | None = None

    def __post_init__(self) -> None:
        one_of("arch", self.arch, self.architectures)
        super().__post_init__()
        one_of("norm", self.norm, [name for name in NORMS if name != "batch"])
        self._check_scale()
        self._check_heads()
        self._check_input()

    def _check_heads(self) -> None:
        if not math.isfinite(self.mlp_ratio * self.model_width):
            raise OptionError("mlp_ratio", f"{self.mlp_ratio!r} of --model-width {self.model_width} is beyond any size")
        if self.model_width % self.heads:
            near = [number for number in range(1, self.model_width + 1) if self.model_width % number == 0]
            shown = ", ".join(map(str, near if len(near) <= 12 else [*near[:10], "..."]))
            raise OptionError("heads", f"{self.heads} can't share --model-width {self.model_width}; allowed: {shown}")
        if self.kv_heads is not None and self.heads % self.kv_heads:
            raise OptionError("kv_heads", f"{self.kv_heads} can't share the {self.heads} --heads evenly")
        if self.positions == "rotary" and self.head_width % 2:
            problem = f"rotary turns pairs of numbers, but a head has {self.head_width}: change --heads"
            raise OptionError("positions", problem)

    def _check_scale(self) -> None:
        if self.residual_scale == "deepnorm" and (self.norm_placement != "post" or self.norm == "none"):
            raise OptionError("residual_scale", "deepnorm is made for --norm-placement post, with a norm")
        if (self.residual_scale, self.init) == ("deepnorm", "gpt2"):
            raise OptionError("residual_scale", "deepnorm and --init gpt2 scale the same matrices: drop one")

    def _check_input(self) -> None:
        if self.context is not None and self.context < self.tokens:
            raise OptionError("context", f"{self.context} is less than --tokens {self.tokens}: a token has a position")
        if self.bias_std and not self.biases:
            raise OptionError("bias_std", "is the standard deviation of biases, but --no-biases leaves them out")
        if self.patch is None:
            return
        if self.tied:
            raise OptionError("tied", "ties the read-out to the embedding of tokens, but --patch has none: --no-tied")
        if self.tokens < 2:
            raise OptionError("tokens", "counts the class token before the patches: 2 at least")

    @property
    def head_width(self) -> int:
        """Numbers of a query, a key or a value of one head."""
        return self.model_width // self.heads

    @property
    def key_width(self) -> int:
        """Numbers of all keys, or all values, of a token."""
        return self.head_width * (self.kv_heads or self.heads)

    @property
    def mlp_width(self) -> int:
        """Hidden units of an MLP."""
        return max(1, round(self.mlp_ratio * self.model_width))

    @property
    def gated(self) -> bool:
        """Whether an MLP's hidden units are gated."""
        return self.activation in GATED

    @property
    def branch_scale(self) -> float:
        """What multiplies a branch's output."""
        return 1.0 if isinstance(self.residual_scale, str) else self.residual_scale

    @property
    def stream_scale(self) -> float:
        """What multiplies the residual stream beside a branch: DeepNorm's α (Wang et al. 2022, figure 2)."""
        return (2 * self.blocks) ** 0.25 if self.residual_scale == "deepnorm" else 1.0

    @property
    def branch_gain(self) -> float:
        """What multiplies the initial matrices that write to the stream: GPT-2's 1/√(2·blocks), DeepNorm's β."""
        if "gpt2" in (self.residual_scale, self.init):
            return float((2 * self.blocks) ** -0.5)
        return float((8 * self.blocks) ** -0.25) if self.residual_scale == "deepnorm" else 1.0

    @property
    def inner_gain(self) -> float:
        """What multiplies the initial matrices of values and of an MLP's hidden units: DeepNorm's β."""
        return self.branch_gain if self.residual_scale == "deepnorm" else 1.0

    @property
    def embedding_std(self) -> float:
        """Standard deviation of the embeddings, where the initialisation is a law."""
        return self.weight_std if self.weight_std and self.init in FREE_SCALE else float(self.model_width**-0.5)

    @property
    def embedding_scale(self) -> float:
        """What multiplies the embeddings at the input."""
        return 1.0 if self.init in (*FREE_SCALE, *FRAMEWORKS) else float(self.model_width**0.5)

    @property
    def token_kinds(self) -> int | None:
        """Kinds of tokens that are read; None where patches are."""
        return self.vocabulary if self.patch is None else None

    @property
    def rows(self) -> int:
        """Rows of a batch that an example makes: one a token."""
        return self.tokens

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers of the residual stream."""
        return (self.model_width,)

    @classmethod
    def refuse(cls, arch: str, option: str, value: object, others: Mapping[str, type[Spec]]) -> str:
        """Say why an option is not this family's."""
        own = "a transformer has --blocks, --model-width and its own residual streams"
        return f"{value} goes with --arch {', '.join(others)}; {own}"

    @classmethod
    def usual_data(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the defaults of the data's options: one sequence of many tokens is a batch already."""
        return {"data": "text" if values.get("patch") is None else "gaussian", "batch_size": 1}

    @classmethod
    def usual(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the defaults of options; those of a preset need not be typed."""
        usual, preset = super().usual(config), config.get("preset")
        if not preset:
            return usual
        values = with_preset({"preset": preset, "init": config["init"]}) | {"init": PRESETS[preset].options["init"]}
        return usual | {name: value for name, value in values.items() if name != "preset"}

    @classmethod
    def heading(cls, config: Mapping[str, Any]) -> Iterator[str]:
        """Yield the parts of a line that says which network it is."""
        kind = "decoder" if config["causal"] else "encoder"
        yield f"{config['preset'] or 'transformer'} {kind}, {config['activation']}"
        yield heading_of_weights(config)
        norm = "no norm" if config["norm"] == "none" else f"{config['norm']} norm {config['norm_placement']}"
        scale = config["residual_scale"]
        scaled = "" if scale == 1 else f", residual {scale}" if isinstance(scale, str) else f", residual × {scale:g}"
        yield norm + scaled
        yield f"{counted(config['blocks'], 'block')} of {config['model_width']}, {counted(config['heads'], 'head')}"

    @classmethod
    def heading_of_example(cls, config: Mapping[str, Any]) -> str:
        """Say how large an example is."""
        return f" of {config['tokens']} tokens"
