"""The parameters of a model by their names, as they are recorded."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from torch import nn
from torch.nn.parameter import is_lazy

from gradcheck.errors import GradcheckError

#: Asked of each parameter in each sampled step.
REQUIRES_GRAD = attrgetter("requires_grad")

#: What wrappers add to the names of parameters.
PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)
WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")


def checked_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters by their names, if there is something to record.

    Raises
    ------
    GradcheckError
        None requires a gradient, or one that does has no numbers yet; what is frozen isn't recorded.
    """
    found = named(model)
    trained = {name: parameter for name, parameter in found.items() if parameter.requires_grad}
    if not trained:
        raise GradcheckError(f"{type(model).__name__} has no parameter that requires a gradient: nothing to record")
    for name, parameter in trained.items():
        if is_lazy(parameter):
            raise GradcheckError(f"{name} has no shape yet: give the model one batch, then make the recorder")
        if parameter.is_meta:
            raise GradcheckError(f"{name} is on the meta device, without numbers: make the recorder when it has some")
    return found


def named(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters by their names, without those of wrappers."""
    return dict(_without_wrappers(model))


def _without_wrappers(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    inner: Any = model
    while (compiled := hasattr(inner, "_orig_mod")) or isinstance(inner, PARALLEL):
        inner = inner._orig_mod if compiled else inner.module
    for name, parameter in inner.named_parameters():
        for wrapper in WRAPPERS:
            name = name.replace(wrapper, "")
        yield name, parameter
