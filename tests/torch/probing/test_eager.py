"""Compiled models are measured as they are written."""

import pytest

torch = pytest.importorskip("torch")


from gradcheck.torch import probe  # noqa: E402

pytestmark = [pytest.mark.usefixtures("seeded"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def compiled_within(model):
    model[0].compile(backend="eager")
    return model


@pytest.mark.parametrize("compiled", [lambda model: torch.compile(model, backend="eager"), compiled_within])
def test_a_compiled_model_has_the_numbers_of_the_one_it_was_made_of_and_the_report_says_so(compiled, models):
    model, batch = models.mlp(depth=3), (models.rows(), torch.zeros(64, dtype=torch.int64))
    plain, report = probe(model, batch), probe(compiled(model), batch)
    assert report.verdict.causes[-1].code == "run-eagerly"
    assert (report.layers, report.config) == (plain.layers, plain.config)
    assert report.verdict.causes[:-1] == plain.verdict.causes
