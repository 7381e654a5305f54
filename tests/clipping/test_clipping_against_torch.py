"""The rules that PyTorch has, against PyTorch."""

import numpy as np
import pytest

from gradcheck.clipping import clip
from gradcheck.spec.clip_rules import Rule

torch = pytest.importorskip("torch")

TOLERANCE = 1e-12

SHAPES = [(5, 7), (7,), (3, 2, 4), (1,), ()]


def clipped_by_torch(gradients, clip_them, limit):
    """The gradients after one of torch.nn.utils' functions has clipped them in place, and what it returned."""
    tensors = [torch.from_numpy(np.array(one)) for one in gradients]
    parameters = [torch.nn.Parameter(torch.zeros_like(one)) for one in tensors]
    for parameter, tensor in zip(parameters, tensors, strict=True):
        parameter.grad = tensor
    norm = clip_them(parameters, limit)
    return [parameter.grad.numpy() for parameter in parameters], norm


@pytest.fixture
def same(relative_error, record_error):
    """Assert that both give the same gradients."""

    def compare(what, ours, theirs):
        error = max(relative_error(one, other) for one, other in zip(ours, theirs, strict=True))
        record_error(f"{what} against PyTorch", error)
        assert error <= TOLERANCE

    return compare


@pytest.fixture(params=range(3))
def gradients(request):
    rng = np.random.default_rng(request.param)
    return [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]


sizes = pytest.mark.parametrize("size", [1.0, 1e-30, 1e30, 1e-5, 1e5])


@sizes
@pytest.mark.parametrize("share", [1e-12, 1e-3, 0.5, 1 - 1e-9, 1.0, 1 + 1e-9, 2.0, 1e12])
def test_a_global_norm_is_clip_grad_norm(gradients, size, share, same):
    gradients = [size * one for one in gradients]
    limit = share * float(np.linalg.norm(np.concatenate([one.ravel() for one in gradients])))
    ours, report = clip(gradients, Rule("global-norm", limit))
    theirs, norm = clipped_by_torch(gradients, torch.nn.utils.clip_grad_norm_, limit)
    same("global-norm", ours, theirs)
    assert report.norm_before == pytest.approx(norm.item(), rel=TOLERANCE)


@pytest.mark.parametrize("limit", [1e-300, 1e-30, 1e-6, 1e-5, 1.0, 1e30, 1e300])
@sizes
def test_a_global_norm_with_a_threshold_of_any_size_is_clip_grad_norm(gradients, size, limit, same):
    gradients = [size * one for one in gradients]
    ours, _ = clip(gradients, Rule("global-norm", limit))
    same("global-norm", ours, clipped_by_torch(gradients, torch.nn.utils.clip_grad_norm_, limit)[0])


@sizes
@pytest.mark.parametrize("share", [1e-12, 1e-3, 0.5, 1.0, 2.0, 1e12])
def test_a_value_is_clip_grad_value(gradients, size, share, same):
    gradients = [size * one for one in gradients]
    ours, _ = clip(gradients, Rule("value", share * size))
    theirs, _ = clipped_by_torch(gradients, torch.nn.utils.clip_grad_value_, share * size)
    same("value", ours, theirs)


@pytest.mark.parametrize(
    ("name", "function", "limit"), [("global-norm", "clip_grad_norm_", 5.0), ("value", "clip_grad_value_", 4.0)]
)
@pytest.mark.parametrize(
    "gradients",
    [
        [np.zeros(3), np.zeros((2, 2))],
        [np.array([3.0, 4.0])],  # exactly at the threshold
        [np.array([3.0]), np.zeros(3), np.array([[-4.0]])],
        [np.array([3.0, np.nextafter(4.0, 5.0)])],
        [np.array([1e-30, -1e-30]), np.array([1e30, 2e30]), np.array([0.5])],
        [np.array([5e-324, 1.0]), np.array([-1e100])],
    ],
    ids=["zeros", "at it", "at it in two", "just above", "mixed", "extremes"],
)
def test_special_gradients_are_clipped_as_by_torch(name, function, limit, gradients, same):
    ours, _ = clip(gradients, Rule(name, limit))
    same(name, ours, clipped_by_torch(gradients, getattr(torch.nn.utils, function), limit)[0])


def test_each_tensor_s_norm_is_clip_grad_norm_of_it_alone_but_for_the_epsilon(gradients, same):
    """Keras' clipnorm has no ε; where the norm is large, PyTorch's is nothing beside it."""
    gradients = [1e9 * one for one in gradients]
    ours, _ = clip(gradients, Rule("norm", 0.5))
    theirs = [clipped_by_torch([one], torch.nn.utils.clip_grad_norm_, 0.5)[0][0] for one in gradients]
    same("norm", ours, theirs)


@pytest.mark.parametrize("name", ["global-norm", "value"])
def test_single_precision_is_as_near_as_it_can_be(gradients, name):
    gradients = [one.astype(np.float32) for one in gradients]
    function = {"global-norm": torch.nn.utils.clip_grad_norm_, "value": torch.nn.utils.clip_grad_value_}[name]
    ours, _ = clip(gradients, Rule(name, 0.5))
    for one, other in zip(ours, clipped_by_torch(gradients, function, 0.5)[0], strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=4e-7)


def test_a_negative_threshold_turns_a_gradient_round_in_torch_and_is_refused_here():
    [turned], _ = clipped_by_torch([np.array([3.0, 4.0])], torch.nn.utils.clip_grad_norm_, -1.0)
    assert (turned < 0).all()
    with pytest.raises(ValueError, match=r"as torch\.nn\.utils\.clip_grad_norm_ does in silence"):
        clip([np.array([3.0, 4.0])], "global-norm:-1")
