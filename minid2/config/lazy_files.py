"""Execution of a Python config file, whose relative imports reach the config files around it."""

import builtins
import os
from types import ModuleType
from typing import Any

from omegaconf import DictConfig

from ..utils.file_io import PathManager


def as_config(value: Any) -> Any:
    """A mapping as an omegaconf config that may hold any object; other values unchanged."""
    if isinstance(value, dict):
        return DictConfig(value, flags={"allow_objects": True})
    return value


def run_config_file(filename: str) -> dict[str, Any]:
    """Execute a config file and return its names.

    The file gets an import of its own in its builtins, so nothing outside it is changed. Every
    load, and every relative import within one, executes anew: configs never share objects.
    """
    path = os.path.abspath(PathManager.get_local_path(filename))
    with PathManager.open(filename) as file:
        code = compile(file.read(), path, "exec")

    def import_(name, globals=None, locals=None, fromlist=(), level=0):
        if level == 0:
            return builtins.__import__(name, globals, locals, fromlist, level)
        return _import_relative(path, name, level)

    names = {
        "__name__": "lazy_config." + os.path.splitext(os.path.basename(path))[0],
        "__file__": path,
        "__builtins__": {**vars(builtins), "__import__": import_},
    }
    exec(code, names)
    return names


def _import_relative(importer: str, name: str, level: int) -> ModuleType:
    """The module for ``from ..name import x`` in the config file ``importer``."""
    folder = importer
    for _ in range(level):
        folder = os.path.dirname(folder)
    target = os.path.join(folder, *name.split(".")) + ".py"
    if not os.path.isfile(target):
        raise ImportError(f"{importer}: cannot import {name!r}, there is no {target}")
    module = ModuleType(name)
    module.__file__ = target
    for key, value in run_config_file(target).items():
        if key != "__builtins__":
            setattr(module, key, as_config(value))
    return module
