import pytest

from gradcheck import spec
from gradcheck.errors import OptionError
from gradcheck.families import FAMILIES, stored_weights
from gradcheck.spec import ARCHITECTURES, NETWORK_OPTIONS, network_spec


def test_every_architecture_has_a_description_and_a_record():
    assert tuple(FAMILIES) == tuple(spec.FAMILIES) == ARCHITECTURES
    assert {name: bool(family.weights) for name, family in FAMILIES.items()} == {
        name: description.trained for name, description in spec.FAMILIES.items()
    }
    assert {name: family.spec for name, family in FAMILIES.items()} == spec.FAMILIES


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_description_has_every_option_of_a_network_and_comes_back_from_them(arch):
    values = network_spec({"arch": arch}).to_dict()
    assert tuple(values) == NETWORK_OPTIONS
    assert network_spec(values) == network_spec({"arch": arch})


def test_every_option_is_some_families_own():
    owned = {option for family in spec.FAMILIES.values() for option in family.__dataclass_fields__}
    assert set(NETWORK_OPTIONS) - {"preset", "arch"} <= owned


def test_where_weights_are_drawn_anew_it_is_said_whose_are_stored():
    with pytest.raises(OptionError, match=r"weights goes with arch mlp, rnn, lstm or gru; a transformer's are new"):
        stored_weights("transformer", "weights", "are new")
