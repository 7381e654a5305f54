"""Which modules of Flax and Equinox are layers, and how their calls are marked."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

from gradcheck.jax.marks import Note, mark

#: Kind ↦ the frameworks' classes of it.
KINDS = {
    "convolution": {"Conv", "ConvTranspose", "ConvLocal"},
    "recurrence": {"RNNCellBase", "LSTMCell", "GRUCell"},
    "embedding": {"Embed", "Embedding"},
}

#: Layers of the frameworks without weights that pass on what they get, in parts of their names.
PASS_ON = ("Norm", "Dropout", "Pool")

#: Those that compute the weights of another layer, which they call.
AROUND = {"WeightNorm", "SpectralNorm"}

#: Methods that are calls of a layer beside the usual one: an embedding's use as a read-out.
METHODS = ("__call__", "attend")


def note_of(module: Any, method: str = "") -> Note:
    """Return what is known of a layer."""
    kind = next((name for name, classes in KINDS.items() if classes & _names(type(module))), "linear")
    units = getattr(module, "out_features", getattr(module, "features", 1))
    return Note(
        "linear" if method else kind,
        type(module).__name__,
        method=method,
        unit_axes=len(units) if isinstance(units, Sequence) and kind == "linear" else 1,
        returns_carry="RNNCellBase" in _names(type(module)),
    )


def passes_on(module: Any) -> bool:
    """Whether a layer without weights changes nothing but scale, position or a few entries."""
    return any(part in name for name in _names(type(module)) for part in PASS_ON)


def is_cell(module: Any) -> bool:
    """Whether a module is a recurrent cell: one layer, whatever it is made of."""
    return bool(KINDS["recurrence"] & _names(type(module)))


def _names(owner: type) -> set[str]:
    """Return the names of those of a class's bases that are a framework's."""
    return {one.__name__ for one in owner.__mro__ if one.__module__.partition(".")[0] in ("flax", "equinox")}


class Inside:
    """Modules whose call is going on: what runs within a cell is no layer of its own."""

    def __init__(self) -> None:
        self._open: list[Any] = []
        self._marked: list[Any] = []

    def call(
        self, module: Any, method: str, run: Callable[[], Any], given: Sequence[Any],
        weights: Callable[[], Sequence[Any]], note: Callable[[Any], Note],
    ) -> Any:  # fmt: skip
        """Run a module's call, and mark what it returns if it is a layer."""
        if any(one is module or is_cell(one) for one in self._open) or AROUND & _names(type(module)):
            return run()
        before, usual = len(self._marked), method in ("", "__call__")
        self._open += [module] if usual else []
        try:
            output = run()
        finally:
            self._open = [one for one in self._open if one is not module]
        held = weights()
        wraps_call = not usual and any(one is module for one in self._marked[before:])
        if wraps_call or not (held or passes_on(module)):
            return output
        self._marked.append(module)
        return mark(output, given, held, note(output))


@contextmanager
def calls_marked(
    modules: Iterable[Any], weights: Callable[[Any], Sequence[Any]], note: Callable[[Any, str, Any], Note]
) -> Iterator[None]:
    """Mark calls of modules of these classes as long as the context lasts, in their classes: copies are made of them.

    There is one module of each class at least. Of a module its own weights are asked for, and of a call what is known
    of it.
    """
    inside, replaced = Inside(), list[tuple[type, str, Any]]()

    def marked(method: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def call(self: Any, *given: Any, **named: Any) -> Any:
            return inside.call(
                self, method, lambda: original(self, *given, **named), (*given, *named.values()),
                lambda: weights(self), lambda output: note(self, method, output),
            )  # fmt: skip

        return call

    for owner in {type(one): None for one in modules}:
        for method in METHODS:
            original = getattr(owner, method, None)
            if original is not None:
                replaced.append((owner, method, vars(owner).get(method)))
                setattr(owner, method, marked("" if method == "__call__" else method, original))
    try:
        yield
    finally:
        for owner, method, before in reversed(replaced):
            if before is None:
                delattr(owner, method)
            else:
                setattr(owner, method, before)
