"""What the user's own code raised, in one line that says where."""

import re
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gradcheck.errors import GradcheckError, described
from gradcheck.probing.backends import backend_error

#: What makes a terminal write bold.
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")

#: Where code is that is not the user's.
OTHERS = (
    *(Path(sysconfig.get_paths()[one]) for one in ("stdlib", "purelib", "platlib")),
    Path(__file__).parents[1],
)  # fmt: skip


@contextmanager
def errors_in_one_line(what: str = "", line: Callable[[BaseException], str] | None = None) -> Iterator[None]:
    """Raise whatever the user's own code raises as a GradcheckError of one line, by default `error_line`."""
    try:
        yield
    except (GradcheckError, KeyboardInterrupt):
        raise
    except BaseException as error:  # sys.exit() and the like among them: the model's, not gradcheck's
        raise GradcheckError(f"{what}{(line or error_line)(error)}") from error


@contextmanager
def ending_reported() -> Iterator[None]:
    """Raise what would end the process as the error of the model that does so: in a later pass, in a trial."""
    try:
        yield
    except SystemExit as error:
        raise GradcheckError(f"the model ends the process: {error_line(error)}") from error


def error_line(error: BaseException) -> str:
    """Return an error in one line: what it says first, without what Keras puts around it, and the user's own line."""
    if problem := backend_error(error):
        return problem
    kind, _, text = ESCAPES.sub("", described(error)).partition(": ")
    said = [one.strip() for one in text.split("\n") if one.strip()]
    said = [one for one in said if not one.startswith("Exception encountered when calling")]
    return f"{kind}: {said[0] if said else 'it says nothing'}{where(error, OTHERS)}"


def where(error: BaseException, others: tuple[Path, ...]) -> str:
    """Return the innermost file and line outside of these folders that led to the error, if there is one."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith("<frozen")]
    frames = [one for one in frames if not any(Path(one.filename).is_relative_to(other) for other in others)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
