"""Every height and every width from 1 to 129 px trains a step and infers: padding does its work."""

from pathlib import Path

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

from d2freq.engine import load_yaml

CONFIG = Path(__file__).resolve().parents[4] / "configs/hs_fpn/faster_rcnn_R18_HSFPN_kit_ais.yaml"
LARGEST = 129


@pytest.fixture(scope="module")
def model():
    cfg = load_yaml(
        str(CONFIG),
        ["MODEL.DEVICE", "cpu", "MODEL.FPN.OUT_CHANNELS", 32, "MODEL.ROI_BOX_HEAD.FC_DIM", 32]
        # one image of 1 px leaves batch norm a single value a channel: see test below
        + ["MODEL.RESNETS.NORM", "FrozenBN", "MODEL.RPN.POST_NMS_TOPK_TRAIN", 50],
    )
    return build_model(cfg)


def sample(height: int, width: int) -> dict:
    target = Instances((height, width))
    target.gt_boxes = Boxes(torch.tensor([[0.0, 0.0, min(width, 9), min(height, 7)]]))
    target.gt_classes = torch.tensor([0])
    return {"image": torch.randint(0, 256, (3, height, width)), "instances": target}


@pytest.mark.parametrize("first", range(1, LARGEST + 1, 16))
def test_each_height_and_width_trains_and_infers(model, first):
    for height in range(first, min(first + 16, LARGEST + 1)):
        width = LARGEST + 1 - height
        model.train()
        model.zero_grad()
        with EventStorage():
            loss = sum(model([sample(height, width)]).values())
        loss.backward()
        assert torch.isfinite(loss), (height, width)
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                assert torch.isfinite(parameter.grad).all(), (name, height, width)
        model.eval()
        with torch.no_grad():
            found = model([sample(height, width)])[0]["instances"]
        assert found.image_size == (height, width)
        boxes = found.pred_boxes.tensor
        assert (boxes[:, 2] <= width).all() and (boxes[:, 3] <= height).all()


def test_batch_norm_trains_on_the_smallest_batch():
    cfg = load_yaml(str(CONFIG), ["MODEL.DEVICE", "cpu", "MODEL.FPN.OUT_CHANNELS", 32])
    model = build_model(cfg).train()
    with EventStorage():
        loss = sum(model([sample(1, 1), sample(2, 3)]).values())
    loss.backward()
    assert torch.isfinite(loss)
