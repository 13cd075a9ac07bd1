"""From the description of a call to its result."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from ..host import logger_of
from ..utils.registry import locate


def instantiate(cfg: Any) -> Any:
    """Make the call that ``cfg`` describes, its arguments first.

    Args:
        cfg: a mapping with ``_target_`` (a callable or its dotted path) and keyword arguments; a
            list of such. Anything else, mappings without ``_target_`` included, is returned as
            it is.

    Raises:
        ImportError: the dotted path leads nowhere.
        TypeError: ``_target_`` is not callable, or not with these arguments.
    """
    if isinstance(cfg, ListConfig):
        return ListConfig([instantiate(item) for item in cfg], flags={"allow_objects": True})
    if isinstance(cfg, list):
        return [instantiate(item) for item in cfg]
    if isinstance(cfg, DictConfig) and dataclasses.is_dataclass(OmegaConf.get_type(cfg)):
        return OmegaConf.to_object(cfg)  # such as ShapeSpec, which omegaconf keeps as a mapping
    if not (isinstance(cfg, Mapping) and "_target_" in cfg):
        return cfg

    arguments = {name: instantiate(value) for name, value in cfg.items()}
    target = arguments.pop("_target_")
    if isinstance(target, str):
        target = locate(target)
    try:
        return target(**arguments)
    except TypeError:
        message = "could not call %s with the arguments %s"
        logger_of(__name__).error(message, cfg["_target_"], sorted(arguments))
        raise
