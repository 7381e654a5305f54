"""The command line: parses, calls one function of the public interface, renders. No mathematics here."""

import contextlib
import errno
import gc
import os
import sys
from typing import NoReturn

from gradcheck.errors import GradcheckError, described

#: Exit codes beside 0 and 1: what was typed or read is wrong, gradcheck itself is, the user interrupted it.
USAGE, INTERNAL, INTERRUPTED = 2, 3, 130

#: The variable that asks for the traceback of an internal error.
DEBUG = "GRADCHECK_DEBUG"

#: Characters of an error line: a hostile file could make it as long as it likes.
LONGEST_ERROR = 2000

#: What NumPy says of sizes that no memory holds.
TOO_LARGE = (
    "Maximum allowed dimension exceeded", "array is too big", "Maximum allowed size exceeded", "index-sized integer",
)  # fmt: skip

#: What PyTorch says where the memory of the machine, or of the accelerator, doesn't suffice, or no memory could.
OUT_OF_MEMORY = (
    "DefaultCPUAllocator: ", "out of memory", "Storage size calculation overflowed", "Overflow when unpacking long",
)  # fmt: skip

#: New objects between two searches for unreachable ones: modules make many that stay, and each search costs start-up.
YOUNG = 100_000


def main() -> NoReturn:
    """Run the command that was typed and leave with its exit code."""
    gc.set_threshold(YOUNG)
    try:
        code = run()
    except KeyboardInterrupt:  # even while the first modules are loaded
        code = INTERRUPTED
    finally:
        gc.freeze()  # the interpreter would search all modules for unreachable objects before it leaves
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
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            let_go_of_stdout()
            return refuse("stdout: can't be written: no space left on device")
        return _report_internal(error)


def _run() -> int:
    try:
        from gradcheck.cli.app import app

        code = app(standalone_mode=False, prog_name="gradcheck")
        if sys.stdout is not None:
            sys.stdout.flush()
    except GradcheckError as error:
        return refuse(error.typed())
    except MemoryError as error:
        details = f" ({error})" if str(error) else ""
        return refuse(f"not enough memory{details}; try a smaller --width or --batch-size, or --dtype float32")
    except (ValueError, OverflowError) as error:
        if "embedded null" in described(error):  # by Typer, before anything is opened
            return refuse("the name of a file holds a zero byte, which no file's name can; leave it out")
        if not any(words in described(error) for words in TOO_LARGE):
            raise
        return refuse(f"not enough memory: no array has so many numbers ({error}); try smaller sizes, such as --width")
    except RecursionError:
        return refuse("what was given is nested too deeply, a value or a file; write it flatter")
    except Exception as error:
        if any(words in described(error) for words in OUT_OF_MEMORY):
            first = described(error).splitlines()[0]
            return refuse(f"not enough memory ({first}); give fewer examples, or smaller ones")
        # Typer's own usage errors: their classes are private, this method is what they have in common
        if not hasattr(error, "format_message"):
            raise
        from gradcheck.cli.usage import in_words

        return refuse(in_words(error))
    return code if isinstance(code, int) else 0


def refuse(problem: str) -> int:
    """Say what is wrong, in one line."""
    from gradcheck.render.style import in_one_line

    say(f"error: {in_one_line(problem, LONGEST_ERROR)}")
    return USAGE


def _report_internal(error: Exception) -> int:
    """Say that the fault is gradcheck's own and how to report it; the traceback only if it is asked for."""
    from gradcheck.render.style import in_one_line
    from gradcheck.version import __version__

    if os.environ.get(DEBUG):
        import traceback

        say("".join(traceback.format_exception(error)).rstrip())
    problem = in_one_line(described(error), 300)
    say(
        f"internal error in gradcheck {__version__}: {problem}; this is gradcheck's own fault: please report this line "
        f"and the command, with the traceback that {DEBUG}=1 prints"
    )
    return INTERNAL


def say(text: str) -> None:
    """Write to stderr; one that is closed or full changes nothing, the exit code least of all."""
    if sys.stderr is None:
        return
    try:
        print(text, file=sys.stderr, flush=True)  # noqa: T201
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):  # or the interpreter would try once more, and exit with 120
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def note(text: str, quiet: bool) -> None:
    """Say something beside the document, unless it is to be quiet."""
    from gradcheck.render.style import without_controls

    if not quiet:
        say(without_controls(text))
