"""What is read of a report."""

import pytest


@pytest.fixture(scope="session")
def layer():
    """A report and a name ↦ the layer of that name."""
    return lambda report, name: next(one for one in report.layers if one.name == name)


@pytest.fixture(scope="session")
def said():
    """A report ↦ the verdict's reasons."""
    return lambda report: "\n".join(report.verdict.reasons)
