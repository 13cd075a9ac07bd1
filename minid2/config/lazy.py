"""Configs in Python: calls that are described first and made later."""

import builtins
import dataclasses
import os
import re
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import cloudpickle
import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf, SCMode

from ..host import ALIAS, HOME, logger_of
from ..utils.file_io import PathManager
from ..utils.registry import _convert_target_to_string


def _as_config(value: Any) -> Any:
    """A mapping as an omegaconf config that may hold any object; other values unchanged."""
    if isinstance(value, dict):
        return DictConfig(value, flags={"allow_objects": True})
    return value


class LazyCall:
    """``LazyCall(f)(a=1)`` describes the call ``f(a=1)`` as a mapping that can still be edited.

    :func:`instantiate` makes the call. Arguments are given by name only.
    """

    def __init__(self, target: Any):
        """Describe calls of ``target``: a callable, its dotted path, or a mapping for one."""
        if not (callable(target) or isinstance(target, (str, Mapping))):
            raise TypeError(f"LazyCall needs a callable or its dotted path, got {target!r}")
        self._target = target

    def __call__(self, **kwargs) -> DictConfig:
        """The description: the arguments and ``_target_``."""
        # A structured config (a dataclass) as the target would be taken for a mapping.
        if dataclasses.is_dataclass(self._target):
            kwargs["_target_"] = _convert_target_to_string(self._target)
        else:
            kwargs["_target_"] = self._target
        return _as_config(kwargs)


class LazyConfig:
    """Load, save and override configs that hold described calls."""

    @staticmethod
    def load(filename: str, keys: str | tuple[str, ...] | None = None) -> Any:
        """Read a config file.

        Args:
            filename: ``.py``, which is executed (its relative imports reach other config files),
                or ``.yaml``.
            keys: a name, or several, to read from the file.

        Returns:
            The value of one name, a tuple of several, or for None a mapping of all public names
            whose values are configs.

        Raises:
            AssertionError: another kind of file.
            ImportError: a relative import that leads nowhere.
            KeyError: the file has no such name.
        """
        ending = os.path.splitext(filename)[1]
        assert ending in (".py", ".yaml", ".yml"), f"{filename} is neither .py nor .yaml"
        if ending == ".py":
            names = _run_config_file(filename)
        else:
            with PathManager.open(filename) as file:
                names = yaml.unsafe_load(_rename_tags(file.read(), ALIAS, HOME))

        if isinstance(keys, str):
            return _as_config(names[keys])
        if keys is not None:
            return tuple(_as_config(names[name]) for name in keys)
        if ending == ".py":
            kinds = (DictConfig, ListConfig, dict)
            names = {n: v for n, v in names.items() if isinstance(v, kinds) and n[0] != "_"}
        return _as_config(names)

    @staticmethod
    def load_rel(filename: str, keys: str | tuple[str, ...] | None = None) -> Any:
        """As :meth:`load`, within a config file, of one beside it."""
        importer = sys._getframe(1).f_code.co_filename
        return LazyConfig.load(os.path.join(os.path.dirname(importer), filename), keys)

    @staticmethod
    def save(cfg: Any, filename: str) -> None:
        """Write a config as YAML that either host reads.

        A config with objects that YAML cannot hold (a lambda) is also pickled, to
        ``filename + ".pkl"``, and the log says so; the YAML is then for reading by people.
        """
        plain = OmegaConf.to_container(
            _as_config(cfg),
            enum_to_str=True,
            structured_config_mode=SCMode.INSTANTIATE,  # a ShapeSpec stays one
        )
        content = yaml.dump(
            _name_targets(plain), default_flow_style=None, allow_unicode=True, width=9999
        )
        with PathManager.open(filename, "w") as file:
            file.write(_rename_tags(content, HOME, ALIAS))
        try:
            yaml.unsafe_load(content)
        except yaml.YAMLError:
            with PathManager.open(filename + ".pkl", "wb") as file:
                cloudpickle.dump(cfg, file)
            message = "%s holds objects that YAML cannot, and cannot be loaded again; see %s.pkl"
            logger_of(__name__).warning(message, filename, filename)

    @staticmethod
    def apply_overrides(cfg: DictConfig, overrides: list[str]) -> DictConfig:
        """Change ``cfg`` in place by strings such as ``train.max_iter=5`` and return it.

        The grammar is hydra's. A key that was not there is added.

        Raises:
            KeyError: the path leads through a value that is no config.
            NotImplementedError: a deletion, ``~key``, or several values for a sweep, ``key=1,2``.
        """
        from hydra.core.override_parser.overrides_parser import OverridesParser  # slow to import

        for override in OverridesParser.create().parse_overrides(list(overrides)):
            key = override.key_or_group
            if override.is_delete() or override.is_sweep_override():
                raise NotImplementedError(
                    f"override {override.input_line!r}: neither deletion nor several values; "
                    "a list is [a,b], a text with a comma is quoted"
                )
            parent = key.rpartition(".")[0]
            while parent:  # OmegaConf.update would replace such a value without a word
                if not OmegaConf.is_config(OmegaConf.select(cfg, parent, default=cfg)):
                    raise KeyError(f"cannot set {key!r}: {parent!r} is a value, no config")
                parent = parent.rpartition(".")[0]
            OmegaConf.update(cfg, key, override.value(), merge=True)
        return cfg


def _run_config_file(filename: str) -> dict[str, Any]:
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
    if not name:
        raise ImportError(f"{importer}: relative import of a folder; name a file, from .x import y")
    if not os.path.isfile(target):
        raise ImportError(f"{importer}: cannot import {name!r}, {target} does not exist")
    module = ModuleType(name)
    module.__file__ = target
    for key, value in _run_config_file(target).items():
        if key != "__builtins__":
            setattr(module, key, _as_config(value))
    return module


def _name_targets(node: Any) -> Any:
    """Callables under ``_target_`` as dotted paths, in nested mappings and lists."""
    if isinstance(node, dict):
        named = {key: _name_targets(value) for key, value in node.items()}
        if hasattr(named.get("_target_"), "__qualname__"):
            named["_target_"] = _convert_target_to_string(named["_target_"])
        return named
    if isinstance(node, (list, tuple)):
        return [_name_targets(item) for item in node]
    return node


def _rename_tags(text: str, old: str, new: str) -> str:
    """Classes and functions that YAML stores as tags, with the package of the other host."""
    return re.sub(rf"(!!python/[a-z/]+:){old}\.", rf"\g<1>{new}.", text)
