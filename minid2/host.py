"""Lets minid2 answer to the name ``detectron2``.

Both names lead to the same module objects, so that there is one registry and one class of each,
whichever name imported them.
"""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

ALIAS = "detectron2"
HOME = __package__  # "minid2"


def to_home(name: str) -> str:
    """``detectron2.x`` as the name it has here; every other name unchanged."""
    return HOME + name[len(ALIAS) :] if _within(name, ALIAS) else name


def to_alias(name: str) -> str:
    """``minid2.x`` as the name it has for Detectron2's users; every other name unchanged."""
    return ALIAS + name[len(HOME) :] if _within(name, HOME) else name


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
    for name in [name for name in sys.modules if _within(name, HOME)]:
        sys.modules[to_alias(name)] = sys.modules[name]


def is_installed_as_detectron2() -> bool:
    """Whether ``detectron2`` means minid2 in this process."""
    return sys.modules.get(ALIAS) is sys.modules[HOME]


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


class _Finder(MetaPathFinder):
    """Finds the modules of minid2 under both names."""

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:
        home = to_home(fullname)
        if not _within(home, HOME):
            return None
        found = PathFinder.find_spec(home, path)
        if found is None:
            _explain_absence(home, asker=sys._getframe(2).f_code.co_name)
            return None
        if home == fullname:
            if type(found.loader) is SourceFileLoader:
                found.loader = _HomeLoader(home, found.loader.path)
            return found
        spec = ModuleSpec(fullname, _AliasLoader(home), origin=found.origin)
        spec.submodule_search_locations = found.submodule_search_locations
        return spec


def _explain_absence(home: str, asker: str) -> None:
    """Raise for an import statement; ``importlib.util.find_spec`` only asks, and is told None."""
    parent = sys.modules.get(home.rpartition(".")[0])
    if asker != "_find_and_load_unlocked" or getattr(
        getattr(parent, "__spec__", None), "_initializing", False
    ):
        return  # a parent amid its own import is a circle, which Python explains better
    # `from detectron2 import x` would swallow the error, and say only "cannot import name", if
    # its `name` were that of minid2.
    raise ModuleNotFoundError(
        f"minid2, which stands in for Detectron2 here, does not have {to_alias(home)!r}. "
        "If it is part of the real Detectron2, install that to use it",
        name=to_alias(home),
    )


class _HomeLoader(SourceFileLoader):
    """Gives a module of minid2 its second name as soon as it exists.

    Were that left to an import by the second name, Python would then set the module as an
    attribute of its parent, over a function of the same name (``config.instantiate``).
    """

    def exec_module(self, module: ModuleType) -> None:
        alias = to_alias(module.__name__)
        sys.modules[alias] = module
        try:
            super().exec_module(module)
        except BaseException:
            del sys.modules[alias]
            raise


class _AliasLoader(Loader):
    """Hands out the module of minid2 and leaves it as it was."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.home)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # the import system has just put the alias's there
