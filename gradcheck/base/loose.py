"""A dict whose items are attributes as well, until each report has records with fields of its own."""

from typing import Any


class Loose(dict[str, Any]):
    """``loose.flag`` is ``loose["flag"]``."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no {name!r} here; there are: {', '.join(self)}") from None
