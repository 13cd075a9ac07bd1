"""DetectoRS's backbone by name, for MODEL.BACKBONE.NAME."""

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import BACKBONE_REGISTRY
from detectron2.modeling.backbone.fpn import LastLevelMaxPool

from d2freq.modeling.backbones.fpn import fpn_arguments
from d2freq.modeling.detectors.rfp.neck import RFP
from d2freq.modeling.detectors.sac import build_resnet_sac_backbone
from d2freq.modeling.detectors.sac.config import detectors_keys
from d2freq.modeling.registration import register
from d2freq.utils.own_keys import own_keys

__all__ = ["build_detectors_backbone"]


@register(BACKBONE_REGISTRY)
def build_detectors_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> RFP:
    """ResNet with SAC below RFP, P2 to P6: DetectoRS. MODEL.DETECTORS can switch off either part.

    Takes MODEL.RESNETS, MODEL.FPN and MODEL.DETECTORS.
    """
    keys = own_keys(cfg, "MODEL.DETECTORS", detectors_keys())
    more = 0 if keys.RFP_SHARING else max(keys.RFP_STEPS - 1, 0)
    first, *again = [build_resnet_sac_backbone(cfg, input_shape) for _ in range(1 + more)]
    return RFP(
        **fpn_arguments(cfg, first, LastLevelMaxPool()),
        again=again,
        steps=keys.RFP_STEPS,
        aspp_channels=keys.ASPP_CHANNELS,
        aspp_dilations=keys.ASPP_DILATIONS,
        init=keys.RFP_INIT,
    )
