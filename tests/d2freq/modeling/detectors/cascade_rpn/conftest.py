"""A proposal generator with five levels of 16 channels, and the arithmetic of boxes by hand."""

import math

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.layers import ShapeSpec
from detectron2.modeling.proposal_generator import build_proposal_generator
from detectron2.structures import Boxes, ImageList, Instances

import d2freq

STRIDES = (4, 8, 16, 32, 64)
LEVELS = ("p2", "p3", "p4", "p5", "p6")


@pytest.fixture
def generator():
    """Builds MODEL.PROPOSAL_GENERATOR.NAME CascadeRPN by scale and other keys."""

    def build(scale: int = 2, *overrides, channels: int = 16):
        cfg = get_cfg()
        d2freq.add_d2freq_config(cfg)
        cfg.MODEL.PROPOSAL_GENERATOR.NAME = "CascadeRPN"
        cfg.MODEL.ANCHOR_GENERATOR.SIZES = [[scale * stride] for stride in STRIDES]
        cfg.MODEL.ANCHOR_GENERATOR.ASPECT_RATIOS = [[1.0]]
        cfg.MODEL.RPN.IN_FEATURES = list(LEVELS)
        cfg.merge_from_list(list(overrides))
        shapes = zip(LEVELS, STRIDES, strict=True)
        channels = ShapeSpec(channels=channels).channels
        return build_proposal_generator(
            cfg, {name: ShapeSpec(channels=channels, stride=stride) for name, stride in shapes}
        )

    return build


@pytest.fixture
def pyramid():
    """Makes features of noise, and images, of the given side; sizes are of the pictures."""

    def make(side: int, sizes: list[tuple[int, int]], channels: int = 16):
        maps = {
            name: torch.randn(len(sizes), channels, -(-side // stride), -(-side // stride))
            for name, stride in zip(LEVELS, STRIDES, strict=True)
        }
        return ImageList(torch.zeros(len(sizes), 3, side, side), sizes), maps

    return make


@pytest.fixture
def objects():
    """Ground truth of one picture."""

    def make(boxes, size: tuple[int, int]) -> Instances:
        corners = torch.as_tensor(boxes, dtype=torch.float32).reshape(-1, 4)
        return Instances(size, gt_boxes=Boxes(corners))

    return make


@pytest.fixture
def tiny_boxes():
    """Draws boxes with sides of 1 to 16 pixels, every fourth larger, in a picture of a side."""

    def draw(seed: int, count: int, side: int) -> torch.Tensor:
        random = torch.Generator().manual_seed(seed)
        sides = 1 + 15 * torch.rand(count, 2, generator=random)
        sides[3::4] *= 3
        begin = torch.rand(count, 2, generator=random) * (side - 1)
        return torch.cat([begin, (begin + sides).clamp(max=side)], dim=1)

    return draw


@pytest.fixture
def by_hand():
    """Decoding and overlap of Python's floats."""

    class ByHand:
        @staticmethod
        def decode(deltas, box, weights):
            dx, dy, dw, dh = (d / w for d, w in zip(deltas, weights, strict=True))
            width, height = box[2] - box[0], box[3] - box[1]
            x, y = (box[0] + box[2]) / 2 + dx * width, (box[1] + box[3]) / 2 + dy * height
            width, height = width * math.exp(dw), height * math.exp(dh)
            return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]

        @staticmethod
        def iou(one, other):
            width = min(one[2], other[2]) - max(one[0], other[0])
            height = min(one[3], other[3]) - max(one[1], other[1])
            common = max(width, 0) * max(height, 0)
            area, another = ((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
            return common / max(area + another - common, 1e-6)

    return ByHand
