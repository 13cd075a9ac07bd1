"""Names of d2freq in the host's registries, beside those of other extensions.

Everything has a name that is d2freq's alone, ``build_d2freq_...`` or ``D2Freq...``. It also has the
short one, ``build_fcos_resnet_fpn_backbone`` or ``SET``, for as long as nobody else registers that:
whoever does, before or after d2freq, gets it, and a warning says who has it now.
"""

import inspect
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from fvcore.common.registry import Registry

__all__ = ["SharedRegistry", "own_name", "register", "short_name", "watch_builds"]

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=Callable)

_watchers: list[Callable[[Any], None]] = []


class SharedRegistry(Registry):
    """The host's registry, in which a short name of d2freq gives way to whoever registers it.

    fvcore refuses a name the second time, so that an extension imported behind d2freq could not be
    imported at all. The host's registry becomes one of these in its place: the same object.
    """

    _lent: dict[str, Any]  # short names that d2freq holds

    @classmethod
    def of(cls, registry: Registry) -> "SharedRegistry":
        """The registry itself, able to give way from now on."""
        if not isinstance(registry, cls):
            registry.__class__ = cls
            registry.__dict__.setdefault("_lent", {})
        return registry  # type: ignore[return-value]

    def lend(self, entry: Callable) -> None:
        """Register a function or class of d2freq under its own name, and the short one if free."""
        short, own = entry.__name__, own_name(entry.__name__)
        if own in self and self._obj_map[own].__module__ == entry.__module__:
            # its module is imported anew, after an import that was broken off or by a notebook
            self._obj_map[own] = entry
            if short in self._lent:
                self._obj_map[short] = self._lent[short] = entry
            return
        self._do_register(own, entry)
        if short == own:
            return
        if short in self:
            self._tell(short, self.get(short))
            return
        self._do_register(short, entry)
        self._lent[short] = entry

    def _do_register(self, name: str, obj: Any) -> None:
        if name in self._lent:
            del self._lent[name], self._obj_map[name]
            self._tell(name, obj)
        super()._do_register(name, obj)

    def _tell(self, name: str, theirs: Any) -> None:
        logger.warning(
            "registry %s: %s is that of %s; d2freq's is %s",
            *(self._name, name, getattr(theirs, "__module__", theirs), own_name(name)),
        )

    def get(self, name: str) -> Any:
        """See fvcore's; `build_model`'s config is shown to those that watch builds."""
        entry = super().get(name)
        # Detectron2 has no hook where a model is built, and nothing else sees its config whatever
        # the model: so it is taken from the function that asks.
        frame = inspect.currentframe()
        caller = frame.f_back if frame is not None else None
        if caller is not None and caller.f_code.co_name == "build_model":
            for watcher in _watchers:
                watcher(caller.f_locals.get("cfg"))
        return entry


def register(registry: Registry) -> Callable[[T], T]:
    """Decorator in the place of ``@registry.register()``, by which d2freq shares its names."""

    def decorate(entry: T) -> T:
        SharedRegistry.of(registry).lend(entry)
        return entry

    return decorate


def own_name(short: str) -> str:
    """The name that is d2freq's alone.

    Examples:
        >>> from d2freq.modeling.registration import own_name
        >>> own_name("build_fcos_resnet_fpn_backbone"), own_name("SET"), own_name("D2FreqROIHeads")
        ('build_d2freq_fcos_resnet_fpn_backbone', 'D2FreqSET', 'D2FreqROIHeads')
    """
    if "d2freq" in short.lower():
        return short
    if short.startswith("build_"):
        return f"build_d2freq_{short.removeprefix('build_')}"
    return f"D2Freq{short}"


def short_name(registry: Registry, name: str) -> str:
    """The short name of an entry of d2freq that is registered as ``name``; ``name`` of others'.

    A short name that another extension holds stands for its entry: "" comes back for d2freq's.
    """
    entry = registry.get(name) if name in registry else None
    short = getattr(entry, "__name__", name)
    own = own_name(short)
    if own in registry and registry.get(own) is entry:
        return short
    return "" if own_name(name) in registry and own_name(name) != name else name


def watch_builds(watcher: Callable[[Any], None]) -> None:
    """Have ``watcher`` called with the config of each model that Detectron2's build_model makes."""
    _watchers.append(watcher)
