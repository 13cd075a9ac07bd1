"""Configs in YAML (``get_cfg``) and in Python (``LazyConfig``)."""

from .config import CfgNode, configurable, get_cfg
from .instantiate import instantiate
from .lazy import LazyCall, LazyConfig
