"""What a page draws, written shorter: a long list stands once, however often it is used; repetitions are counted."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any

#: Values of a list that is left as it is.
SHORT = 50


def packed(data: dict[str, Any]) -> dict[str, Any]:
    """Return JSON values in which ``{"array": 3}`` takes the place of long lists, and with them ``arrays``.

    An array is a list, or ``{"runs": [[value, count], …]}``. ``unpacked`` in page.js is the inverse.
    """
    often = Counter(map(json.dumps, _lists(data)))
    arrays = dict[str, Any]()

    def short(value: Any) -> Any:  # noqa: ANN401  (any JSON value)
        if isinstance(value, dict):
            return {name: short(one) for name, one in value.items()}
        if not _is_long(value):
            return [short(one) for one in value] if isinstance(value, list) else value
        text, runs = json.dumps(value), _runs(value)
        if often[text] == 1 and runs is value:
            return value
        arrays.setdefault(text, runs)
        return {"array": list(arrays).index(text)}

    return {**short(data), "arrays": list(arrays.values())}


def _lists(value: Any) -> Iterator[list[Any]]:  # noqa: ANN401
    """Yield the long lists that hold no others."""
    if _is_long(value):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _lists(one)


def _is_long(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, list) and len(value) > SHORT and not isinstance(value[0], dict | list)


def _runs(values: list[Any]) -> list[Any] | dict[str, Any]:
    """Return the runs of a list, or the list itself where it has too many of them."""
    runs = [[value, len(list(same))] for value, same in groupby(values)]
    return {"runs": runs} if 4 * len(runs) < len(values) else values
