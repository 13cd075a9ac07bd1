"""Classifiers on frequencies: a step of training, with and without the gate."""

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.modeling import build_model
from detectron2.utils.events import EventStorage

from d2freq import add_d2freq_config

COMMON = [
    *("MODEL.DEVICE", "cpu", "MODEL.CLASSIFIER.NUM_CLASSES", 3, "MODEL.BACKBONE.FREEZE_AT", 0),
    *("MODEL.PIXEL_MEAN", [128.0] * 3, "INPUT.FORMAT", "RGB", "MODEL.FREQ_INPUT.MODE", "8x8"),
    *("MODEL.FREQ_INPUT.STD", [100.0] * 192, "MODEL.FREQ_INPUT.MEAN", [0.0] * 192),
    *("MODEL.FREQ_INPUT.MEASURED_FOR", "dct 8x8 all", "MODEL.FREQ_INPUT.CHANNELS", "24"),
]
RESNET = [
    *("MODEL.BACKBONE.NAME", "build_resnet_dct_backbone", "MODEL.RESNETS.DEPTH", 18),
    *("MODEL.RESNETS.RES2_OUT_CHANNELS", 64, "MODEL.RESNETS.OUT_FEATURES", ["res5"]),
    *("MODEL.RESNETS.NORM", "BN", "MODEL.FREQ_INPUT.FIRST_STAGE", "res2"),
]
CASES = {
    "ResNet": ["MODEL.META_ARCHITECTURE", "ImageClassifier", *RESNET],
    "released": [
        *("MODEL.META_ARCHITECTURE", "ImageClassifier", *RESNET),
        *("MODEL.FREQ_INPUT.RES3_STRIDE", 1),
    ],
    "MobileNetV2": [
        *("MODEL.META_ARCHITECTURE", "ImageClassifier", "MODEL.MOBILENETV2.NORM", "BN"),
        *("MODEL.BACKBONE.NAME", "build_mobilenetv2_dct_backbone"),
        *("MODEL.MOBILENETV2.OUT_FEATURES", ["res5"]),
    ],
    "gate": [
        *("MODEL.META_ARCHITECTURE", "Gated", "MODEL.FREQ_INPUT.GATE.ENABLED", True, *RESNET),
        *("MODEL.FREQ_INPUT.GATE.DETECTOR", "ImageClassifier", "MODEL.FREQ_INPUT.CHANNELS", "192"),
    ],
}


@pytest.mark.parametrize("case", CASES)
def test_trains_a_step(case):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.merge_from_list([*COMMON, *CASES[case]])
    torch.manual_seed(0)
    model = build_model(cfg).train()
    inputs = [
        {"image": torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8), "label": label}
        for label in (0, 2)
    ]
    with EventStorage():
        losses = model(inputs)
    assert set(losses) == ({"loss_cls", "loss_gate"} if case == "gate" else {"loss_cls"})
    sum(losses.values()).backward()
    learnt = [name for name, p in model.named_parameters() if p.grad is not None]
    assert len(learnt) == len(list(model.parameters()))
    with torch.no_grad():
        assert [output["logits"].shape for output in model.eval()(inputs)] == [(3,), (3,)]
