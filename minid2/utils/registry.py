"""Objects by name: registries, and dotted paths to objects and back."""

import importlib
import sys
from typing import Any

from fvcore.common.registry import Registry

from ..host import to_alias, to_home

__all__ = ["Registry", "locate"]


def locate(name: str) -> Any:
    """The object with a dotted path such as ``torch.nn.Conv2d``.

    ``detectron2.x`` and ``minid2.x`` both mean the module here.

    Raises:
        ImportError: there is no such module, or the module has no such name.
    """
    parts = to_home(name).split(".")
    try:
        found, rest = _longest_module(parts)
        for attribute in rest:
            found = getattr(found, attribute)
    except (ImportError, AttributeError) as error:
        raise ImportError(f"cannot locate {name!r}: {error}") from error
    return found


def _longest_module(parts: list[str]) -> tuple[Any, list[str]]:
    """Import the longest prefix that is a module; also the names that are left."""
    module = importlib.import_module(parts[0] if len(parts) > 1 else "builtins")
    taken = 1 if len(parts) > 1 else 0
    while taken < len(parts) and not hasattr(module, parts[taken]):
        if not hasattr(module, "__path__"):
            break
        module = importlib.import_module(".".join(parts[: taken + 1]))
        taken += 1
    return module, parts[taken:]


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
