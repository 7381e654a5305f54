"""Parameters that a model keeps where PyTorch doesn't see them: layers in a list, tensors that are no parameters."""

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.errors import printable
from gradcheck.torch.graph import Graph, nodes
from gradcheck.torch.modules import all_buffers, all_parameters, named_modules, named_parameters
from gradcheck.torch.probing.lost import as_plain
from gradcheck.torch.probing.tracing import floats

#: Attributes that are PyTorch's own.
OWN = frozenset(key for key in vars(nn.Module()) if key.startswith("_"))

#: What holds no tensors, by far most attributes.
PLAIN = (bool, int, float, str, type(None))

#: Lists in lists are searched so deep.
DEEP = 3


def kept_apart(model: nn.Module) -> dict[Tensor, str]:
    """Return the leaves that require a gradient and are attributes of modules, but not among ``parameters()``."""
    known = {*all_parameters(model), *all_buffers(model)}
    found: dict[Tensor, str] = {}
    for name, module in named_modules(model):
        for key, value in vars(module).items():
            if key in OWN or isinstance(value, PLAIN):
                continue
            for path, tensor in _leaves(value, f"{name}.{key}".lstrip("."), DEEP):
                if tensor not in known:
                    found.setdefault(tensor, printable(path))
    return found


def _leaves(value: object, path: str, deep: int) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        if value.is_leaf and value.requires_grad:
            yield path, value
    elif isinstance(value, nn.Module):
        for name, one in named_parameters(value):
            if one.requires_grad:
                yield f"{path}.{name}", one
    elif deep and isinstance(value, Mapping | list | tuple):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, one in items:
            yield from _leaves(one, f"{path}[{key!r}]", deep - 1)


def find_unregistered(model: nn.Module, output: object, graph: Graph) -> Iterator[Cause]:
    """Yield what the output depends on and no optimizer made of ``parameters()`` trains."""
    apart, strange = kept_apart(model), _strangers(model, graph)
    if not apart and not strange:
        return
    roots = [one.grad_fn for one in floats(as_plain(output)) if one.grad_fn is not None]
    used = {node.variable for node in nodes(roots) if hasattr(node, "variable")}
    names = tuple(name for tensor, name in apart.items() if tensor in used)
    if names:
        yield Cause("unregistered", None, len(names), details={"names": names})
    elif made := tuple("x".join(map(str, one.shape)) for one in strange if one in used):
        yield Cause("unregistered", None, len(made), details={"names": made, "strange": True})


def _strangers(model: nn.Module, graph: Graph) -> list[nn.Parameter]:
    """Return the parameters that a loss depends on and that are none of the model's, by whatever path."""
    known = {*all_parameters(model), *all_buffers(model)}
    leaves = [node.variable for node in graph.names if hasattr(node, "variable")]
    return [one for one in leaves if isinstance(one, nn.Parameter) and one.requires_grad and one not in known]
