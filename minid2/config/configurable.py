"""Callables that take either explicit arguments or a config."""

import functools
import inspect
from collections.abc import Callable
from typing import Any


def configurable(init_func: Callable | None = None, *, from_config: Callable | None = None):
    """Let a constructor or a function also be called with a config as its first argument.

    On ``__init__``, the class translates by a classmethod ``from_config(cls, cfg, ...)``; on a
    function, ``@configurable(from_config=...)`` gives the translation. Either returns the keyword
    arguments of the explicit call. Further arguments of a call go to ``from_config`` where it
    takes them, and else override what it returned::

        class Head(nn.Module):
            @configurable
            def __init__(self, channels, depth=2): ...

            @classmethod
            def from_config(cls, cfg):
                return {"channels": cfg.MODEL.HEAD.CHANNELS}

        Head(channels=3)
        Head(cfg, depth=4)

    Raises:
        AttributeError, TypeError: at the call, where the class has no ``from_config``, or one
            that is no classmethod or does not take ``cfg`` first.
    """
    if init_func is None and from_config is None:
        return configurable  # @configurable() is @configurable
    if init_func is None:
        assert inspect.isfunction(from_config), "from_config has to be a function"
        return functools.partial(_configurable_function, from_config)
    proper = inspect.isfunction(init_func) and init_func.__name__ == "__init__"
    assert proper and from_config is None, (
        "@configurable without arguments belongs on __init__; a function needs "
        "@configurable(from_config=...)"
    )

    @functools.wraps(init_func)
    def init(self, *args, **kwargs):
        translate = _translation_of(type(self))
        if _is_config_call(args, kwargs):
            args, kwargs = (), _explicit_arguments(translate, args, kwargs)
        init_func(self, *args, **kwargs)

    return init


def _configurable_function(from_config: Callable, function: Callable) -> Callable:
    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        if _is_config_call(args, kwargs):
            args, kwargs = (), _explicit_arguments(from_config, args, kwargs)
        return function(*args, **kwargs)

    wrapped.from_config = from_config  # type: ignore[attr-defined]
    return wrapped


def _translation_of(owner: type) -> Callable:
    translate = getattr(owner, "from_config", None)
    if translate is None:
        raise AttributeError(f"{owner.__name__} is @configurable and needs a from_config")
    if not inspect.ismethod(translate):
        raise TypeError(f"{owner.__name__}.from_config has to be a classmethod")
    return translate


def _is_config_call(args: tuple, kwargs: dict[str, Any]) -> bool:
    from omegaconf import DictConfig

    from .config import _CfgNode

    first = args[0] if args else kwargs.get("cfg")
    return isinstance(first, (_CfgNode, DictConfig))


def _explicit_arguments(translate: Callable, args: tuple, kwargs: dict[str, Any]) -> dict:
    parameters = inspect.signature(translate).parameters
    if next(iter(parameters), None) != "cfg":
        raise TypeError(f"{translate.__qualname__} has to take 'cfg' as its first argument")
    kinds = {parameter.kind for parameter in parameters.values()}
    if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        return translate(*args, **kwargs)  # it takes whatever comes
    known = {name: value for name, value in kwargs.items() if name in parameters}
    overrides = {name: value for name, value in kwargs.items() if name not in parameters}
    return {**translate(*args, **known), **overrides}
