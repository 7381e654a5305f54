"""The command line: parses, calls one function of the public interface, renders. No mathematics here."""

import errno
import gc
import os
import sys
from typing import NoReturn

from gradcheck.errors import GradcheckError

INTERRUPTED = 130

#: New objects between two searches for unreachable ones: modules make many that stay, and each search costs start-up.
YOUNG = 20_000


def main() -> NoReturn:
    """Run the command that was typed and leave with its exit code."""
    gc.set_threshold(YOUNG)
    try:
        code = run()
    except KeyboardInterrupt:  # even while the first modules are loaded
        code = INTERRUPTED
    sys.exit(code)


def run() -> int:
    """Run the command that was typed and return its exit code; every error is one line on stderr."""
    os.environ["TYPER_USE_RICH"] = "0"  # plain help and completion: rich would more than double the time to start
    if "_GRADCHECK_COMPLETE" in os.environ:
        sys.modules["rich"] = None  # type: ignore[assignment]  # completion would load it to strip markup we have not
    from gradcheck.cli.output import let_go_of_stdout

    try:
        return _run()
    except BrokenPipeError:
        let_go_of_stdout()
        return 0
    except SystemExit as error:  # Typer leaves so when --help meets a closed pipe
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        let_go_of_stdout()
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        let_go_of_stdout()
        return _refuse("stdout: can't be written: no space left on device")


def _run() -> int:
    try:
        from gradcheck.cli.app import app

        code = app(standalone_mode=False, prog_name="gradcheck")
        if sys.stdout is not None:
            sys.stdout.flush()
    except GradcheckError as error:
        return _refuse(str(error))
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
    from gradcheck.render.style import without_controls

    if sys.stderr is not None:
        print(f"error: {without_controls(' '.join(problem.split()))}", file=sys.stderr)  # noqa: T201
    return 2
