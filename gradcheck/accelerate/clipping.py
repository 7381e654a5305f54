"""What an Accelerator clips: seen where it clips, before it does."""

from collections.abc import Callable
from typing import Any

from accelerate import Accelerator

from gradcheck.accelerate.replacing import Replacement
from gradcheck.torch.recording.recorder import scale_of
from gradcheck.torch.recording.watcher import Watcher

#: The method that is watched.
CLIPS = "clip_grad_norm_"


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
