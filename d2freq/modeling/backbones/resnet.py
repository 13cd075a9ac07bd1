"""The host's ResNet by name, with the norm FrozenStatsBN too."""

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import BACKBONE_REGISTRY, ResNet, build_resnet_backbone

from d2freq.modeling.backbones.frozen_stats_norm import FROZEN_STATS, fix_statistics
from d2freq.modeling.registration import register

__all__ = ["build_d2freq_resnet_backbone"]


@register(BACKBONE_REGISTRY)
def build_d2freq_resnet_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> ResNet:
    """``build_resnet_backbone``, where MODEL.RESNETS.NORM may also be FrozenStatsBN."""
    if cfg.MODEL.RESNETS.NORM != FROZEN_STATS:
        return build_resnet_backbone(cfg, input_shape)
    freeze_at = cfg.MODEL.BACKBONE.FREEZE_AT
    known = cfg.clone()
    known.defrost()
    known.MODEL.RESNETS.NORM = "BN"  # the host does not know ours: build, exchange, then freeze
    known.MODEL.BACKBONE.FREEZE_AT = 0
    network = build_resnet_backbone(known, input_shape)
    fix_statistics(network)
    network.freeze(freeze_at)
    return network
