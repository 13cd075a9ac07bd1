"""Names that modules had in earlier releases, for the lazy configs which runs of those dumped.

``OUTPUT_DIR/config.yaml`` of a lazy run names each class and function by its module. A module that
has moved since answers to the name that stands there, too.
"""

import importlib
import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["FORMER", "answer_to_former_names"]

FORMER = {
    "d2freq.data.image_mapper": "d2freq.data.image_folders.mapper",  # 0.1
    "d2freq.data.loaders": "d2freq.data.build",  # 0.1
    "d2freq.engine.clipped_sgd": "d2freq.engine.solver",  # 0.1
    "d2freq.modeling.fcos": "d2freq.modeling.detectors.fcos",  # 0.1
}


def answer_to_former_names() -> None:
    """Let ``import`` find the modules of FORMER. Calling it again is harmless."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        # first of all: else Python would load a package's files once more under its former name
        sys.meta_path.insert(0, _Finder())


def _today(name: str) -> str:
    """The present name of a former module, or of one within it; "" where there is none."""
    for former, today in FORMER.items():
        if name == former or name.startswith(f"{former}."):
            present = today + name[len(former) :]
            try:
                return present if importlib.util.find_spec(present) else ""
            except ModuleNotFoundError:  # within something that is no package
                return ""
    return ""


class _Finder(MetaPathFinder, Loader):
    """The module of today under its former name: the same object, so one class of each name."""

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if _today(fullname) else None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(_today(module.__name__))
