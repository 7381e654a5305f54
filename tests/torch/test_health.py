"""The assertion that the pytest fixture offers, called as a function."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.errors import GradcheckError  # noqa: E402
from gradcheck.torch.health import Health  # noqa: E402

INPUTS = torch.randn(64, 16, generator=torch.Generator().manual_seed(0))


def model(gain, depth=8):
    torch.manual_seed(0)
    layers = [nn.Linear(16, 16, bias=False) for _ in range(depth)]
    for layer in layers:
        nn.init.orthogonal_(layer.weight, gain)
    return nn.Sequential(*layers)


def message(gain):
    with pytest.raises(AssertionError) as failure:
        Health().assert_healthy(model(gain), INPUTS, "mean-square", trial=False)
    return str(failure.value)


def test_near_the_limit_the_message_says_that_other_weights_may_pass():
    assert "The span is near its limit" in message(10**-0.45)  # six factors from layer to layer: 2.7 decades
    assert "torch.manual_seed(0)" in message(10**-0.45)
    assert "near its limit" not in message(10**-0.9)


def test_a_misspelt_option_names_the_right_one():
    with pytest.raises(GradcheckError, match=r"assert_healthy\(\) has no option 'maxspan'; did you mean 'max_span'\?"):
        Health().assert_healthy(model(1.0), INPUTS, maxspan=3)


def test_verdicts_that_pass_are_named_in_any_case_or_the_right_ones_are_said():
    assert Health().assert_healthy(model(1.0), INPUTS, allow=["Vanishing"])
    with pytest.raises(GradcheckError, match="allow=5 is unknown; allowed: healthy, vanishing"):
        Health().assert_healthy(model(1.0), INPUTS, allow=5)


def test_a_remark_is_a_warning_and_a_failure_where_that_is_asked_for():
    ends_in_softmax = nn.Sequential(model(1.0, depth=2), nn.Softmax(dim=1))
    batch = INPUTS, torch.randint(16, (len(INPUTS),))
    with pytest.warns(
        UserWarning, match=r'softmax already.* \(remarks=True fails on it, allow="softmax-twice" lets it pass\)'
    ) as said:
        report = Health().assert_healthy(ends_in_softmax, batch, "cross-entropy", trial=False)
    assert report.verdict.status == "healthy"
    assert said[0].filename == __file__
    with pytest.raises(AssertionError, match=r"is healthy, but: .*softmax already"):
        Health().assert_healthy(ends_in_softmax, batch, "cross-entropy", remarks=True, trial=False)


def test_a_remark_that_is_allowed_neither_fails_nor_warns_and_another_one_does():
    ends_in_softmax = nn.Sequential(model(1.0, depth=2), nn.Softmax(dim=1))
    batch = INPUTS, torch.randint(16, (len(INPUTS),))
    for remarks in (False, True):
        Health().assert_healthy(
            ends_in_softmax, batch, "cross-entropy", remarks=remarks, trial=False, allow="Softmax-Twice"
        )
    with pytest.raises(AssertionError, match="softmax already"):
        Health().assert_healthy(
            ends_in_softmax, batch, "cross-entropy", remarks=True, trial=False, allow=["units-alike", "sampled"]
        )
