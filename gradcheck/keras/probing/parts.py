"""Several outputs of a model, each by its name or number."""

from typing import Any

import numpy as np


def parts_of(output: Any) -> dict[Any, np.ndarray]:
    """Return several outputs by name or number; nothing of one output, or of nested ones."""
    parts = output if isinstance(output, dict) else dict(enumerate(output)) if isinstance(output, list | tuple) else {}
    return parts if all(isinstance(one, np.ndarray) for one in parts.values()) else {}


def with_part(output: Any, place: int, part: Any) -> Any:
    """Return several outputs with another one in this place among ``parts_of``; of one output the other."""
    parts = list(parts_of(output))
    if not parts:
        return part
    if isinstance(output, dict):
        return output | {parts[place]: part}
    return [part if at == place else one for at, one in enumerate(output)]


def of_part(targets: Any, key: Any) -> np.ndarray | None:
    """Return the targets of one of several outputs; None where they aren't given as the outputs are."""
    several = isinstance(targets, dict) or (isinstance(targets, list | tuple) and isinstance(key, int))
    found = targets[key] if several and (key in targets if isinstance(targets, dict) else key < len(targets)) else None
    return None if found is None else np.asarray(found)
