"""What an Accelerator clips: seen where it clips, before it does, in a method that is replaced for a while."""

from collections.abc import Callable
from typing import Any

from accelerate import Accelerator

from gradcheck.torch.recording.recorder import scale_of
from gradcheck.torch.recording.watcher import Watcher

#: The method that is watched.
CLIPS = "clip_grad_norm_"


class Replacement:
    """Stands in place of a method of an object until ``end`` is called.

    Several may replace the same method and end in any order: one that isn't on top passes its calls on from then on,
    and goes with the one above it.

    Parameters
    ----------
    owner : object
    name : str
        Of the method.
    around : callable
        Called in its place, with what it replaces and then with the arguments.
    """

    def __init__(self, owner: object, name: str, around: Callable[..., Any]) -> None:
        self._owner, self._name, self._around = owner, name, around
        self._before, self._method = vars(owner).get(name), getattr(owner, name)
        self._over = False
        setattr(owner, name, self)

    def __call__(self, *values: Any, **options: Any) -> Any:
        """Do what is done in place of the method."""
        return self._method(*values, **options) if self._over else self._around(self._method, *values, **options)

    def end(self) -> None:
        """Give the method back."""
        self._over = True
        while isinstance(top := vars(self._owner).get(self._name), Replacement) and top._over:
            if top._before is None:
                delattr(self._owner, self._name)
            else:
                setattr(self._owner, self._name, top._before)


def watch_clipping(accelerator: Accelerator, watcher: Watcher) -> Callable[[], None]:
    """Let a watcher measure gradients whenever this accelerator clips their norm; return what ends that.

    The accelerator removes the loss scale within its method: before it, gradients still have it.
    """

    def clip_grad_norm_(clip: Any, parameters: Any, max_norm: float, *others: Any, **options: Any) -> Any:
        if max_norm != float("inf"):  # otherwise it only asks for the norm
            norm_type = others[0] if others else options.get("norm_type", 2)
            limit = max_norm if norm_type == 2 else None
            watcher.before_clipping(max_norm=limit, scale=scale_of(getattr(accelerator, "scaler", None)))
        return clip(parameters, max_norm, *others, **options)

    return Replacement(accelerator, CLIPS, clip_grad_norm_).end
