"""SAC and RFP with what the papers combine them with: a step, an image without objects, detections.

Small: ResNet-50's blocks at an eighth of their width, 96 pixels.
"""

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

from d2freq.engine import load_yaml

SMALL = """MODEL.DEVICE cpu MODEL.RESNETS.WIDTH_PER_GROUP 8 MODEL.RESNETS.STEM_OUT_CHANNELS 8
MODEL.RESNETS.RES2_OUT_CHANNELS 32 MODEL.FPN.OUT_CHANNELS 32 MODEL.ROI_BOX_HEAD.FC_DIM 16
MODEL.DETECTORS.ASPP_CHANNELS 8 MODEL.RPN.POST_NMS_TOPK_TRAIN 32 MODEL.RPN.POST_NMS_TOPK_TEST 32
MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE 16 MODEL.ROI_HEADS.SCORE_THRESH_TEST 0.0""".split()
SET = ["MODEL.META_ARCHITECTURE", "SET", "MODEL.SET.DETECTOR", "GeneralizedRCNN"]
PAIRS = {  # without SET, tests/configs trains a step of each config of the folder
    "RFP": ("RFP", []),
    "RFP with NWD and SET": ("RFP_NWD", SET),
    "SAC with HS-FPN, RFLA and SET": ("HSFPN_RFLA", SET),
}


def batch():
    truths = [Instances((96, 96)), Instances((96, 80))]
    truths[0].gt_boxes = Boxes(torch.tensor([[10.0, 12, 22, 20], [50, 40, 54, 45]]))
    truths[0].gt_classes = torch.tensor([0, 7])
    truths[1].gt_boxes, truths[1].gt_classes = Boxes(torch.zeros(0, 4)), torch.zeros(0).long()
    sizes = [(96, 96), (96, 80)]
    return [
        {"image": torch.randint(0, 256, (3, *size), dtype=torch.uint8), "instances": truth}
        for size, truth in zip(sizes, truths, strict=True)
    ]


@pytest.mark.parametrize("pair", PAIRS)
def test_it_trains_and_detects(pair):
    config, words = PAIRS[pair]
    name = f"configs/detectors/cascade_rcnn_R50_SAC_{config}_aitod.yaml"
    torch.manual_seed(0)
    model = build_model(load_yaml(name, [*SMALL, *words])).train()
    with EventStorage():
        losses = model(batch())
    sum(losses.values()).backward()
    assert len(losses) == 2 + 2 * 3 or ("SET" in pair and len(losses) > 8)
    assert all(torch.isfinite(loss) for loss in losses.values())
    for key, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), key
    with torch.no_grad():
        found = model.eval()(batch())
    assert all(len(each["instances"]) for each in found)
    assert all(each["instances"].pred_boxes.tensor.isfinite().all() for each in found)
