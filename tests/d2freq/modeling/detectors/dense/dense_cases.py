"""Small ATSS, PAA and AutoAssign, crowds of tiny boxes, and geometry in Python's numbers."""

import torch
from detectron2.config import get_cfg
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

from d2freq import add_d2freq_config
from d2freq.modeling.detectors.dense.cells import Grid

KINDS = ("ATSS", "PAA", "AutoAssign")
STRIDES = (8, 16, 32, 64, 128)  # P3 to P7
CLASSES = 8


def config(kind, *, levels=range(3, 8), thin=True, options=()):
    """The config of a detector of 8 classes on P3 to P7."""
    cfg = get_cfg()
    add_d2freq_config(cfg)
    own = kind in ("ATSS", "PAA")
    stages = [f"res{level}" for level in range(min(levels), 6)]
    small = {"RES2_OUT_CHANNELS": 16, "STEM_OUT_CHANNELS": 8, "WIDTH_PER_GROUP": 8, "NORM": "BN"}
    resnet = {"DEPTH": 50, "STRIDE_IN_1X1": False, "OUT_FEATURES": stages, **(thin and small or {})}
    node = {"NUM_CLASSES": CLASSES, "IN_FEATURES": [f"p{level}" for level in levels]}
    node |= {"NUM_CONVS": 1, "NORM": ""} if thin else {}
    keys = {f"MODEL.RESNETS.{key}": value for key, value in resnet.items()}
    keys |= {f"MODEL.{kind.upper()}.{key}": value for key, value in node.items()}
    keys |= {
        "MODEL.DEVICE": "cpu",
        "MODEL.META_ARCHITECTURE": kind,
        "MODEL.BACKBONE.NAME": "build_atss_resnet_fpn_backbone"
        if own
        else "build_d2freq_retinanet_resnet_fpn_backbone",
        "MODEL.BACKBONE.FREEZE_AT": 0 if thin else 2,
        "MODEL.FPN.IN_FEATURES": stages,
        "MODEL.FPN.OUT_CHANNELS": 16 if thin else 256,
    }
    cfg.merge_from_list([part for pair in keys.items() for part in pair])
    cfg.merge_from_list(list(options))
    return cfg


def build(kind, *options, **more):
    """That detector in training mode, from one seed."""
    torch.manual_seed(0)
    return build_model(config(kind, options=options, **more)).train()


def grids(size, strides=STRIDES):
    """The levels of a square image."""
    return [Grid(stride, -(-size // stride), -(-size // stride)) for stride in strides]


def priors(levels, scale):
    """(R, 4) squares of ``scale`` strides around the cells of all levels."""
    found = []
    for stride, height, width in levels:
        y, x = torch.meshgrid(
            torch.arange(height) * stride, torch.arange(width) * stride, indexing="ij"
        )
        centres = torch.stack([x, y], dim=2).reshape(-1, 2).float()
        found.append(torch.cat([centres - scale * stride / 2, centres + scale * stride / 2], dim=1))
    return torch.cat(found)


def tiny_boxes(count, seed, size=64):
    """(count, 4) of 1 to 16 pixels; every fourth case has whole coordinates, whose overlaps tie."""
    draw = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=draw) * (size - 16)
    sides = torch.rand(count, 2, generator=draw) * 15 + 1
    boxes = torch.cat([corners, corners + sides], dim=1)
    return boxes.round() + torch.tensor([0.0, 0, 1, 1]) if seed % 4 == 0 else boxes


def instances(boxes, classes=None, size=64):
    """Ground truth of one image; classes in turn where none are given."""
    found = Instances((size, size))
    found.gt_boxes = Boxes(torch.as_tensor(boxes, dtype=torch.float32).reshape(-1, 4))
    count = len(found.gt_boxes)
    found.gt_classes = torch.arange(count) % CLASSES if classes is None else torch.tensor(classes)
    return found


def records(counts=(5, 0), size=64, seed=1):
    """Images of noise with so many tiny boxes each."""
    draw = torch.Generator().manual_seed(seed)
    return [
        {
            "image": torch.randint(0, 256, (3, size, size), generator=draw, dtype=torch.uint8),
            "instances": instances(tiny_boxes(count, seed, size), size=size),
        }
        for count in counts
    ]


def vector():
    """The image of 128 pixels on which published code was run with weights of zero."""
    return instances([[20, 24, 44, 40], [70, 60, 80, 71]], [3, 5], size=128)


def losses_at_zero(kind, truth, *options, size=128):
    """Losses where all weights of the head are 0 and its biases as initialised."""
    model = build(kind, *options)
    for layer in model.head.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.zeros_(layer.weight)
    maps = [torch.zeros(len(truth), 16, *grid[1:]) for grid in grids(size)]
    with EventStorage():
        losses = model.forward_training(None, maps, model.head(maps), truth)
    sum(losses.values()).backward()
    for name, parameter in [*model.head.named_parameters(), *own_parameters(model)]:
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    return {name: value.item() for name, value in losses.items()}


def own_parameters(model):
    """Those of the detector beside backbone and head."""
    return [
        (name, parameter)
        for name, parameter in model.named_parameters()
        if not name.startswith(("backbone", "head"))
    ]


def random_predictions(levels, images, seed):
    """Logits, box numbers and quality, (B, R, 8 or 4 or 1)."""
    draw = torch.Generator().manual_seed(seed)
    count = sum(grid.cells for grid in levels)
    return [
        torch.randn(images, count, width, generator=draw) * scale + shift
        for width, scale, shift in ((CLASSES, 1, -1), (4, 0.5, 0.5), (1, 1, 0))
    ]


def iou(one, other):
    """Intersection over union of two boxes in Python's numbers."""
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    union = sum(area) - width * height
    return width * height / max(union, 1e-6)


def giou(one, other):
    """Generalised intersection over union."""
    hull = (max(one[2], other[2]) - min(one[0], other[0])) * (
        max(one[3], other[3]) - min(one[1], other[1])
    )
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    union = sum(area) - width * height
    return width * height / (union + 1e-7) - (hull - union) / (hull + 1e-7)
