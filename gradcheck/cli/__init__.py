"""The command line: parses, calls one function of the public interface, renders. No mathematics here."""

import sys
from typing import NoReturn

from gradcheck.errors import GradcheckError

INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command that was typed and leave with its exit code."""
    sys.exit(run())


def run() -> int:
    """Run the command that was typed and return its exit code; every error is one line on stderr."""
    from gradcheck.cli.app import app

    try:
        code = app(standalone_mode=False, prog_name="gradcheck")
    except GradcheckError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except MemoryError as error:
        return _refuse(f"not enough memory ({error}); try a smaller --width or --batch-size, or --dtype float32")
    except Exception as error:
        # Typer's own usage errors: their classes are private, this method is what they have in common
        if not hasattr(error, "format_message"):
            raise
        return _refuse(error.format_message())
    return code if isinstance(code, int) else 0


def _refuse(problem: str) -> int:
    """Say what is wrong, in one line."""
    line = " ".join(problem.split())
    print(f"error: {line}", file=sys.stderr)  # noqa: T201
    return 2
