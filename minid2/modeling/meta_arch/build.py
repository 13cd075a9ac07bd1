"""Registry of whole models, and how a config picks one."""

import torch
from fvcore.common.registry import Registry
from torch import nn

from ...config import CfgNode

META_ARCH_REGISTRY = Registry("META_ARCH")
"""Whole models by name. An entry is called with the config and returns an `nn.Module` that takes
`list[dict]` and gives a dict of losses in training mode, one result per record otherwise."""


def build_model(cfg: CfgNode) -> nn.Module:
    """Build `MODEL.META_ARCHITECTURE` on `MODEL.DEVICE`, with fresh weights.

    `MODEL.WEIGHTS` is not read here: a checkpointer does that.

    Raises:
        KeyError: if no model of that name is registered; the message lists those that are.
    """
    model = META_ARCH_REGISTRY.get(cfg.MODEL.META_ARCHITECTURE)(cfg)
    return model.to(torch.device(cfg.MODEL.DEVICE))
