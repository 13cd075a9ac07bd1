"""A detector with faster layers has the same losses, gradients, names and detections."""

from pathlib import Path

import pytest
import torch
from detectron2.layers import Conv2d
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage
from torch import nn

from d2freq.engine import load_yaml
from d2freq.modeling.fast_cpu import FastROIAlign, SparselyLearningConv2d, make_fast_on_cpu

CONFIG = str(Path(__file__).parents[3] / "configs/hs_fpn/faster_rcnn_R18_FPN_kit_ais.yaml")
SMALL = ["MODEL.DEVICE", "cpu", "MODEL.FPN.OUT_CHANNELS", "32", "MODEL.ROI_BOX_HEAD.FC_DIM", "16"]


def make_batch() -> list[dict]:
    target = Instances((64, 64))
    target.gt_boxes = Boxes(torch.tensor([[4.0, 4, 16, 14], [30, 20, 42, 33]]))
    target.gt_classes = torch.zeros(2, dtype=torch.int64)
    image = torch.randint(256, (3, 64, 64), dtype=torch.uint8)
    return [{"image": image, "instances": target}]


@pytest.fixture(scope="module")
def sides():
    """(losses, gradients by name, detections) of the usual and of the fast model."""
    batch, found = None, []
    for fast in (False, True):
        torch.manual_seed(0)
        model = build_model(load_yaml(CONFIG, SMALL))
        batch = batch or make_batch()
        names = list(model.state_dict())
        if fast:
            assert make_fast_on_cpu(model) == 5  # four levels are pooled, one convolution
            assert list(model.state_dict()) == names
        torch.manual_seed(1)
        with EventStorage():
            losses = model.train()(batch)
        sum(losses.values()).backward()
        gradients = {name: p.grad for name, p in model.named_parameters()}
        with torch.no_grad():
            detections = model.eval()(batch)[0]["instances"]
        found.append((losses, gradients, detections, model))
    return found


def test_losses_and_detections_are_equal_to_the_last_bit(sides):
    (losses, _, detections, _), (fast_losses, _, fast_detections, _) = sides
    assert {k: v.item() for k, v in losses.items()} == {k: v.item() for k, v in fast_losses.items()}
    assert torch.equal(detections.pred_boxes.tensor, fast_detections.pred_boxes.tensor)
    assert torch.equal(detections.scores, fast_detections.scores)


def test_gradients_are_equal_to_rounding(sides):
    (_, usual, _, _), (_, fast, _, _) = sides
    for name, gradient in usual.items():
        torch.testing.assert_close(fast[name], gradient, atol=1e-5, rtol=1e-4, msg=name)


def test_which_layers_are_exchanged(sides):
    model = sides[1][3]
    kinds = [type(module) for module in model.modules()]
    assert kinds.count(FastROIAlign) == 4 and kinds.count(SparselyLearningConv2d) == 1
    assert make_fast_on_cpu(model) == 0  # a second time there is nothing left
    assert make_fast_on_cpu(nn.Sequential(Conv2d(3, 3, 3, padding=1))) == 0  # no proposal network


def test_a_convolution_that_changes_the_size_stays():
    model = build_model(load_yaml(CONFIG, SMALL))
    head = model.proposal_generator.rpn_head
    head.conv = Conv2d(32, 32, 3)
    assert make_fast_on_cpu(model) == 4
    assert type(head.conv) is Conv2d
