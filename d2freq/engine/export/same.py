"""Whether a module runs the code of a class that it is one of."""

from torch import nn

__all__ = ["acts_as"]


def acts_as(module: nn.Module, kind: type, *methods: str) -> bool:
    """Whether it is of that class and none of its parents below has its own version of a method.

    What stands in for a class's code must not stand in for that of a subclass that does something
    else.
    """
    return isinstance(module, kind) and all(
        getattr(type(module), name) is getattr(kind, name) for name in methods
    )
