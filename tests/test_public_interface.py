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


def name_of(path):
    """gradcheck/cli/app.py ↦ gradcheck.cli.app"""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in MODULES}


def is_for_type_checkers(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


# ---- what gradcheck offers


def test_every_public_name_is_there():
    for name in gradcheck.__all__:
        assert getattr(gradcheck, name) is not None, name


def test_no_module_has_the_name_of_a_public_function():
    assert {name for name in gradcheck.__all__ if f"gradcheck.{name}" in NAMES} == {"clipping"}


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
    assert seen - {"torch"} | {"__version__"} == set(gradcheck.__all__)


#: Rooms that each need another framework's or a trainer's package.
TRAINERS = ("accelerate", "huggingface", "jax", "keras", "lightning")


def contents(module):
    """What a module holds; of one whose extra isn't installed nothing."""
    try:
        return vars(importlib.import_module(module)).values()
    except (errors.MissingExtraError, ModuleNotFoundError):
        there = all(importlib.util.find_spec(extra) for extra in ("torch", "matplotlib"))
        if there and module.split(".")[1] not in TRAINERS:
            raise
        return ()


def test_every_error_is_a_gradcheck_error():
    own = [
        value
        for name in NAMES
        if not name.endswith("__main__")
        for value in contents(name)
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == name
    ]
    assert {errors.OptionError, errors.InputError, errors.OutputError, errors.MissingExtraError} <= set(own)
    # caught on their way: they never reach the user
    flow_of_control = {"ClosedPipeError", "BegunAnewError", "DamagedMessageError", "InputsMatterError"}
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
    assert not loaded & {"typer", "click", "rich", "torch", "safetensors"}
