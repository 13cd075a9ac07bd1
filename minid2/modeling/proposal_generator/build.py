"""Registry of proposal generators, and how a config picks one."""

from __future__ import annotations

from fvcore.common.registry import Registry
from torch import nn

from ...config import CfgNode
from ...layers import ShapeSpec

PROPOSAL_GENERATOR_REGISTRY = Registry("PROPOSAL_GENERATOR")
PROPOSAL_GENERATOR_REGISTRY.__doc__ = """
Proposal generators by name. An entry is called with the config and the backbone's output shapes.
"""


def build_proposal_generator(cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> nn.Module | None:
    """Build `MODEL.PROPOSAL_GENERATOR.NAME`; None for "PrecomputedProposals"."""
    name = cfg.MODEL.PROPOSAL_GENERATOR.NAME
    if name == "PrecomputedProposals":
        return None
    return PROPOSAL_GENERATOR_REGISTRY.get(name)(cfg, input_shape)
