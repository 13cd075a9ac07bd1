"""The YAML config: a tree of typed keys with defaults."""

import difflib
import logging
import re
from typing import IO, Any

import yaml
from fvcore.common.config import CfgNode as _CfgNode

from ..utils.file_io import PathManager
from .configurable import configurable

__all__ = ["CfgNode", "configurable", "get_cfg", "global_cfg", "set_global_cfg"]

LATEST_VERSION = 2


class UnknownKeyError(KeyError, AssertionError):
    """A config file or an override names a key that does not exist.

    Detectron2 raises KeyError for files and AssertionError for overrides; this is both.
    """

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would print the message quoted


class CfgNode(_CfgNode):
    """fvcore's CfgNode (``_BASE_``, types that are kept) with version checks and clear errors.

    Config files may run code through YAML tags: read files from others before loading them.
    """

    @classmethod
    def _open_cfg(cls, filename: str) -> IO:
        return PathManager.open(filename, "r")

    def merge_from_file(self, cfg_filename: str, allow_unsafe: bool = True) -> None:
        """Read a YAML file with its bases and take over its values.

        Args:
            cfg_filename: a path or an address.
            allow_unsafe: permit tags such as ``!!python/object/apply``.

        Raises:
            AssertionError: there is no such file, or its VERSION is newer than this config's.
            KeyError: an unknown key; the message names the file and the nearest known key.
            ValueError: a value of another type than the default.
        """
        assert PathManager.isfile(cfg_filename), f"config file {cfg_filename!r} does not exist"
        content = self.load_yaml_with_base(cfg_filename, allow_unsafe=allow_unsafe) or {}
        self._check_version(content.get("VERSION"), cfg_filename)
        try:
            self.merge_from_other_cfg(type(self)(content))
        except KeyError as error:
            raise self._explain(error, cfg_filename, allow_unsafe) from None
        except ValueError as error:
            reason = str(error)  # with the whole section in it, where a section was expected
            if len(reason) > 500:
                reason = f"{reason[:80]} ... {reason[-80:]}"
            raise ValueError(f"{cfg_filename}: {reason}") from error

    def merge_from_list(self, cfg_list: list[str]) -> None:
        """Take over overrides ``[KEY, value, KEY, value, ...]``; errors as for a file."""
        assert len(cfg_list) % 2 == 0, (
            f"overrides are pairs of KEY and value, got {len(cfg_list)} items: {cfg_list}"
        )
        try:
            super().merge_from_list(cfg_list)
        except (AssertionError, KeyError) as error:
            raise self._explain(error) from None

    @classmethod
    def load_yaml_with_base(cls, filename: str, allow_unsafe: bool = False) -> dict[str, Any]:
        """The content of a file over that of its ``_BASE_`` (a path, or a list of them)."""
        try:
            return super().load_yaml_with_base(filename, allow_unsafe=allow_unsafe)
        except TypeError as error:  # fvcore looks for _BASE_ in whatever the file holds
            raise TypeError(f"{filename}: the file has to hold keys and values") from error

    def _check_version(self, version: int | None, filename: str) -> None:
        own = self.get("VERSION")
        if own is None:
            return
        if version is None:
            logging.getLogger(__name__).warning(
                "%s has no VERSION; it is read as version %d", filename, own
            )
            return
        assert version <= own, f"{filename} is of VERSION {version}, this config of {own}"
        if version < own:
            raise NotImplementedError(
                f"{filename} is of VERSION {version}: minid2 reads version {own} only; the real "
                "Detectron2 upgrades older files"
            )

    def _explain(
        self, error: Exception, filename: str | None = None, allow_unsafe: bool = False
    ) -> Exception:
        """Add to the error of yacs where the key stands and what may have been meant."""
        match = re.search(r"Non-existent (?:config )?key: ([^\s'\"]+)", str(error))
        if match is None:
            return error
        key = match.group(1)
        message = f"unknown config key {key!r}"
        if filename is not None:
            message += f" in {self._culprit(filename, key.split('.'), allow_unsafe)}"
        known = list(_dotted_keys(self))
        near = [name for name in known if name.endswith("." + key)]
        near = near or difflib.get_close_matches(key, known, n=1)
        if near:
            message += f"; did you mean {near[0]!r}?"
        else:
            message += "; keys of an extension have to be added first, by its add_..._config(cfg)"
        return UnknownKeyError(message)

    @classmethod
    def _culprit(cls, filename: str, key: list[str], allow_unsafe: bool) -> str:
        """Which file of the chain of bases holds the key."""
        read: list[str] = []

        class Recorder(cls):  # type: ignore[misc, valid-type]
            @classmethod
            def _open_cfg(cls, filename: str) -> IO:
                read.append(filename)
                return super()._open_cfg(filename)

        Recorder.load_yaml_with_base(filename, allow_unsafe=allow_unsafe)
        for path in read:
            with cls._open_cfg(path) as file:
                node = yaml.unsafe_load(file) if allow_unsafe else yaml.safe_load(file)
            for part in key:
                node = node.get(part, None) if isinstance(node, dict) and part in node else ...
            if node is not ...:
                return path
        return filename


def _dotted_keys(node: CfgNode, prefix: str = ""):
    for name, value in node.items():
        yield prefix + name
        if isinstance(value, CfgNode):
            yield from _dotted_keys(value, f"{prefix}{name}.")


global_cfg = CfgNode()


def get_cfg() -> CfgNode:
    """A fresh config with the defaults of Detectron2."""
    from .defaults import _C

    return _C.clone()


def set_global_cfg(cfg: CfgNode) -> None:
    """Let ``minid2.config.global_cfg`` hold the entries of ``cfg``. For quick experiments only."""
    global_cfg.clear()
    global_cfg.update(cfg)
