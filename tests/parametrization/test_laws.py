"""The tables of the papers that are equivalent to the one here, as powers of the width."""

import pytest

from gradcheck.parametrization.laws import PARAMETRIZATIONS, Law

#: Yang, Hu et al. 2022: table 3 has no multipliers, table 9 is that of Yang & Hu 2021.
EQUIVALENT = {
    "table 3": {
        "input": Law(sgd=1),
        "hidden": Law(variance=-1, adam=-1),
        "output": Law(variance=-2, sgd=-1, adam=-1),
        "bias": Law(sgd=1),
    },
    "table 9": {
        "input": Law(variance=-1, multiplier=0.5, adam=-0.5),
        "hidden": Law(variance=-1, adam=-1),
        "output": Law(variance=-1, multiplier=-0.5, adam=-0.5),
        "bias": Law(multiplier=0.5, adam=-0.5),
    },
}


@pytest.mark.parametrize("adaptive", [False, True], ids=["SGD", "Adam"])
@pytest.mark.parametrize("table", EQUIVALENT)
def test_the_papers_tables_are_one_parametrisation(table, adaptive):
    for role, law in EQUIVALENT[table].items():
        ours = PARAMETRIZATIONS["mup"].laws[role]
        assert law.rate(16, adaptive) == pytest.approx(ours.rate(16, adaptive)), role
        if role != "bias":  # they start at zero
            assert law.deviation(16) == pytest.approx(ours.deviation(16)), role


def test_at_the_base_width_all_are_one():
    for one in PARAMETRIZATIONS.values():
        for law in one.laws.values():
            assert (law.deviation(1), law.rate(1, True), law.rate(1, False)) == (1, 1, 1)


#: The exponents of what an input, a hidden and an output matrix gain in the first step: (rate) · (size of a gradient's
#: entry, of Adam 1) · (terms that add up). A hidden unit's gradient is as large as the read-out; x·x sums all inputs.
GAINS = {
    ("mup", False): (0, 0, 0), ("mup", True): (0, 0, 0),
    ("standard", False): (-0.5, 0.5, 1), ("standard", True): (0, 1, 1),
    ("ntk", False): (-0.5, -0.5, 0), ("ntk", True): (-0.5, -0.5, 0),
}  # fmt: skip


@pytest.mark.parametrize(("name", "adaptive"), GAINS)
def test_what_matrices_gain_follows_from_the_table(name, adaptive):
    laws, n = PARAMETRIZATIONS[name].laws, 2.0
    readout = laws["output"].deviation(n)  # what reaches a hidden unit of the gradient
    terms = {"input": 1, "hidden": n, "output": n}
    gradient = {"input": readout, "hidden": readout, "output": 1}
    expected = dict(zip(terms, GAINS[name, adaptive], strict=True))
    for role, power in expected.items():
        gain = laws[role].rate(n, adaptive) * (1 if adaptive else gradient[role]) * terms[role]
        assert gain == pytest.approx(n**power), role
