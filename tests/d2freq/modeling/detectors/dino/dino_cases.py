"""A DINO of a few thousand numbers behind MobileNetV2, and records for it."""

import torch
from detectron2.config import get_cfg
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

import d2freq

CLASSES = 4


def small_config(**keys):
    """Of a DINO on P3 to P6; ``keys`` are of MODEL.DINO."""
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.META_ARCHITECTURE = "DINO"
    cfg.MODEL.BACKBONE.NAME = "build_mobilenetv2_channel_mapper_backbone"
    cfg.MODEL.MOBILENETV2.OUT_FEATURES = cfg.MODEL.FPN.IN_FEATURES = ["res3", "res4", "res5"]
    cfg.MODEL.FPN.OUT_CHANNELS = 64
    small = {"IN_FEATURES": ["p3", "p4", "p5", "p6"], "NUM_CLASSES": CLASSES, "HIDDEN_DIM": 64}
    small |= {"FFN_DIM": 32, "NUM_HEADS": 4, "NUM_POINTS": 2, "ENC_LAYERS": 1, "DEC_LAYERS": 2}
    small |= {"NUM_QUERIES": 20, "DN_NUMBER": 10}
    for key, value in {**small, **keys}.items():
        cfg.MODEL.DINO[key] = value
    return cfg


def awake(model):
    """The model with heads and offsets that do not begin as zeros, so that boxes differ."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "heads" in name or ".offsets." in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model


def record(height, width, objects, *, seed=0):
    """A random image with boxes of 2 to 10 pixels."""
    random = torch.Generator().manual_seed(seed)
    sides = 2 + 8 * torch.rand(objects, 2, generator=random)
    corner = torch.rand(objects, 2, generator=random) * (torch.tensor([width, height]) - sides)
    truth = Instances((height, width))
    truth.gt_boxes = Boxes(torch.cat([corner, corner + sides], dim=1))
    truth.gt_classes = torch.randint(CLASSES, (objects,), generator=random)
    image = torch.randint(256, (3, height, width), generator=random, dtype=torch.uint8)
    return {"image": image, "instances": truth}


def losses_of(model, records):
    with EventStorage():
        return model.train()(records)
