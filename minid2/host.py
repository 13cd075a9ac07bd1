"""Lets minid2 answer to the name ``detectron2``, and say no to what only the real one has.

Both names lead to the same module objects, so that there is one registry and one class of each,
whichever name imported them.
"""

import importlib
import logging
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from .absent import fill_in, topic_of

ALIAS = "detectron2"
HOME = __package__  # "minid2"


def within(name: str, package: str) -> bool:
    """Whether a dotted name is that of a package or of something in it."""
    return name == package or name.startswith(package + ".")


def to_home(name: str) -> str:
    """``detectron2.x`` as the name it has here; every other name unchanged."""
    return HOME + name[len(ALIAS) :] if within(name, ALIAS) else name


def to_alias(name: str) -> str:
    """``minid2.x`` as the name it has for Detectron2's users; every other name unchanged."""
    return ALIAS + name[len(HOME) :] if within(name, HOME) else name


def logger_of(module: str) -> logging.Logger:
    """The logger of a module by the name that it has for Detectron2's users, ``detectron2.x``."""
    return logging.getLogger(to_alias(module))


def refuse(key: str, wanted: Any) -> None:
    """Raise NotImplementedError with the config key or argument, where ``wanted`` is true."""
    if wanted:
        raise NotImplementedError(
            f"{key}: minid2 does not have it; do without it, or install the real Detectron2"
        )


def install_as_detectron2() -> None:
    """Make ``import detectron2.x.y`` yield the module ``minid2.x.y``. Calling it again is harmless.

    Raises:
        ImportError: a real Detectron2 has been imported in this process.
    """
    if is_installed_as_detectron2():
        return
    if ALIAS in sys.modules:
        raise ImportError(
            "minid2 cannot stand in for Detectron2: the installed Detectron2 has been imported "
            "already. Call install_as_detectron2() before anything imports detectron2"
        )
    sys.meta_path.insert(0, _Finder())
    _share_modules()


def is_installed_as_detectron2() -> bool:
    """Whether ``detectron2`` means minid2 in this process."""
    return sys.modules.get(ALIAS) is sys.modules[HOME]


def _share_modules() -> None:
    for name in [name for name in sys.modules if within(name, HOME)]:
        module = sys.modules[to_alias(name)] = sys.modules[name]
        fill_in(module, _path(name), missing=False)


def _path(name: str) -> str:
    """``structures.boxes`` of ``minid2.structures.boxes``."""
    return name.partition(".")[2]


class _Absent(Loader):
    """Makes a module that only the real Detectron2 has, full of stand-ins."""

    def exec_module(self, module: ModuleType) -> None:
        fill_in(module, _path(module.__name__), missing=True)
        _share_modules()


class _Finder(MetaPathFinder, Loader):
    """Imports ``detectron2.x`` by its name here, and explains what neither name has."""

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:
        home = to_home(fullname)
        if not within(home, HOME):
            return None
        if PathFinder.find_spec(home, path) is None:
            if topic_of(_path(home)) is not None:
                return ModuleSpec(home, _Absent(), is_package=True)
            # `from detectron2 import x` would swallow the error, and say only "cannot import
            # name", if its `name` were that of minid2.
            raise ModuleNotFoundError(
                f"minid2, which stands in for Detectron2 here, does not have {to_alias(home)!r}. "
                "If it is part of the real Detectron2, install that to use it",
                name=to_alias(home),
            )
        return None if home == fullname else ModuleSpec(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of minid2 in the place of ``module``.

        All that it imported gets its second name too. Were those left to imports of their own,
        Python would then set them as attributes of their parents, over functions of the same name
        (``config.instantiate``).
        """
        importlib.import_module(to_home(module.__name__))
        _share_modules()
