"""What the tests of a report's formats share."""

import pytest

from gradcheck.diagnosis.report import SuggestionRecord


@pytest.fixture(scope="session")
def suggestion_of():
    """Changes ↦ a suggestion that makes them."""

    def suggestion(command="gradcheck simulate --norm batch", score=0.9, **changes):
        return SuggestionRecord(
            changes=changes, command=command, status="healthy", score=score, gradient_span=0.5, effective_rank_last=9.0
        )

    return suggestion
