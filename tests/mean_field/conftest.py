"""Means over normals by adaptive quadrature, as ``make_reference.py`` wrote them: a second route to every number."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def reference():
    """moments, pairs, rest ↦ activation ↦ what SciPy's adaptive quadrature says."""
    return json.loads((HERE / "reference.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def making():
    """The script that wrote them."""
    return SimpleNamespace(**runpy.run_path(str(HERE / "make_reference.py")))
