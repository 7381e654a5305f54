from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gradcheck.base.record import Frozen
from gradcheck.diagnosis.shown_layers import shown_layers

ALL_UP_TO = 40  # of the contract

DEPTHS = st.integers(1, 2000)


@st.composite
def deep_networks(draw):
    """A depth beyond the limit, and regions in it."""
    depth = draw(st.integers(ALL_UP_TO + 1, 2000))
    edges = sorted(draw(st.sets(st.integers(1, depth), max_size=8)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return depth, [Frozen(flag="vanishing", first_layer=first, last_layer=last) for first, last in pairs]


@given(st.integers(1, ALL_UP_TO))
def test_up_to_forty_layers_are_all_shown(depth):
    assert shown_layers(depth, []) == list(range(1, depth + 1))


@given(DEPTHS)
def test_all_are_shown_if_asked(depth):
    assert shown_layers(depth, [], all_layers=True) == list(range(1, depth + 1))


@given(deep_networks())
def test_of_a_deep_network_the_ends_and_every_regions_edges_are_shown_with_their_neighbours(network):
    depth, regions = network
    shown = shown_layers(depth, regions)
    assert {1, 2, depth - 1, depth} <= set(shown)
    for region in regions:
        inside, outside = {region.first_layer, region.last_layer}, {region.first_layer - 1, region.last_layer + 1}
        assert inside | (outside & set(range(1, depth + 1))) <= set(shown)


@given(deep_networks())
def test_layers_are_shown_once_in_order_and_exist(network):
    depth, regions = network
    shown = shown_layers(depth, regions)
    assert shown == sorted(set(shown))
    assert 1 <= shown[0] <= shown[-1] <= depth
    assert len(shown) <= 14 + 4 * len(regions)


@given(deep_networks())
def test_no_gap_is_wider_than_an_even_sample_leaves(network):
    depth, regions = network
    shown = shown_layers(depth, regions)
    assert max(later - earlier for earlier, later in pairwise(shown)) <= depth / 9 + 1


def test_where_flags_alternate_the_outermost_regions_of_each_kind_are_shown():
    flags = ["vanishing", "dead"] * 500
    regions = [Frozen(flag=flag, first_layer=place, last_layer=place) for place, flag in enumerate(flags, start=101)]
    shown = shown_layers(2000, regions)
    assert {100, 101, 102, 1099, 1100, 1101} <= set(shown)
    assert len(shown) <= ALL_UP_TO


def test_the_first_deep_network_is_sampled():
    assert len(shown_layers(ALL_UP_TO + 1, [])) < ALL_UP_TO
