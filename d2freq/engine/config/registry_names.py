"""The names of a YAML config that stand for registered classes."""

from detectron2.config import CfgNode
from detectron2.modeling import (
    ANCHOR_GENERATOR_REGISTRY,
    BACKBONE_REGISTRY,
    META_ARCH_REGISTRY,
    PROPOSAL_GENERATOR_REGISTRY,
    ROI_BOX_HEAD_REGISTRY,
    ROI_HEADS_REGISTRY,
    ROI_MASK_HEAD_REGISTRY,
    RPN_HEAD_REGISTRY,
)

from d2freq.errors import UserError
from d2freq.modeling.backbones.frozen_stats_norm import FROZEN_STATS
from d2freq.modeling.frequency_input.config import freq_input_keys
from d2freq.modeling.registration import short_name
from d2freq.modeling.set.config import set_keys
from d2freq.utils.choices import did_you_mean
from d2freq.utils.own_keys import own_keys

# The host's builders that know neither FrozenStatsBN nor LATERAL_INIT, and those of ours that do.
INSTEAD = {
    "build_resnet_backbone": "build_d2freq_resnet_backbone",
    "build_resnet_fpn_backbone": "build_d2freq_resnet_fpn_backbone",
    "build_retinanet_resnet_fpn_backbone": "build_d2freq_retinanet_resnet_fpn_backbone",
}


def meta_architectures(cfg: CfgNode) -> list[tuple[str, str]]:
    """(key, name) of the meta-architecture, then of the one that it trains, to the detector."""
    gate = own_keys(cfg, "MODEL.FREQ_INPUT", freq_input_keys()).GATE
    inner = {
        "SET": ("MODEL.SET.DETECTOR", own_keys(cfg, "MODEL.SET", set_keys()).DETECTOR),
        "Gated": ("MODEL.FREQ_INPUT.GATE.DETECTOR", gate.DETECTOR),
    }
    found = [("MODEL.META_ARCHITECTURE", cfg.MODEL.META_ARCHITECTURE)]
    # each once: the model refuses itself within itself
    while (name := short_name(META_ARCH_REGISTRY, found[-1][1])) in inner:
        found.append(inner.pop(name))
    return found


def check_registry_names(cfg: CfgNode) -> None:
    """Refuse a name in ``cfg`` that its registry does not have.

    Raises:
        UserError: with the key, the name and the names that come near.
    """
    architectures = meta_architectures(cfg)
    uses = [
        *((key, name, META_ARCH_REGISTRY) for key, name in architectures),
        ("MODEL.BACKBONE.NAME", cfg.MODEL.BACKBONE.NAME, BACKBONE_REGISTRY),
        ("MODEL.ANCHOR_GENERATOR.NAME", cfg.MODEL.ANCHOR_GENERATOR.NAME, ANCHOR_GENERATOR_REGISTRY),
    ]
    if architectures[-1][1] == "GeneralizedRCNN":
        name = cfg.MODEL.PROPOSAL_GENERATOR.NAME
        if name != "PrecomputedProposals":
            uses.append(("MODEL.PROPOSAL_GENERATOR.NAME", name, PROPOSAL_GENERATOR_REGISTRY))
            uses.append(("MODEL.RPN.HEAD_NAME", cfg.MODEL.RPN.HEAD_NAME, RPN_HEAD_REGISTRY))
        uses.append(("MODEL.ROI_HEADS.NAME", cfg.MODEL.ROI_HEADS.NAME, ROI_HEADS_REGISTRY))
        box_head = cfg.MODEL.ROI_BOX_HEAD.NAME
        if box_head:
            uses.append(("MODEL.ROI_BOX_HEAD.NAME", box_head, ROI_BOX_HEAD_REGISTRY))
        if cfg.MODEL.MASK_ON:
            mask_head = cfg.MODEL.ROI_MASK_HEAD.NAME
            uses.append(("MODEL.ROI_MASK_HEAD.NAME", mask_head, ROI_MASK_HEAD_REGISTRY))
    for key, name, registry in uses:
        if name not in registry:
            known = sorted(entry for entry, _ in registry)
            hint = did_you_mean(name, known, n=3) or f"; known: {', '.join(known)}"
            raise UserError(f"{key}: no {name!r} is registered{hint}")


def check_backbone_keys(cfg: CfgNode) -> None:
    """Refuse keys of d2freq's builders where Detectron2's own would overlook or not know them.

    Raises:
        UserError: with the key, and the builder that takes it.
    """
    ours = INSTEAD.get(cfg.MODEL.BACKBONE.NAME)
    set_keys = {
        "MODEL.RESNETS.NORM": cfg.MODEL.RESNETS.NORM == FROZEN_STATS,
        "MODEL.FPN.LATERAL_INIT": cfg.MODEL.FPN.LATERAL_INIT != "c2",
    }
    for key, is_set in set_keys.items():
        if ours and is_set:
            raise UserError(
                f"{key}: Detectron2's {cfg.MODEL.BACKBONE.NAME} does not know its value; "
                f"MODEL.BACKBONE.NAME {ours} is the same and does"
            )
