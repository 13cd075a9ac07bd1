"""Pyramid levels of a one-stage detector whose larger ones are convolutions on P5 or C5.

In YAML that is build_fcos_resnet_fpn_backbone (P5) or build_d2freq_retinanet_resnet_fpn_backbone
(C5, without a ReLU in front of P7), RESNETS.OUT_FEATURES and the IN_FEATURES.
"""

from detectron2.config import LazyCall as L
from detectron2.modeling.backbone.fpn import LastLevelP6P7

from d2freq.modeling.backbones import LastLevelP6, LinearLastLevelP6P7


def on_p3_to_p7(model, source="p5"):
    """The detector on P3 to P7, strides 8 to 128; its anchors, if any, are a config's."""
    top_block = LastLevelP6P7 if source == "p5" else LinearLastLevelP6P7
    return _on(model, top_block, source, lowest=3)


def on_p2_to_p6(model, source="p5"):
    """The detector on P2 to P6, strides 4 to 64; its anchors, if any, are a config's."""
    return _on(model, LastLevelP6, source, lowest=2)


def _on(model, top_block, source, lowest):
    model.backbone.bottom_up.out_features = [f"res{level}" for level in range(lowest, 6)]
    model.backbone.top_block = L(top_block)(
        in_channels="${..out_channels}" if source == "p5" else 2048,  # C5 of ResNet-50
        out_channels="${..out_channels}",
        in_feature=source,
    )
    model.head_in_features = [f"p{level}" for level in range(lowest, lowest + 5)]
    return model
