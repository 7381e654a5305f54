"""What layers put out in one step of training, by a forward hook that exists only for that step."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules import activation
from torch.nn.modules.module import register_module_forward_hook

from gradcheck.logs.appending import warn
from gradcheck.torch.graph import in_backward
from gradcheck.torch.layers import Layer, by_channel, candidates, main_tensor
from gradcheck.torch.recording.scalars import Column, scalars

#: Modules that squash what a layer puts out, entry by entry: they belong to the layer before them.
ACTIVATIONS: tuple[type[nn.Module], ...] = tuple(
    getattr(activation, name) for name in activation.__all__ if name != "MultiheadAttention"
)


#: Records in a row without any output after which that is said where nothing is known to be compiled: a first batch may
#: have gone forward before the recorder was there.
BLIND = 2


class Outputs:
    """The root mean square of what each layer puts out, and the share of its dead units.

    A layer is a module that holds parameters; the output of an activation module that runs after it counts as its own.
    Only then are dead units known. Of a layer that runs several times the last one counts. What a checkpoint runs once
    more in the backward pass counts only if it ran without a gradient before, as in re-entrant ones.

    The hook is PyTorch's for all modules: nothing is attached to the model, which can be saved and copied meanwhile.

    Parameters
    ----------
    model : Module
    parameters : sequence of Parameter
        Those that are recorded; a layer's numbers are at the place of its first one.
    """

    def __init__(self, model: nn.Module, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        self.renew()
        places = {id(parameter): place for place, parameter in enumerate(parameters)}
        self._layers: dict[int, tuple[Layer, int]] = {}
        for layer in candidates(model):
            own = (id(parameter) for parameter in layer.module.parameters(recurse=False))
            place = next((places[one] for one in own if one in places), None)
            if place is not None:
                self._layers[_identity(layer.module)] = layer, place
        self._activations = {_identity(module): module for module in model.modules() if isinstance(module, ACTIVATIONS)}
        self._handle = register_module_forward_hook(self._see)

    def renew(self) -> None:
        """Begin another step with the same hook."""
        self._rms: list[Tensor | None] = [None] * len(self.parameters)
        self._dead: list[Tensor | None] = [None] * len(self.parameters)
        self._last: tuple[Layer, int] | None = None
        self._forward: set[int] = set()  # places of layers seen outside of a backward pass

    def _see(self, module: nn.Module, inputs: object, output: object) -> None:
        """Note what a module of this model puts out."""
        identity = _identity(module)
        if identity in self._layers:
            layer, place = self._layers[identity]
            self._last = None if in_backward() and place in self._forward else (layer, place)
        if self._last is None:
            return
        if identity in self._layers:
            self._note(*self._last, output, is_activation=False)
        elif identity in self._activations:
            self._note(*self._last, output, is_activation=True)

    def _note(self, layer: Layer, place: int, output: object, *, is_activation: bool) -> None:
        tensor = main_tensor(output)
        if tensor is None or not tensor.numel() or not torch.is_grad_enabled():
            return
        if not in_backward():
            self._forward.add(place)
        tensor = tensor.detach()
        norm = torch.linalg.vector_norm(tensor, dtype=torch.promote_types(tensor.dtype, torch.float32))
        self._rms[place] = norm / math.sqrt(tensor.numel())
        self._dead[place] = _dead_share(layer, tensor) if is_activation else None

    def columns(self) -> dict[str, Column]:
        """Return what was seen."""
        return {"activation_rms": scalars(self._rms), "dead_fraction": scalars(self._dead)}

    def saw(self, part: nn.Module) -> bool:
        """Whether the output of any layer of a part was seen; True of one that has none."""
        places = [self._layers[one][1] for one in map(_identity, part.modules()) if one in self._layers]
        return not places or any(self._rms[place] is not None for place in places)

    def close(self) -> None:
        """Remove the hook."""
        self._handle.remove()


class Unseen:
    """Says once that layers ran whose outputs no hook could see."""

    def __init__(self, model: nn.Module) -> None:
        self._model, self._told, self._in_a_row = model, False, 0

    def tell(self, outputs: Outputs) -> None:
        """Warn if a step with gradients has shown nothing of the model, or of a part that is compiled."""
        if self._told:
            return
        compiled = [(name, one) for name, one in self._model.named_modules() if hasattr(one, "_orig_mod")]
        parts = [name or type(one._orig_mod).__name__ for name, one in compiled if not outputs.saw(one)]
        self._in_a_row = 0 if outputs.saw(self._model) else self._in_a_row + 1
        if parts or self._in_a_row == BLIND:
            self._told = True
            what = "what torch.compile returns" if parts else "what ran was a copy, or compiled, and"
            where = ", ".join(parts) or type(self._model).__name__
            advice = "compile with model.compile() instead, or leave activations out"
            warn(f"activations=True sees nothing of {where}: {what} calls no hooks of its layers; {advice}")


def _identity(module: nn.Module) -> int:
    """Return what a module has in common with its replicas of ``DataParallel``, and with no copy."""
    return id(module._forward_hooks)


def _dead_share(layer: Layer, tensor: Tensor) -> Tensor:
    """Return the share of units that are zero throughout."""
    return (by_channel(tensor, layer.channel_axis(tensor)) == 0).all(0).float().mean()
