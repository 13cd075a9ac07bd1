"""Pyramid levels of a one-stage detector whose larger ones are convolutions on P5, as FCOS's are.

In YAML that is build_fcos_resnet_fpn_backbone, RESNETS.OUT_FEATURES and the IN_FEATURES.
"""

from detectron2.config import LazyCall as L
from detectron2.modeling.backbone.fpn import LastLevelP6P7

from d2freq.modeling.hs_fpn import LastLevelP6


def on_p3_to_p7(model):
    """The detector on P3 to P7, strides 8 to 128; its anchors, if any, are a config's."""
    return _on(model, LastLevelP6P7, lowest=3)


def on_p2_to_p6(model):
    """The detector on P2 to P6, strides 4 to 64; its anchors, if any, are a config's."""
    return _on(model, LastLevelP6, lowest=2)


def _on(model, top_block, lowest):
    model.backbone.bottom_up.out_features = [f"res{level}" for level in range(lowest, 6)]
    model.backbone.top_block = L(top_block)(
        in_channels="${..out_channels}", out_channels="${..out_channels}", in_feature="p5"
    )
    model.head_in_features = [f"p{level}" for level in range(lowest, lowest + 5)]
    return model
