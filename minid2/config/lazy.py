"""Configs in Python: calls that are described first and made later."""

import dataclasses
import difflib
import logging
import os
import re
import sys
from collections.abc import Mapping
from copy import deepcopy
from types import ModuleType
from typing import Any

import cloudpickle
import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf, SCMode

from ..host import ALIAS, HOME
from ..utils.file_io import PathManager
from ..utils.registry import _convert_target_to_string
from .lazy_files import as_config, run_config_file

__all__ = ["LazyCall", "LazyConfig"]

logger = logging.getLogger(__name__)

Keys = str | tuple[str, ...] | None


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
        return as_config(kwargs)


class LazyConfig:
    """Load, save and override configs that hold described calls."""

    @staticmethod
    def load(filename: str, keys: Keys = None) -> Any:
        """Read a config file.

        Args:
            filename: ``.py``, which is executed (its relative imports reach other config files),
                or ``.yaml``.
            keys: a name, or several, to read from the file.

        Returns:
            The value of one name, a tuple of several, or for None a mapping of all public names
            whose values are configs.

        Raises:
            ValueError: another kind of file. ImportError: a relative import that leads nowhere.
            KeyError: the file has no such name.
        """
        filename = os.fspath(filename)
        ending = os.path.splitext(filename)[1]
        if ending == ".py":
            names = run_config_file(filename)
        elif ending in (".yaml", ".yml"):
            with PathManager.open(filename) as file:
                names = yaml.unsafe_load(_rename_tags(file.read(), ALIAS, HOME))
        else:
            raise ValueError(f"config file {filename!r} is neither .py nor .yaml")

        if keys is None:
            if ending != ".py":
                return as_config(names)
            return as_config(
                {
                    name: value
                    for name, value in names.items()
                    if isinstance(value, (DictConfig, ListConfig, dict)) and name[0] != "_"
                }
            )
        wanted = (keys,) if isinstance(keys, str) else keys
        for name in wanted:
            if name not in names:
                raise KeyError(f"{filename} defines no {name!r}; it defines {_public(names)}")
        values = tuple(as_config(names[name]) for name in wanted)
        return values[0] if isinstance(keys, str) else values

    @staticmethod
    def load_rel(filename: str, keys: Keys = None) -> Any:
        """:meth:`load` with a path relative to the source file of the caller."""
        caller = sys._getframe(1).f_code.co_filename
        assert os.path.exists(caller), f"load_rel needs a caller in a file, not {caller}"
        return LazyConfig.load(os.path.join(os.path.dirname(caller), filename), keys)

    @staticmethod
    def save(cfg: Any, filename: str) -> None:
        """Write a config as YAML that either host reads.

        A config with objects that YAML cannot hold (a lambda) is also pickled, to
        ``filename + ".pkl"``, and the log says so; the YAML is then for reading by people.
        """
        plain = OmegaConf.to_container(
            as_config(deepcopy(cfg)),
            resolve=False,
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
            logger.warning(
                "%s holds objects that YAML cannot, and cannot be loaded again; the config is "
                "pickled in %s.pkl",
                filename,
                filename,
            )

    @staticmethod
    def apply_overrides(cfg: DictConfig, overrides: list[str]) -> DictConfig:
        """Change ``cfg`` in place by strings such as ``train.max_iter=5`` and return it.

        The grammar is hydra's. A key that was not there is added, and the log mentions it unless
        it was written as ``+key=value``.

        Raises:
            KeyError: the path leads through a value that is no config.
            NotImplementedError: a deletion, ``~key``.
            ValueError: several values for one key, as for hydra's sweeps.
        """
        from hydra.core.override_parser.overrides_parser import OverridesParser  # slow to import

        for override in OverridesParser.create().parse_overrides(list(overrides)):
            text, key = override.input_line, override.key_or_group
            if override.is_delete():
                raise NotImplementedError(f"override {text!r}: deletion is not supported")
            if override.is_sweep_override():
                raise ValueError(f"override {text!r} has several values; quote it or use [a,b]")
            _check_path(cfg, key)
            if not override.is_add() and not override.is_force_add():
                _mention_new_key(cfg, key)
            OmegaConf.update(cfg, key, override.value(), merge=True)
        return cfg

    @staticmethod
    def to_py(cfg: Any, prefix: str = "cfg.") -> str:
        """Not part of minid2: ``LazyConfig.save`` writes the same content as YAML."""
        raise NotImplementedError(
            "minid2 has no LazyConfig.to_py; use LazyConfig.save, or install the real Detectron2"
        )


def _public(names: Mapping) -> list[str]:
    return [
        name
        for name, value in names.items()
        if name[0] != "_" and not (callable(value) or isinstance(value, ModuleType))
    ]


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


def _check_path(cfg: DictConfig, key: str) -> None:
    parts = key.split(".")
    for depth in range(1, len(parts)):
        inner = ".".join(parts[:depth])
        node = OmegaConf.select(cfg, inner, default=None)
        if node is None:
            return
        if not OmegaConf.is_config(node):
            raise KeyError(f"cannot set {key!r}: {inner!r} is a {type(node).__name__}, no config")


def _mention_new_key(cfg: DictConfig, key: str) -> None:
    parent, _, last = key.rpartition(".")
    node = OmegaConf.select(cfg, parent, default=None) if parent else cfg
    if not isinstance(node, DictConfig) or last in node:
        return
    near = difflib.get_close_matches(last, [str(name) for name in node], n=1)
    hint = f"; did you mean {parent + '.' if parent else ''}{near[0]}?" if near else ""
    logger.warning("override adds the new key %s%s", key, hint)
