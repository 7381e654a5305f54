"""From options to the description of a network, of whichever family."""

from collections.abc import Mapping
from typing import Any

from gradcheck.errors import OptionError, one_of
from gradcheck.spec.family import Spec
from gradcheck.spec.names import DATA_NAMES, DATA_SUFFIXES
from gradcheck.spec.options.network import NETWORK_OPTIONS
from gradcheck.spec.perceptron import NetworkSpec
from gradcheck.spec.recurrent import RecurrentSpec
from gradcheck.spec.transformer import TransformerSpec

#: Architecture ↦ the description of its family.
FAMILIES: dict[str, type[Spec]] = {
    arch: family for family in (NetworkSpec, RecurrentSpec, TransformerSpec) for arch in family.architectures
}

#: What can be trained here, and what of it reads an example in steps.
TRAINED = tuple(arch for arch, family in FAMILIES.items() if family.trained)
IN_STEPS = tuple(arch for arch, family in FAMILIES.items() if family.owners("steps"))


def network_spec(values: Mapping[str, Any]) -> Spec:
    """Return the network that options describe; those that aren't there, or are None, have their family's default.

    Raises
    ------
    OptionError
        A value no network can have, or an option of another family.
    """
    arch = one_of("arch", values.get("arch") or "mlp", FAMILIES)
    family, kept = FAMILIES[arch], dict(values)
    for option in NETWORK_OPTIONS:
        if option == "preset" or family.owners(option):
            continue
        value = kept.pop(option, None)
        if value not in (family.fixed.get(option), None):
            others = {one: other for one, other in FAMILIES.items() if one in other.owners(option)}
            raise OptionError(option, family.refuse(arch, option, value, others))
    return family.from_dict(kept | {"arch": arch})


def known_data(name: str) -> str:
    """Return the name of a data set, or of a file that could be one; otherwise raise an error."""
    if name.lower().endswith(DATA_SUFFIXES):
        return name
    return one_of("data", name, DATA_NAMES, beside=f", or a {', '.join(DATA_SUFFIXES)} file")
