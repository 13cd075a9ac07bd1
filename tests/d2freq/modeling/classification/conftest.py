"""A backbone of one convolution, for classifiers that train in a moment."""

import pytest
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY
from detectron2.modeling.backbone import Backbone
from torch import Tensor, nn


class NarrowBackbone(Backbone):
    """One convolution to eight channels of stride 8, for tests that train."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 8, 8)
        self._out_features = ["last"]
        self._out_feature_channels, self._out_feature_strides = {"last": 8}, {"last": 8}

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"last": self.conv(x).relu()}


def build_narrow_backbone(cfg, input_shape: ShapeSpec) -> NarrowBackbone:
    return NarrowBackbone()


@pytest.fixture
def narrow():
    """The name of the backbone in the registry."""
    if "build_narrow_backbone" not in BACKBONE_REGISTRY:
        BACKBONE_REGISTRY.register(build_narrow_backbone)
    return "build_narrow_backbone"
