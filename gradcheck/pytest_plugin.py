"""The pytest plugin: ``gradcheck.assert_healthy(model, batch)`` in a test that takes the fixture ``gradcheck``.

pytest loads this module in every run: it imports nothing that pytest hasn't imported, until a test takes the fixture.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gradcheck.torch.health import Health


@pytest.fixture(name="gradcheck", scope="session")
def gradcheck_fixture() -> "Health":
    """Gradients of PyTorch models: gradcheck.assert_healthy(model, batch) fails with the table of layers."""
    from gradcheck.errors import MissingExtraError

    try:
        from gradcheck.torch.health import Health
    except MissingExtraError as error:
        pytest.fail(str(error), pytrace=False)
    return Health()
