"""The PyTorch model that a command line names."""

from typing import Any

from torch import nn

from gradcheck.errors import GradcheckError, OptionError
from gradcheck.probing.loading import check_arguments, check_framework, load_attribute
from gradcheck.torch.probing.checks import checked_module
from gradcheck.torch.probing.error_text import errors_in_one_line


def load_model(target: str, arguments: dict[str, Any]) -> nn.Module:
    """Return the model that a target is, or returns when it is called with these arguments.

    Raises
    ------
    GradcheckError
        It is neither, fails, or doesn't take the arguments.
    """
    found = load_attribute(target, "TARGET")
    check_framework(found, "torch", target)
    if isinstance(found, nn.Module):
        if arguments:
            raise OptionError("kwargs", f"go to a callable, and {target} is a model already: drop them")
        return found
    if not callable(found):
        raise GradcheckError(f"TARGET {target} is {type(found).__name__}: neither a torch.nn.Module nor callable")
    check_arguments(found, target, arguments)
    with errors_in_one_line(f"TARGET {target} failed: "):
        model = found(**arguments)
    check_framework(model, "torch", target)
    if not isinstance(model, nn.Module):
        raise GradcheckError(f"TARGET {target} returned {type(model).__name__}, not a torch.nn.Module")
    return checked_module(model, "probe")
