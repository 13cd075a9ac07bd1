"""Detectors with random weights, pictures of noise, and how two results are compared."""

import torch
from scipy.optimize import linear_sum_assignment

from d2freq.engine.build import config_model

TRACED = (96, 128)
# Smaller, odd, larger, wide, tiny. At 32 px and less the group norms of these models would see
# two numbers a group, whose difference of rounding they blow up to that of a score.
SIZES = [(64, 64), (97, 131), (224, 160), (33, 290), (40, 40)]
SMALL = (
    "MODEL.DEVICE cpu MODEL.WEIGHTS '' MODEL.RESNETS.DEPTH 18 MODEL.RESNETS.RES2_OUT_CHANNELS 64 "
    "MODEL.BACKBONE.FREEZE_AT 0 MODEL.FPN.OUT_CHANNELS 64 MODEL.FPN.NORM GN "
    "MODEL.ROI_HEADS.NUM_CLASSES 3 MODEL.ROI_BOX_HEAD.FC_DIM 32 "
    "MODEL.RPN.PRE_NMS_TOPK_TEST 60 MODEL.RPN.POST_NMS_TOPK_TEST 40 "
    "MODEL.RETINANET.NUM_CLASSES 3 MODEL.RETINANET.TOPK_CANDIDATES_TEST 60 "
    "MODEL.RETINANET.NUM_CONVS 1 TEST.DETECTIONS_PER_IMAGE 30"
).split()
HS = ["MODEL.BACKBONE.NAME", "build_resnet_hsfpn_backbone"]
FASTER = "configs/_base_/faster_rcnn_R18_FPN.yaml"
RETINA = "configs/_base_/retinanet_R50_FPN.yaml"
FCOS = "configs/_base_/fcos_R18_FPN.yaml"
CASCADE_RPN = "configs/detectors/cascade_rpn_R18_FPN_scenes.yaml"
GRID = "configs/detectors/grid_rcnn_R18_FPN_scenes.yaml"
GRID_KEYS = "MODEL.ROI_GRID_HEAD.POINT_CHANNELS 4 MODEL.ROI_GRID_HEAD.NUM_CONV 1".split()
CASCADE = "configs/_base_/cascade_rcnn_R50_FPN.yaml"
DINO = "configs/_base_/dino_MobileNetV2.yaml"
DINO_KEYS = "MODEL.DINO.NUM_CLASSES 3 MODEL.DINO.NUM_QUERIES 40 MODEL.DINO.ENC_LAYERS 1".split()
FCOS_KEYS = "MODEL.FCOS.NUM_CLASSES 3 MODEL.FCOS.TOPK_CANDIDATES_TEST 60".split()
MODELS = {
    "faster_fpn": (FASTER, []),
    "faster_hsfpn": (FASTER, HS),
    "faster_agnostic": (FASTER, ["MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG", "True"]),
    "retinanet_fpn": (RETINA, []),
    "retinanet_released": (RETINA, [*HS, "MODEL.HSFPN.PRESET", "released"]),
    "cascade_hsfpn": (CASCADE, HS),
    "cascade_rpn": (CASCADE_RPN, []),
    "grid_rcnn": (GRID, GRID_KEYS),
    "fcos": (FCOS, [*FCOS_KEYS, "MODEL.FCOS.SCORE_THRESH_TEST", "0.05"]),
    "dino": (DINO, DINO_KEYS),
    "dino_hsfpn": (DINO, [*DINO_KEYS, HS[0], "build_mobilenetv2_hsfpn_backbone"]),
    "fcos_published": (FCOS, [*FCOS_KEYS, "MODEL.FCOS.INFERENCE", "published"]),
}


def build(name, *overrides):
    """A detector whose scores are far apart: ties would come out in any order."""
    config, own = MODELS[name]
    torch.manual_seed(0)
    model = config_model(config, [*SMALL, *own, *overrides])
    for part, layer in model.named_modules():
        if "transformer.heads" in part and isinstance(layer, torch.nn.Linear):
            torch.nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
        if part.endswith(("objectness_logits", "cls_score")):
            fan_in = layer.weight[0].numel()
            torch.nn.init.normal_(layer.weight, std=8 / fan_in**0.5)
            torch.nn.init.zeros_(layer.bias)
    return model


def noise(size, channels=3, seed=0):
    """(C, H, W) float32 of whole numbers, as pixels are."""
    source = torch.Generator().manual_seed(sum(size) + 1000 * seed)
    return torch.randint(0, 256, (channels, *size), generator=source).float()


def assert_same(found, expected):
    """Each detection has its own counterpart of the same class, whichever order ties come in.

    Args:
        found, expected: boxes (N, 4), scores (N,) and classes (N,), arrays or tensors.
    """
    (boxes, scores, classes), (true_boxes, true_scores, true_classes) = (
        [torch.as_tensor(part).detach() for part in result] for result in (found, expected)
    )
    assert boxes.shape == true_boxes.shape and boxes.dtype == true_boxes.dtype
    assert scores.dtype == true_scores.dtype and classes.dtype == true_classes.dtype
    if len(boxes) == 0:
        return
    distance = (boxes[:, None] - true_boxes).abs().amax(dim=2)
    distance += 1e6 * (classes[:, None] != true_classes)
    # two boxes may lie within the tolerance of each other: the nearest one would be taken twice
    nearest = torch.as_tensor(linear_sum_assignment(distance.numpy())[1])
    apart = distance.gather(1, nearest[:, None])[:, 0]
    # where the number of detections is limited, rounding decides which of equal ones is the last
    last = scores <= scores.min() + 1e-5
    assert apart[~last].numel() == 0 or apart[~last].max() < 0.05
    assert last.sum() < 3 or apart.max() < 0.05
    assert (scores - true_scores[nearest]).abs().max() < 1e-3
    assert (scores[:-1] >= scores[1:]).all()
