"""Which room may know which: one table, and a test that reads it."""

import ast
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import gradcheck

PACKAGE = Path(gradcheck.__file__).parent

#: Room ↦ the rooms that its files may import at run time, at their top or within a function. What stands first
#: stands lowest: a room may know those above its line only.
ROOMS = {
    "version": (),
    "errors": (),
    "engine": (),
    "base": ("errors", "version"),
    "spec": ("base", "errors"),
    "render": ("base", "errors", "spec"),
    "pages": ("base", "errors", "render", "version"),
    "flow": ("engine",),
    "data": ("base", "engine", "errors", "spec"),
    "clipping": ("base", "engine", "errors", "spec"),
    "diagnosis": ("base", "errors", "flow", "pages", "render", "spec", "version"),
    "mean_field": ("base", "engine", "errors", "pages", "render", "spec"),
    "families": ("base", "data", "engine", "errors", "mean_field", "spec"),
    "logs": ("base", "clipping", "errors", "pages", "render", "spec", "version"),
    "checking": ("base", "engine", "errors", "families", "pages", "render", "spec"),
    "simulation": ("base", "data", "diagnosis", "engine", "errors", "families", "flow", "mean_field", "spec"),
    "sweep": ("base", "diagnosis", "engine", "errors", "pages", "render", "simulation", "spec", "version"),
    "training": (
        "base", "clipping", "data", "diagnosis", "engine", "errors", "families", "pages", "render", "simulation",
        "spec",
    ),
    "learning_rate": (
        "base", "data", "diagnosis", "engine", "errors", "families", "pages", "render", "simulation", "spec",
    ),
    "parametrization": (
        "base", "data", "engine", "errors", "families", "learning_rate", "pages", "render", "spec",
    ),
    "explanations": (
        "base", "diagnosis", "engine", "errors", "families", "mean_field", "render", "simulation", "spec",
    ),
    "probing": ("base", "diagnosis", "engine", "errors", "flow", "spec"),
    "torch": (
        "base", "diagnosis", "engine", "errors", "flow", "learning_rate", "logs", "parametrization", "probing", "spec",
    ),
    "accelerate": ("base", "errors", "logs", "torch"),
    "huggingface": ("accelerate", "base", "errors", "logs", "torch"),
    "lightning": ("base", "errors", "logs", "torch"),
    "keras": ("base", "diagnosis", "engine", "errors", "logs", "probing", "spec", "torch"),
    "jax": ("diagnosis", "errors", "probing", "spec"),
    "prediction": ("mean_field",),
    "pytest_plugin": ("errors", "torch"),
}  # fmt: skip

#: Rooms that may know all others: the command line, and the package's face.
ABOVE_ALL = ("cli", "__main__", "__init__")

#: What each room may import beside the standard library and NumPy; rich within a room in ``text`` only.
OUTSIDE = {
    "render": {"matplotlib", "rich"},
    "pages": {"jinja2", "markupsafe"},
    "families": {"safetensors"},
    "sweep": {"distributed"},
    "logs": {"orjson"},
    "torch": {"torch"},
    "accelerate": {"accelerate", "torch"},
    "huggingface": {"transformers"},
    "lightning": {"torch"},
    "keras": {"jax", "keras", "tensorflow", "torch"},
    "jax": {"equinox", "flax", "jax"},
    "pytest_plugin": {"pytest"},
    "cli": {"typer", "rich"},
}

#: Rooms that answer without NumPy: what is typed is parsed before it is loaded.
WITHOUT_NUMPY = ("version", "errors", "base", "spec", "render", "pytest_plugin", "cli", "__init__", "__main__")

IMPORT = ast.Import | ast.ImportFrom

EVERY_FILE = sorted(path for path in PACKAGE.rglob("*.py") if path.parent.name != "datasets")
FILES = [path for path in EVERY_FILE if path.relative_to(PACKAGE).parts[0].removesuffix(".py") not in ABOVE_ALL]


def name_of(path):
    """gradcheck/cli/app.py ↦ gradcheck.cli.app"""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in EVERY_FILE}


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def shown(path):
    return str(path.relative_to(PACKAGE))


def below(node, typing=True):
    """The statements below; with `typing` off those that run, all but those under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if not typing and isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield child
            yield from below(child, typing)


def imported(nodes):
    """The modules that these nodes import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ({f"{node.module}.{alias.name}" for alias in node.names} & set(MODULES)) or [node.module]


