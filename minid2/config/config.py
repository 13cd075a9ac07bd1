"""The YAML config, a tree of typed keys with defaults, and callables that read it."""

import functools
import inspect
from collections.abc import Callable
from typing import IO, Any

from fvcore.common.config import CfgNode as _CfgNode
from omegaconf import DictConfig

from ..utils.file_io import PathManager

VERSION = 2


class CfgNode(_CfgNode):
    """fvcore's CfgNode (``_BASE_``, types that are kept), which checks the version of files.

    Config files may run code through YAML tags: read files from others before loading them.
    """

    @classmethod
    def _open_cfg(cls, filename: str) -> IO:
        return PathManager.open(filename, "r")

    def merge_from_file(self, cfg_filename: str, allow_unsafe: bool = True) -> None:
        """Read a YAML file with its bases and take over its values.

        Args:
            cfg_filename, allow_unsafe: a path or an address; permit tags that run code.

        Raises:
            AssertionError: there is no such file.
            KeyError, ValueError: an unknown key, or a value of another type than the default.
            NotImplementedError: a VERSION other than 2.
        """
        assert PathManager.isfile(cfg_filename), f"config file {cfg_filename!r} does not exist"
        content = self.load_yaml_with_base(cfg_filename, allow_unsafe=allow_unsafe)
        if content.get("VERSION", VERSION) != VERSION:
            raise NotImplementedError(
                f"{cfg_filename} is of VERSION {content['VERSION']}: minid2 reads version "
                f"{VERSION} only; the real Detectron2 upgrades older files"
            )
        self.merge_from_other_cfg(type(self)(content))


def get_cfg() -> CfgNode:
    """A fresh config with the defaults of Detectron2."""
    from .defaults import _C

    return _C.clone()


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
    """
    if init_func is not None:

        @functools.wraps(init_func)
        def init(self, *args, **kwargs):
            translate = getattr(type(self), "from_config", None)
            if translate is None:
                raise AttributeError(f"{type(self).__name__}: @configurable needs a 'from_config'")
            if not inspect.ismethod(translate):
                raise TypeError(f"{type(self).__name__}.from_config has to be a classmethod")
            args, kwargs = _explicit_arguments(translate, args, kwargs)
            init_func(self, *args, **kwargs)

        return init
    if from_config is None:
        return configurable  # @configurable() says the same as @configurable

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*args, **kwargs):
            args, kwargs = _explicit_arguments(from_config, args, kwargs)
            return function(*args, **kwargs)

        call.from_config = from_config  # type: ignore[attr-defined]
        return call

    return decorate


def _explicit_arguments(translate: Callable, args: tuple, kwargs: dict[str, Any]) -> tuple:
    """The arguments of the explicit call, where these are those of a call with a config."""
    first = args[0] if args else kwargs.get("cfg")
    if not isinstance(first, (_CfgNode, DictConfig)):
        return args, kwargs
    parameters = inspect.signature(translate).parameters
    if next(iter(parameters)) != "cfg":
        raise TypeError(f"{translate.__qualname__}: the first argument has to be called 'cfg'")
    kinds = {parameter.kind for parameter in parameters.values()}
    if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        return (), translate(*args, **kwargs)  # it takes whatever comes
    known = {name: value for name, value in kwargs.items() if name in parameters}
    overrides = {name: value for name, value in kwargs.items() if name not in parameters}
    return (), {**translate(*args, **known), **overrides}
