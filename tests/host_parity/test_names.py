"""Every name of Detectron2 that d2freq, configs and train_net.py import stands in minid2."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest
from fvcore.common.registry import Registry

from minid2.absent import is_stand_in

ROOT = Path(__file__).resolve().parents[2]


def imported_names() -> list[tuple[str, str]]:
    """(module, name) pairs of every ``from detectron2... import ...`` of what users run."""
    sources = [ROOT / "train_net.py", *(ROOT / "d2freq").rglob("*.py")]
    sources += (ROOT / "configs").rglob("*.py")
    names = set()
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("detectron2"):
                names.update((node.module, alias.name) for alias in node.names)
            elif isinstance(node, ast.Import):
                names.update((a.name, "") for a in node.names if a.name.startswith("detectron2"))
    return sorted(names)


def lookup(host: str, module: str, name: str):
    """The object behind ``from module import name``, on one host."""
    found = importlib.import_module(module.replace("detectron2", host, 1))
    if not name:
        return found
    if hasattr(found, name):
        return getattr(found, name)
    return importlib.import_module(f"{found.__name__}.{name}")  # a submodule


def offered(module) -> list[str]:
    """The public names of a module or package of minid2 that are its own."""
    return [
        name
        for name, thing in vars(module).items()
        if name[0] != "_" and str(getattr(thing, "__module__", "")).startswith(module.__name__)
    ]


def kind(thing) -> str:
    """Module, class, function, or the class of an instance."""
    if inspect.isroutine(thing):
        return "function"
    if isinstance(thing, Registry):  # d2freq turns the host's into one of its own kind
        return "registry"
    return "class" if inspect.isclass(thing) else type(thing).__name__


def test_the_list_is_not_empty():
    assert len(imported_names()) > 30


@pytest.mark.parametrize(("module", "name"), imported_names())
def test_minid2_has_the_name_with_a_compatible_signature(module, name):
    real, ours = lookup("detectron2", module, name), lookup("minid2", module, name)
    assert kind(real) == kind(ours) and not is_stand_in(ours)
    if not (inspect.isclass(real) or inspect.isfunction(real)):
        return
    try:
        theirs = inspect.signature(real).parameters
    except ValueError:  # it takes whatever a built-in class of Python takes
        assert ours.__mro__[1:] == real.__mro__[1:]
        return
    mine = inspect.signature(ours).parameters
    shared = [key for key in theirs if key in mine]
    # every call that is legal on Detectron2 by position or with its required arguments works here
    assert shared == [key for key in mine if key in theirs], "another order"
    for key, parameter in theirs.items():
        if parameter.default is parameter.empty:
            assert key in mine, f"{key} is missing"
    for key, parameter in mine.items():
        if key not in theirs:
            variadic = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            assert variadic or parameter.default is not parameter.empty, f"{key} is required here"
    for key in shared:
        assert mine[key].kind == theirs[key].kind, key
        default, expected = mine[key].default, theirs[key].default
        if isinstance(expected, (int, float, str, bool, tuple, list, type(None))):
            assert default == expected, key
