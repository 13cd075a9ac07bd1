"""A data set of plain colours in class folders, and a backbone of one convolution."""

from pathlib import Path

import numpy as np
import pytest
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY
from detectron2.modeling.backbone import Backbone
from PIL import Image
from torch import Tensor, nn

COLOURS = {"blue": (40, 40, 200), "green": (40, 200, 40), "red": (200, 40, 40)}


def write_colours(root: Path, images: int = 2) -> None:
    """imagenet/{train,val}/<colour>/<number>.png, noisy pictures of 40 x 50 pixels."""
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for name, colour in COLOURS.items():
            folder = root / "imagenet" / split / name
            folder.mkdir(parents=True)
            for number in range(images):
                pixels = np.array(colour) + random.normal(0, 25, (40, 50, 3))
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")


@pytest.fixture
def colours(data_root):
    """$DETECTRON2_DATASETS with imagenet_train and imagenet_val, two images of three classes."""
    write_colours(data_root)
    return data_root / "imagenet"


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
