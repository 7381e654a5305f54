import ast
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import gradcheck
from gradcheck import errors

PACKAGE = Path(gradcheck.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent.name != "datasets")
STANDARD = set(sys.stdlib_module_names)


def name_of(path):
    """gradcheck/cli/app.py ↦ gradcheck.cli.app"""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_for_type_checkers(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def running(node):
    """The nodes below that run: all but those under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if not is_for_type_checkers(child):
            yield child
            yield from running(child)


def imported(path):
    """The modules that a file imports at run time, at its top or within its functions."""
    for node in running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & {name_of(one) for one in MODULES}
            yield from submodules or [node.module]


IMPORTS = {name_of(path): set(imported(path)) for path in MODULES}


def within(name, *packages):
    return any(name == package or name.startswith(f"{package}.") for package in packages)


# ---- what gradcheck offers


@pytest.mark.parametrize("name", gradcheck.__all__)
def test_every_public_name_is_there(name):
    assert getattr(gradcheck, name) is not None
    assert name in dir(gradcheck)


def test_no_module_has_the_name_of_a_public_function():
    modules = {name_of(path) for path in MODULES}
    assert {name for name in gradcheck.__all__ if f"gradcheck.{name}" in modules} == {"clipping"}


def test_the_public_names_are_those_of_the_contract():
    assert {"simulate", "Report", "Thresholds", "NetworkSpec", "GradcheckError", "json_schema"} <= set(
        gradcheck.__all__
    )


def test_a_star_import_gives_the_public_names():
    names = {}
    exec("from gradcheck import *", names)
    assert set(gradcheck.__all__) <= set(names)


def test_a_name_that_gradcheck_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'gradcheck' has no attribute 'simulat'"):
        gradcheck.simulat  # noqa: B018


def test_a_type_checker_sees_the_same_public_names_as_a_program():
    (block,) = (node for node in ast.parse((PACKAGE / "__init__.py").read_text()).body if is_for_type_checkers(node))
    seen = {alias.asname or alias.name for statement in block.body for alias in statement.names}
    assert seen | {"__version__"} == set(gradcheck.__all__)


def contents(module):
    """What a module holds; of one whose extra isn't installed nothing."""
    try:
        return vars(importlib.import_module(module)).values()
    except (errors.MissingExtraError, ModuleNotFoundError):
        if importlib.util.find_spec("torch") is not None:
            raise
        return ()


def test_every_error_is_a_gradcheck_error():
    own = [
        value
        for name in IMPORTS
        if not name.endswith("__main__")
        for value in contents(name)
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == name
    ]
    assert {errors.OptionError, errors.InputError, errors.OutputError, errors.MissingExtraError} <= set(own)
    flow_of_control = {"ClosedPipeError", "BegunAnewError"}  # caught on their way: they never reach the user
    assert {one.__name__ for one in own if not issubclass(one, gradcheck.GradcheckError)} <= flow_of_control


# ---- what is loaded when


def loaded_after(statement):
    """The top-level packages that a new interpreter has loaded after a statement."""
    program = f"import sys\n{statement}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_importing_gradcheck_loads_neither_numpy_nor_typer_nor_rich():
    assert not loaded_after("import gradcheck") & {"numpy", "typer", "click", "rich", "torch"}


def test_describing_a_network_loads_no_numpy():
    specs = "gradcheck.NetworkSpec(depth=3); gradcheck.RecurrentSpec(arch='lstm', steps=3)"
    statement = f"import gradcheck; {specs}; gradcheck.Thresholds(max_span=2)"
    assert not loaded_after(statement) & {"numpy", "typer", "click", "rich", "torch"}


def test_simulating_loads_numpy_but_neither_typer_nor_rich_nor_torch():
    loaded = loaded_after("import gradcheck; gradcheck.simulate(depth=2, width=4).to_dict()")
    assert "numpy" in loaded
    assert not loaded & {"typer", "click", "rich", "torch"}


# ---- imports point one way


def test_the_walls_are_looked_for_in_the_right_place():
    assert "gradcheck.engine.layered" in IMPORTS["gradcheck.flow"]
    assert "gradcheck.engine.network" in IMPORTS["gradcheck.networks"]
    assert "typer" in IMPORTS["gradcheck.cli.app"]
    assert len(IMPORTS) > 40


@pytest.mark.parametrize("name", [name for name in IMPORTS if within(name, "gradcheck.engine")])
def test_the_engine_imports_numpy_the_standard_library_and_itself(name):
    others = {one for one in IMPORTS[name] if not within(one, "numpy", "gradcheck.engine", *STANDARD)}
    assert others == set()


@pytest.mark.parametrize("name", [name for name in IMPORTS if within(name, "gradcheck.render")])
def test_rendering_imports_neither_the_engine_nor_the_command_line_nor_numpy(name):
    assert not {one for one in IMPORTS[name] if within(one, "gradcheck.engine", "gradcheck.cli", "numpy")}


@pytest.mark.parametrize("name", [*IMPORTS])
def test_only_the_command_line_knows_typer_and_only_it_and_rendering_know_rich(name):
    knows = {one.partition(".")[0] for one in IMPORTS[name]} & {"typer", "click", "rich"}
    allowed = {"typer", "rich"} if within(name, "gradcheck.cli") else set()
    assert knows <= ({"rich"} if within(name, "gradcheck.render") else allowed)


@pytest.mark.parametrize("name", [name for name in IMPORTS if not within(name, "gradcheck.cli", "gradcheck.__main__")])
def test_nothing_but_the_command_line_imports_the_command_line(name):
    assert not {one for one in IMPORTS[name] if within(one, "gradcheck.cli")}


def at_top(path):
    """The modules that a file imports from before anything of it is used."""
    statements = ast.parse(path.read_text(encoding="utf-8")).body
    return {node.module for node in statements if isinstance(node, ast.ImportFrom)}


AT_TOP = {name_of(path): at_top(path) for path in MODULES}


@pytest.mark.parametrize("name", [name for name in AT_TOP if not within(name, "gradcheck.cli", "gradcheck.render")])
def test_what_computes_does_not_render_unless_it_is_printed(name):
    assert not {one for one in AT_TOP[name] if within(one, "gradcheck.render")}


def test_imports_at_the_top_of_modules_go_round_in_no_circle():
    left = dict(AT_TOP)
    while leaves := [name for name, imports in left.items() if not imports & (set(left) - {"gradcheck"})]:
        for name in leaves:
            del left[name]
    assert left == {}


# ---- docstrings and annotations


def public(node, prefix=""):
    """The public functions, classes and methods of a module or class, by name."""
    for child in node.body:
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or child.name.startswith("_"):
            continue
        yield prefix + child.name, child
        if isinstance(child, ast.ClassDef):
            yield from public(child, f"{prefix}{child.name}.")


def functions(node):
    return [one for one in ast.walk(node) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]


PUBLIC = [
    pytest.param(node, id=f"{name_of(path)}.{name}")
    for path in MODULES
    for name, node in public(ast.parse(path.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize("node", PUBLIC)
def test_everything_public_has_a_docstring(node):
    assert ast.get_docstring(node)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_has_a_docstring(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_function_is_annotated_throughout(path):
    for function in functions(ast.parse(path.read_text(encoding="utf-8"))):
        arguments = function.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        bare = [one.arg for one in every if one and not one.annotation and one.arg not in ("self", "cls")]
        assert not bare, f"{function.name} in {path}"
        assert function.returns is not None, f"{function.name} in {path}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_stay_below_300_lines_and_functions_below_40(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    for function in functions(ast.parse(text)):
        body = function.body[1:] if ast.get_docstring(function) else function.body
        if body:
            assert body[-1].end_lineno - body[0].lineno < 40, function.name
