"""Imports that wait until they are used: the command line is read without torch and numpy."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Later", "exported_from"]


@dataclass(frozen=True)
class Later:
    """A function that is imported when it is called.

    Attributes:
        module: where it stands.
        name: what it is called there.

    Examples:
        >>> from d2freq.utils.late import Later
        >>> Later("math", "hypot")(3, 4)
        5.0
    """

    module: str
    name: str

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        # by this name inspect.signature finds the function's own parameters
        return getattr(importlib.import_module(self.module), self.name)

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Import the function, and call it with what is given."""
        return self.__wrapped__(*given, **named)


def exported_from(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's ``__getattr__``, which imports what the package exports when it is asked for.

    Args:
        package: its ``__name__``.
        homes: exported name -> the module that has it.
    """

    def exported(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    return exported
