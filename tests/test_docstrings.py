"""The examples in the docstrings of public functions: they come first, and they are true."""

import doctest

import pytest

import gradcheck

NAMES = ["simulate", "compare", "theory", "clip_demo", "rate", "transfer", "diagnose", "verify", "explain"]


def check(function, tmp_path, monkeypatch, **names):
    """Run the examples in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    text = function.__doc__
    assert text.partition("\n\n")[2].lstrip().startswith(">>> "), "the examples come after the summary"
    test = doctest.DocTestParser().get_doctest(text, {"gradcheck": gradcheck, **names}, function.__name__, None, 0)
    said = []
    assert doctest.DocTestRunner().run(test, out=said.append).failed == 0, "".join(said)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_true(name, tmp_path, monkeypatch):
    check(getattr(gradcheck, name), tmp_path, monkeypatch)


@pytest.mark.parametrize("name", ["probe", "Recorder"])
def test_an_example_of_pytorch_is_true(name, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    check(
        getattr(gradcheck.torch, name), tmp_path, monkeypatch,
        torch=torch, nn=torch.nn, model=model, criterion=torch.nn.CrossEntropyLoss(),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        batches=[(torch.randn(8, 4), torch.randint(2, (8,))) for _ in range(30)],
    )  # fmt: skip
