"""The detectors that SET is tested with, as small as they come, and a batch for them."""

import torch

import d2freq  # noqa: F401  a spawned process chooses the host anew

# isort: split
from detectron2.config import get_cfg
from detectron2.modeling import META_ARCH_REGISTRY, build_model
from detectron2.structures import Boxes, Instances, PolygonMasks
from detectron2.utils.events import EventStorage

from d2freq import add_d2freq_config

LEVELS = ["res2", "res3", "res4", "res5"]
TWO_STAGE = [
    *("MODEL.BACKBONE.NAME", "build_resnet_fpn_backbone"),
    *("MODEL.RESNETS.OUT_FEATURES", LEVELS, "MODEL.FPN.IN_FEATURES", LEVELS),
    *("MODEL.ANCHOR_GENERATOR.SIZES", [[8], [16], [32], [64], [128]]),
    *("MODEL.RPN.IN_FEATURES", ["p2", "p3", "p4", "p5", "p6"]),
    *("MODEL.RPN.POST_NMS_TOPK_TRAIN", 40, "MODEL.RPN.POST_NMS_TOPK_TEST", 20),
    *("MODEL.ROI_HEADS.NAME", "StandardROIHeads"),
    *("MODEL.ROI_HEADS.IN_FEATURES", ["p2", "p3", "p4", "p5"], "MODEL.ROI_HEADS.NUM_CLASSES", 3),
    *("MODEL.ROI_HEADS.SCORE_THRESH_TEST", 0.0, "MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE", 32),
    *("MODEL.ROI_BOX_HEAD.NAME", "FastRCNNConvFCHead", "MODEL.ROI_BOX_HEAD.NUM_FC", 1),
    *("MODEL.ROI_BOX_HEAD.FC_DIM", 16, "MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION", 4),
]
ONE_STAGE = [
    *("MODEL.BACKBONE.NAME", "build_retinanet_resnet_fpn_backbone"),
    *("MODEL.RESNETS.OUT_FEATURES", LEVELS[1:], "MODEL.FPN.IN_FEATURES", LEVELS[1:]),
    *("MODEL.RETINANET.NUM_CLASSES", 3, "MODEL.RETINANET.NUM_CONVS", 1),
    *("MODEL.FCOS.NUM_CLASSES", 3, "MODEL.FCOS.NUM_CONVS", 1),
    *("MODEL.RETINANET.SCORE_THRESH_TEST", 0.0, "MODEL.FCOS.SCORE_THRESH_TEST", 0.0),
]
FCOS = "FCOS" if META_ARCH_REGISTRY.get("FCOS").__module__.startswith("d2freq") else "D2FreqFCOS"
# meta-architecture, options, names of its losses
DETECTORS = {
    "fcos": (FCOS, ONE_STAGE),
    "retinanet": ("RetinaNet", ONE_STAGE),
    "faster": ("GeneralizedRCNN", TWO_STAGE),
    "cascade": (
        "GeneralizedRCNN",
        [
            *TWO_STAGE,
            *("MODEL.ROI_HEADS.NAME", "CascadeROIHeads"),
            *("MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG", True),
        ],
    ),
    "mask": (
        "GeneralizedRCNN",
        [
            *TWO_STAGE,
            *("MODEL.MASK_ON", True, "MODEL.ROI_MASK_HEAD.NAME", "MaskRCNNConvUpsampleHead"),
            *("MODEL.ROI_MASK_HEAD.NUM_CONV", 1, "MODEL.ROI_MASK_HEAD.CONV_DIM", 8),
            *("MODEL.ROI_MASK_HEAD.POOLER_RESOLUTION", 4),
        ],
    ),
}


def config(case: str, *options, with_set: bool):
    """The config of a detector of DETECTORS, alone or within SET."""
    name, own = DETECTORS[case]
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.merge_from_list(
        ["MODEL.DEVICE", "cpu", "MODEL.RESNETS.RES2_OUT_CHANNELS", 16]
        + [
            "MODEL.RESNETS.STEM_OUT_CHANNELS",
            8,
            "MODEL.RESNETS.WIDTH_PER_GROUP",
            8,
            "MODEL.RESNETS.NORM",
            "BN",
        ]
        + [
            "MODEL.FPN.OUT_CHANNELS",
            16,
            "MODEL.BACKBONE.FREEZE_AT",
            0,
            "TEST.DETECTIONS_PER_IMAGE",
            20,
            *own,
        ]
        + ["MODEL.META_ARCHITECTURE", "SET" if with_set else name, "MODEL.SET.DETECTOR", name]
    )
    cfg.merge_from_list(list(options))
    return cfg


def build(case: str, *options, with_set: bool = True):
    """That detector in training mode; the same weights with SET and without."""
    torch.manual_seed(0)
    return build_model(config(case, *options, with_set=with_set)).train()


def batch(counts: tuple[int, ...] = (4, 2), seed: int = 0) -> list[dict]:
    """Images of unequal, awkward sizes with so many boxes each."""
    generator = torch.Generator().manual_seed(seed)
    records = []
    for (height, width), count in zip(((70, 93), (64, 50)), counts, strict=False):
        corner = torch.rand(count, 2, generator=generator) * 30
        size = 4 + torch.rand(count, 2, generator=generator) * 16
        target = Instances((height, width))
        target.gt_boxes = Boxes(torch.cat([corner, corner + size], dim=1))
        target.gt_classes = torch.randint(3, (count,), generator=generator)
        triangles = target.gt_boxes.tensor[:, [0, 1, 2, 1, 2, 3]]
        target.gt_masks = PolygonMasks([[triangle] for triangle in triangles])
        image = torch.randint(0, 256, (3, height, width), generator=generator)
        records.append({"image": image.to(torch.uint8), "instances": target})
    return records


def gradients(model: torch.nn.Module, records: list[dict]) -> dict[str, torch.Tensor]:
    """What a step with a fixed seed gives to each parameter."""
    model.zero_grad()
    with EventStorage():
        torch.manual_seed(1)
        sum(model(records).values()).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
