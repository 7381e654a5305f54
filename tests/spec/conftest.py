"""What the tests of descriptions share."""

import pytest

from gradcheck.errors import OptionError


@pytest.fixture(scope="session")
def error_of():
    """A function, arguments that it refuses ↦ the error of the option that it raises."""

    def error(function, *positional, **named):
        try:
            function(*positional, **named)
        except OptionError as refused:
            return refused
        return pytest.fail(f"{function.__name__} takes {positional or ''}{named or ''}")

    return error
