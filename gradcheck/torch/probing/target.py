"""The PyTorch model that a command line names."""

from typing import Any

from torch import nn

from gradcheck.probing import loading
from gradcheck.torch.probing.checks import checked_module
from gradcheck.torch.probing.error_text import errors_in_one_line


def load_model(target: str, arguments: dict[str, Any]) -> nn.Module:
    """Return the model that a target is, or returns when it is called with these arguments."""
    found = loading.load_model(target, arguments, "torch", "a torch.nn.Module", _is_module, errors_in_one_line)
    return checked_module(found, "probe")


def _is_module(found: object) -> bool:
    return isinstance(found, nn.Module)