@cache
def tree(path):
    """A file's statements; parsed when a test asks, not in every run that collects this one."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def statements(path):
    """The statements of a file that run and import."""
    return [node for node in below(tree(path), typing=False) if isinstance(node, IMPORT)]


@cache
def imports(path):
    """The modules that a file imports at run time, at its top or within a function."""
    return frozenset(imported(statements(path)))


def known(path):
    """The rooms that a file imports from at run time, at its top or within a function."""
    own = [name.split(".") for name in imports(path) if name.split(".")[0] == "gradcheck"]
    return {parts[1] if len(parts) > 1 else "__init__" for parts in own} - {room(path)}


def outside(path):
    """The packages that a file imports beside gradcheck and the standard library."""
    return {name.split(".")[0] for name in imports(path)} - {"gradcheck"} - set(sys.stdlib_module_names)


def test_no_file_imports_relatively():
    relative = {path: [node for node in statements(path) if getattr(node, "level", 0)] for path in EVERY_FILE}
    assert [shown(path) for path in EVERY_FILE if relative[path]] == []


def test_no_file_knows_a_room_that_the_table_doesnt_name():
    strange = [f"{shown(path)} knows {other}" for path in FILES for other in known(path) - set(ROOMS[room(path)])]
    assert strange == []


def test_the_table_goes_down_only():
    order = list(ROOMS)
    up = [(one, other) for one, others in ROOMS.items() for other in others if order.index(other) >= order.index(one)]
    assert up == []


def test_every_line_of_the_table_is_needed():
    used = {name: {other for path in FILES if room(path) == name for other in known(path)} for name in ROOMS}
    assert {name: set(others) for name, others in ROOMS.items()} == used


def test_every_folder_has_a_line():
    assert {room(path) for path in FILES} == set(ROOMS)


def test_nothing_in_the_package_imports_its_face_or_the_command_line_but_the_command_line():
    assert [shown(path) for path in FILES if known(path) & {"__init__", "cli"}] == []


def test_a_room_imports_no_package_that_the_table_doesnt_name():
    strange = {shown(path): outside(path) - OUTSIDE.get(room(path), set()) - {"numpy", "rich"} for path in EVERY_FILE}
    assert {path: names for path, names in strange.items() if names} == {}


def test_rich_is_known_in_text_and_where_something_is_drawn_only():
    def may(path):
        return room(path) in ("render", "cli") or "text" in path.with_suffix("").parts

    assert [shown(path) for path in EVERY_FILE if "rich" in outside(path) and not may(path)] == []


def test_matplotlib_is_known_in_one_file_only():
    assert [shown(path) for path in EVERY_FILE if "matplotlib" in outside(path)] == ["render/figure.py"]


def test_what_is_typed_is_described_and_drawn_without_numpy():
    assert [shown(path) for path in EVERY_FILE if room(path) in WITHOUT_NUMPY and "numpy" in outside(path)] == []


def test_a_report_loads_nothing_that_shows_it_until_it_is_printed():
    at_top = {path: set(imported(tree(path).body)) for path in FILES if path.name == "report.py"}
    shows = {
        shown(path): {name for name in names if set(name.split(".")) & {"text", "plot", "formats", "render"}}
        for path, names in at_top.items()
    }
    assert {path: names for path, names in shows.items() if names} == {}


def test_imports_go_round_in_no_circle_not_even_those_within_functions_or_for_types():
    nodes = {path: [node for node in below(tree(path)) if isinstance(node, IMPORT)] for path in EVERY_FILE}
    graph = {name_of(path): (set(imported(nodes[path])) & set(MODULES)) - {"gradcheck"} for path in EVERY_FILE}
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_the_root_has_at_most_eight_files():
    assert len(list(PACKAGE.glob("*.py"))) <= 8


def test_files_stay_below_300_lines_and_functions_below_40():
    long = [shown(path) for path in EVERY_FILE if len(path.read_text(encoding="utf-8").splitlines()) > 300]
    for path in EVERY_FILE:
        nodes = below(tree(path))
        for function in (one for one in nodes if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)):
            body = function.body[1:] if ast.get_docstring(function) else function.body
            if body and body[-1].end_lineno - body[0].lineno >= 40:
                long.append(f"{shown(path)}: {function.name}")
    assert long == []
