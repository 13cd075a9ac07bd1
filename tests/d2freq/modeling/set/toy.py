"""A network small enough to write both passes of SET down by hand."""

import torch
from detectron2.layers import ShapeSpec
from detectron2.structures import Boxes, Instances
from torch import nn

CHANNELS = 8


class ToyBackbone(nn.Module):
    """Two levels, the coarser made from the finer, as P6 is from P5."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, CHANNELS, 4, stride=4)
        self.coarse = nn.Conv2d(CHANNELS, CHANNELS, 2, stride=2)

    def output_shape(self):
        return {n: ShapeSpec(channels=CHANNELS, stride=s) for n, s in (("p2", 4), ("p3", 8))}

    def forward(self, images):
        fine = self.fine(images)
        return {"p2": fine, "p3": self.coarse(fine)}


class Toy(nn.Module):
    """Two losses a level by two heads; ``losses`` is what SET has to run twice."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ToyBackbone()
        self.classify = nn.Conv2d(CHANNELS, 1, 1)
        self.locate = nn.Conv2d(CHANNELS, 4, 3, padding=1)

    def forward(self, records):
        images = torch.stack([record["image"] for record in records])
        return self.losses(self.backbone(images))

    def losses(self, features):
        scores = [self.classify(level) for level in features.values()]
        boxes = [self.locate(level) for level in features.values()]
        return {
            "loss_cls": sum(level.sigmoid().square().mean() for level in scores),
            "loss_box_reg": sum((level - 1).abs().mean() for level in boxes),
        }


def toy_batch() -> list[dict]:
    """Two images of 32 x 32 with two boxes and none."""
    records = []
    for boxes in ([[4.0, 4.0, 20.0, 12.0], [16.0, 20.0, 30.0, 31.0]], []):
        target = Instances((32, 32))
        target.gt_boxes = Boxes(torch.tensor(boxes).reshape(-1, 4))
        target.gt_classes = torch.zeros(len(boxes), dtype=torch.int64)
        records.append({"image": torch.randn(3, 32, 32), "instances": target})
    return records
