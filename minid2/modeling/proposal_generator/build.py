"""Registry of proposal generators, and how a config picks one."""

from fvcore.common.registry import Registry
from torch import nn

from ...config import CfgNode
from ...host import refuse
from ...layers import ShapeSpec

PROPOSAL_GENERATOR_REGISTRY = Registry("PROPOSAL_GENERATOR")
"""Proposal generators by name, each called with the config and the backbone's output shapes."""


def build_proposal_generator(cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> nn.Module:
    """Build `MODEL.PROPOSAL_GENERATOR.NAME`."""
    name = cfg.MODEL.PROPOSAL_GENERATOR.NAME
    refuse(f"MODEL.PROPOSAL_GENERATOR.NAME {name}", name == "PrecomputedProposals")
    return PROPOSAL_GENERATOR_REGISTRY.get(name)(cfg, input_shape)
