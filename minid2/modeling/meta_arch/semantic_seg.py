"""The registry of heads for semantic segmentation, which other packages fill."""

from typing import Any

from fvcore.common.registry import Registry
from torch import nn

from ...config import CfgNode

SEM_SEG_HEADS_REGISTRY = Registry("SEM_SEG_HEADS")
"""Heads by name, each called with the config and the backbone's output shapes."""


def build_sem_seg_head(cfg: CfgNode, input_shape: Any) -> nn.Module:
    """Build `MODEL.SEM_SEG_HEAD.NAME`; KeyError where no package has registered it."""
    return SEM_SEG_HEADS_REGISTRY.get(cfg.MODEL.SEM_SEG_HEAD.NAME)(cfg, input_shape)
