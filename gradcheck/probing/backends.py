"""What Keras computes with: which of its backends are there, which one it looks for, how XLA compiles."""

import json
import os
from importlib.util import find_spec
from pathlib import Path
from traceback import walk_tb

#: Those that have derivatives, in the order in which one is chosen.
BACKENDS = ("tensorflow", "jax", "torch")

#: The variable that says which.
VARIABLE = "KERAS_BACKEND"


def choose_backend() -> None:
    """Let Keras compute with what is installed, where the environment doesn't say and its own file names what is not.

    Keras writes that file when it is first imported, and "tensorflow" into it.
    """
    there, named = installed(), _named_in(_file())
    if there and VARIABLE not in os.environ and (named is None or (named in BACKENDS and named not in there)):
        os.environ[VARIABLE] = there[0]


def installed() -> list[str]:
    """Return the backends that are installed."""
    return [one for one in BACKENDS if find_spec(one) is not None]


def backend_error(error: BaseException) -> str:
    """Return what is wrong where Keras looked for a backend in vain, and what would be right; else nothing."""
    frames = walk_tb(error.__traceback__)
    if not any(str(frame.f_globals.get("__name__")).startswith("keras.src.backend") for frame, _ in frames):
        return ""
    wanted = os.environ.get(VARIABLE) or _named_in(_file()) or BACKENDS[0]
    missing = isinstance(error, ModuleNotFoundError) and error.name == wanted
    if not missing and "backend" not in str(error):
        return ""
    said = VARIABLE if VARIABLE in os.environ else str(_file())
    there = installed()
    instead = there[0] if there else "torch, jax or tensorflow"
    install = "" if there else "pip install one of torch, jax and tensorflow, and "
    problem = "which isn't installed" if wanted in BACKENDS else "which has no derivatives"
    return f"Keras is to compute with {wanted} ({said} says so), {problem}: {install}set {VARIABLE}={instead}"


def _file() -> Path:
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"


def _named_in(file: Path) -> str | None:
    """Return the backend that Keras's own file names; None without a file that can be read."""
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["backend"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def quick(backend: str) -> dict[str, int] | None:
    """Return options by which JAX compiles what runs once or twice: on a processor in half the time."""
    return {"xla_backend_optimization_level": 0} if backend == "cpu" else None
