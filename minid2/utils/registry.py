"""Objects by name: registries, and dotted paths to objects and back."""

import pkgutil
import sys
from typing import Any

from fvcore.common.registry import Registry

from ..host import to_alias, to_home

__all__ = ["Registry", "locate"]


def locate(name: str) -> Any:
    """The object with a dotted path such as ``torch.nn.Conv2d``; ImportError if there is none.

    ``detectron2.x`` and ``minid2.x`` both mean the module here.
    """
    try:
        return pkgutil.resolve_name(to_home(name))
    except (AttributeError, ImportError, ValueError) as error:
        raise ImportError(f"cannot locate {name!r}: {error}") from error


def _convert_target_to_string(t: Any) -> str:
    """The shortest dotted path by which ``t`` can be imported; the inverse of :func:`locate`.

    Objects of minid2 are written with the name that Detectron2's users know, so that a saved
    config can be read on either host.
    """
    module, qualname = t.__module__ or "builtins", t.__qualname__  # None for dict.fromkeys
    packages = module.split(".")
    for depth in range(1, len(packages)):
        candidate = ".".join(packages[:depth])
        found = sys.modules.get(candidate)
        for attribute in qualname.split("."):
            found = getattr(found, attribute, None)
        if found is t:
            return to_alias(f"{candidate}.{qualname}")
    return to_alias(f"{module}.{qualname}")
