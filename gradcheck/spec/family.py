"""What every description of a network has, whatever its family: what others ask of it."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

from gradcheck.errors import OptionError
from gradcheck.spec.initial import InitialSpec, pick
from gradcheck.spec.names import FRAMEWORKS
from gradcheck.spec.options.network import NETWORK_OPTIONS


@dataclass(frozen=True, kw_only=True)
class Spec(InitialSpec):
    """The description of a network."""

    arch: str  # one of `architectures`
    architectures: ClassVar[tuple[str, ...]]  # what the networks of this family are called
    # what they have for options of other families, where that is more than nothing
    fixed: ClassVar[Mapping[str, Any]] = {}
    trained: ClassVar[bool] = True  # they store their weights, so that they can be given, written and trained
    layer: ClassVar[str] = "layer"  # what a layer is called in a table
    # what the error says when a network of another family is given an option of this one
    lacking: ClassVar[str] = "has none"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.init not in FRAMEWORKS:
            return
        from gradcheck.spec.frameworks import lacking

        if problem := lacking(self.init, self.arch):
            raise OptionError("init", problem)

    @property
    def token_kinds(self) -> int | None:
        """Kinds of tokens that are read; None where numbers are."""
        return None

    @property
    def rows(self) -> int:
        """Rows of a batch that an example makes."""
        return 1

    @property
    @abstractmethod
    def widths(self) -> tuple[int, ...]:
        """Units of each layer, or of all."""

    def why_dense(self) -> str:
        """Return why the family can't do without its matrices; empty if it can."""
        return ""

    def check_batch(self, batch_size: int) -> None:
        """Raise an OptionError if the network can't take a batch of this size."""

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain JSON values: every option of a network, in order."""
        values = {"preset": None, **self.fixed, **asdict(self)}
        plain = {name: values.get(name) for name in NETWORK_OPTIONS}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the network that `values` describes; keys that aren't a network's are passed over."""
        return cls(**pick(cls, values))

    @classmethod
    def owners(cls, option: str) -> tuple[str, ...]:
        """Return those of its architectures that have an option."""
        return cls.architectures if option in {field.name for field in fields(cls)} else ()

    @classmethod
    def refuse(cls, arch: str, option: str, value: object, others: Mapping[str, "type[Spec]"]) -> str:
        """Say why an option is not this family's, but that of `others`: architecture ↦ family."""
        return f"{value} goes with --arch {', '.join(others)}; {arch} {next(iter(others.values())).lacking}"

    @classmethod
    def usual_data(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of the data where they are not those of all families."""
        return {}

    @classmethod
    def usual(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the defaults of options beside the others of a config; the architecture is given."""
        return cls(arch=config.get("arch", "mlp")).to_dict() | {"arch": "mlp"} | cls.usual_data(config)

    @classmethod
    @abstractmethod
    def heading(cls, config: Mapping[str, Any]) -> Iterator[str]:
        """Yield the parts of a line that says which network it is."""

    @classmethod
    def heading_of_example(cls, config: Mapping[str, Any]) -> str:
        """Say how large an example is where the network sets it; empty where the data does."""
        return ""


def heading_of_weights(config: Mapping[str, Any]) -> str:
    """Say how the weights are drawn, or which file gives them."""
    if config["weights"]:
        return f"weights of {config['weights']}"
    std = f" {config['weight_std']:g}" if config["weight_std"] is not None else ""
    gain = f" × {config['gain']:g}" if config["gain"] != 1 else ""
    within = f", recurrent × {config['recurrent_gain']:g}" if config["recurrent_gain"] not in (None, 1) else ""
    defaults = " defaults" if config["init"] in FRAMEWORKS else ""
    return f"{config['init']}{defaults}{std}{gain}{within}"
