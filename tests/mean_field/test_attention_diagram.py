"""The plane of attention's scores and the branches' scale."""

import math

import numpy as np
import pytest

from gradcheck.mean_field.attention_diagram import attention_diagram, scales_of
from gradcheck.mean_field.transformer import predict_transformer
from gradcheck.spec import TransformerSpec

SMALL = TransformerSpec(blocks=3, model_width=64, heads=2, tokens=6, norm_placement="post", causal=False)


@pytest.fixture(scope="module")
def plane():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradcheck.mean_field.attention_diagram.SCORES", (0.05, 20.0, 13))  # half as many
        return attention_diagram(SMALL)


def test_tokens_become_alike_where_branches_outweigh_the_stream_and_attention_is_spread(plane):
    cosines = np.array(plane.token_cosine)
    assert cosines[0, 0] > 0.99
    assert cosines[-1, 0] < 0.1
    assert cosines[0, -1] < cosines[0, 0]


def test_attention_looks_at_fewer_tokens_the_further_its_scores_spread(plane):
    for row in plane.attended:
        assert row[0] == pytest.approx(6, rel=0.05)
        assert row[-1] < 1.5


def test_the_network_s_own_place_has_its_own_prediction(plane):
    own, *published = plane.networks
    assert (own.score_std, own.residual_scale) == scales_of(SMALL)
    row = min(range(len(plane.residual_scale)), key=lambda at: abs(math.log(plane.residual_scale[at])))
    column = min(range(len(plane.score_std)), key=lambda at: abs(math.log(plane.score_std[at])))
    around = np.array(plane.token_cosine)[row - 1 : row + 2, column - 1 : column + 2]
    assert around.min() < predict_transformer(SMALL).layers[-1].token_cosine < around.max()
    assert {one.name for one in published} >= {"gpt2", "bert-base"}


def test_gpt_2_s_place_is_that_of_its_published_scales(plane):
    (gpt2,) = (one for one in plane.networks if one.name == "gpt2")
    assert gpt2.score_std == pytest.approx(768 * 0.02**2)
    assert gpt2.residual_scale == pytest.approx(24**-0.5)
