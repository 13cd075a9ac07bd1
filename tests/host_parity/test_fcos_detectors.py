"""Whole FCOS detectors of minid2 against those of Detectron2, in one process."""

import importlib

import detectron2.config
import detectron2.modeling
import pytest
import torch

import minid2.config
import minid2.modeling

HOSTS = (detectron2, minid2)
LEVELS = ["res2", "res3", "res4", "res5"]
BACKBONE = {
    "MODEL.DEVICE": "cpu",
    "MODEL.RESNETS.DEPTH": 18,
    "MODEL.RESNETS.RES2_OUT_CHANNELS": 64,
    "MODEL.FPN.OUT_CHANNELS": 32,
}
P2_TO_P6 = {
    **BACKBONE,
    "MODEL.BACKBONE.NAME": "build_resnet_fpn_backbone",
    "MODEL.RESNETS.OUT_FEATURES": LEVELS,
    "MODEL.FPN.IN_FEATURES": LEVELS,
}
P3_TO_P7 = {
    **BACKBONE,
    "MODEL.BACKBONE.NAME": "build_retinanet_resnet_fpn_backbone",
    "MODEL.RESNETS.OUT_FEATURES": LEVELS[1:],
    "MODEL.FPN.IN_FEATURES": LEVELS[1:],
}
R50 = {"MODEL.RESNETS.DEPTH": 50, "MODEL.RESNETS.RES2_OUT_CHANNELS": 256}
# Backbone, options of the head, options of the detector.
VARIANTS = {
    "p3_to_p7": (P3_TO_P7, {}, {}),
    "p2_to_p6": (P2_TO_P6, {}, {}),
    "r50": ({**P3_TO_P7, **R50}, {}, {}),
    "gn_wide": (
        {**P2_TO_P6, "MODEL.FPN.OUT_CHANNELS": 64},
        {"norm": "GN", "conv_dims": [64]},
        {"center_sampling_radius": 2.5},
    ),
    "bn": (P2_TO_P6, {"norm": "BN"}, {"focal_loss_alpha": -1.0, "focal_loss_gamma": 1.0}),
    "few": (
        P2_TO_P6,
        {"prior_prob": 0.3},
        {
            "head_in_features": ["p3", "p2"],
            "test_score_thresh": 0.4,
            "test_topk_candidates": 30,
            "test_nms_thresh": 0.3,
            "max_detections_per_image": 12,
        },
    ),
}
# Boxes of the first and of the second image: one without, none at all, one image, a crowd.
COUNTS = ((5, 0), (0, 0), (3,), (300, 2))


def build(host, backbone, head_options, options):
    cfg = host.config.get_cfg()
    cfg.merge_from_list([part for item in backbone.items() for part in item])
    torch.manual_seed(7)
    body = host.modeling.build_backbone(cfg)
    shapes = body.output_shape()
    levels = [shapes[name] for name in options.get("head_in_features", shapes)]
    head = {"conv_dims": [32, 32], "prior_prob": 0.1, "num_classes": 4, **head_options}
    make = importlib.import_module(f"{host.__name__}.modeling.meta_arch.fcos")
    return make.FCOS(
        backbone=body,
        head=make.FCOSHead(input_shape=levels, **head),
        num_classes=4,
        pixel_mean=cfg.MODEL.PIXEL_MEAN,
        pixel_std=cfg.MODEL.PIXEL_STD,
        **options,
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_detector(variant, assert_same_detectors):
    models = [build(host, *VARIANTS[variant]) for host in HOSTS]
    assert_same_detectors(models, COUNTS if variant.startswith("p") else COUNTS[:1])
