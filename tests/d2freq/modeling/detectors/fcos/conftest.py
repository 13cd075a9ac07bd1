"""A small FCOS of either class, and a batch whose losses none of the parts can miss."""

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.structures import Boxes, Instances

from d2freq import add_d2freq_config

SMALL = {
    "MODEL.DEVICE": "cpu",
    "MODEL.META_ARCHITECTURE": "FCOS",
    "MODEL.BACKBONE.NAME": "build_fcos_resnet_fpn_backbone",
    "MODEL.RESNETS.DEPTH": 18,
    "MODEL.RESNETS.RES2_OUT_CHANNELS": 64,
    "MODEL.RESNETS.OUT_FEATURES": ["res3", "res4", "res5"],
    "MODEL.FPN.IN_FEATURES": ["res3", "res4", "res5"],
    "MODEL.FPN.OUT_CHANNELS": 32,
    "MODEL.FCOS.NUM_CLASSES": 3,
    "MODEL.FCOS.PRIOR_PROB": 0.2,
}


@pytest.fixture
def fcos_cfg():
    """A function of keys to a config of FCOS on P3 to P7."""

    def make(**keys):
        cfg = get_cfg()
        add_d2freq_config(cfg)
        options = {**SMALL, **{name.replace("__", "."): value for name, value in keys.items()}}
        cfg.merge_from_list([part for pair in options.items() for part in pair])
        return cfg

    return make


@pytest.fixture
def records():
    """Two images, one of them without boxes."""
    generator = torch.Generator().manual_seed(4)
    batch = []
    for boxes in ([[10.0, 12.0, 22.0, 20.0], [30.0, 20.0, 90.0, 70.0]], []):
        target = Instances((80, 96))
        target.gt_boxes = Boxes(torch.tensor(boxes).reshape(-1, 4))
        target.gt_classes = torch.arange(len(boxes)) + 1
        image = torch.randint(0, 256, (3, 80, 96), generator=generator, dtype=torch.uint8)
        batch.append({"image": image, "instances": target})
    return batch
