"""Small models of real configs, and a detector whose answers can be worked out by hand."""

import dataclasses

import pytest
import torch
from detectron2.structures import Boxes, ImageList, Instances
from torch import nn

from d2freq.analysis.model_and_data import load_subject

# overrides that make the R18 configs small enough for tests; GN needs 32 channels
SMALL = ["MODEL.FPN.OUT_CHANNELS", "32"]
FCOS = "configs/set/fcos_R18_FPN_kit_ais.yaml"
FCOS_SET = "configs/set/fcos_R18_FPN_SET_kit_ais.yaml"


class Stride4(nn.Module):
    """Features: the image's channels, every fourth pixel."""

    size_divisibility = 4

    def output_shape(self):
        from detectron2.layers import ShapeSpec

        return {"p2": ShapeSpec(channels=3, stride=4)}

    def forward(self, images):
        return {"p2": images[:, :, ::4, ::4].contiguous()}


class Planted(nn.Module):
    """Finds all objects where the features vary, none where they do not; losses are products.

    ``a`` and ``b`` are the gradients of its two branches, broadcast over the features.
    """

    input_format = "RGB"

    def __init__(self):
        super().__init__()
        self.backbone = Stride4()
        self.norm = nn.BatchNorm2d(3)
        self.dropout = nn.Dropout()
        self.a, self.b = torch.tensor([1.0, 0, 2]), torch.tensor([0.0, 4, 0])
        self.seen = 0  # a running number, as a loss normaliser is

    def preprocess_image(self, records):
        return ImageList.from_tensors([record["image"].float() for record in records], 4)

    def forward(self, records):
        features = self.backbone(self.preprocess_image(records).tensor)["p2"]
        self.dropout(self.norm(features))
        if self.training:
            self.seen += 1
            self.drawn = torch.rand(())
            per_channel = features.sum((0, 2, 3))
            first, second = (per_channel * self.a).sum(), (per_channel * self.b).sum()
            half = {"loss_box_reg_stage0": second * 2, "loss_box_reg_stage1": second * 0}
            return {"loss_cls": first, **half}
        record = records[0]
        truth = record["instances"]
        found = Instances((record["height"], record["width"]))
        number = len(truth) if features.std() > 1 else 0
        found.pred_boxes = Boxes(truth.gt_boxes.tensor[:number])
        found.scores = torch.ones(number)
        found.pred_classes = truth.gt_classes[:number]
        return [{"instances": found}]


@pytest.fixture
def planted(tiny_data):
    """The planted detector on three images, as a subject."""
    subject = load_subject(FCOS, SMALL, dataset=tiny_data(1))
    return dataclasses.replace(subject, model=Planted().eval())


@pytest.fixture
def fcos_set(tiny_data):
    """A SET model around a small FCOS, as a subject."""
    torch.manual_seed(0)
    return load_subject(FCOS_SET, SMALL, dataset=tiny_data(1))
