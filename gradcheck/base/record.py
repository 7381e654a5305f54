"""What reports are made of: plain data that JSON can carry. Loads no NumPy."""

import math
from typing import Any


class Record(dict[str, Any]):
    """A dict whose items are attributes as well: ``record.flag`` is ``record["flag"]``."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no {name!r} here; there are: {', '.join(self)}") from None


def number(value: float) -> float | None:
    """Return a float that JSON can carry; None for nan and infinities."""
    return float(value) if math.isfinite(value) else None
