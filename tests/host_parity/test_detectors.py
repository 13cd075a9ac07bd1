"""Whole detectors of minid2 against those of Detectron2, in one process.

Equal weights from equal seeds, equal samples, losses, gradients and detections.
"""

import detectron2.config
import detectron2.modeling
import pytest
import torch

import minid2.config
import minid2.modeling

HOSTS = (detectron2, minid2)
LEVELS = ["res2", "res3", "res4", "res5"]
R50 = {"MODEL.RESNETS.DEPTH": 50, "MODEL.RESNETS.RES2_OUT_CHANNELS": 256}
# With norms: the features of so deep a net without weights would saturate every score.
R50_GN = {**R50, "MODEL.RESNETS.NORM": "GN"}
FASTER = {
    "MODEL.DEVICE": "cpu",
    "MODEL.BACKBONE.NAME": "build_resnet_fpn_backbone",
    "MODEL.RESNETS.DEPTH": 18,
    "MODEL.RESNETS.RES2_OUT_CHANNELS": 64,
    "MODEL.RESNETS.OUT_FEATURES": LEVELS,
    "MODEL.FPN.IN_FEATURES": LEVELS,
    "MODEL.FPN.OUT_CHANNELS": 32,
    "MODEL.RPN.IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"],
    "MODEL.ANCHOR_GENERATOR.SIZES": [[8], [16], [32], [64], [128]],
    "MODEL.ROI_HEADS.NAME": "StandardROIHeads",
    "MODEL.ROI_HEADS.IN_FEATURES": ["p2", "p3", "p4", "p5"],
    "MODEL.ROI_HEADS.NUM_CLASSES": 4,
    "MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.1,
    "MODEL.ROI_BOX_HEAD.NAME": "FastRCNNConvFCHead",
    "MODEL.ROI_BOX_HEAD.NUM_FC": 2,
    "MODEL.ROI_BOX_HEAD.FC_DIM": 32,
    "MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION": 7,
}
# With norms, so that some boxes stay close enough to their objects for the later stages.
CASCADE = {
    **FASTER,
    "MODEL.RESNETS.NORM": "GN",
    "MODEL.ROI_HEADS.NAME": "CascadeROIHeads",
    "MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG": True,
}
# P3 to P7; a prior of one half, so that there is something to detect.
RETINANET = {
    **FASTER,
    "MODEL.META_ARCHITECTURE": "RetinaNet",
    "MODEL.BACKBONE.NAME": "build_retinanet_resnet_fpn_backbone",
    "MODEL.RESNETS.OUT_FEATURES": LEVELS[1:],
    "MODEL.FPN.IN_FEATURES": LEVELS[1:],
    "MODEL.ANCHOR_GENERATOR.SIZES": [
        [size * 2 ** (octave / 3) for octave in range(3)] for size in (8, 16, 32, 64, 128)
    ],
    "MODEL.RETINANET.NUM_CLASSES": 4,
    "MODEL.RETINANET.PRIOR_PROB": 0.5,
}
P2_TO_P6 = {
    "MODEL.BACKBONE.NAME": "build_resnet_fpn_backbone",
    "MODEL.RESNETS.OUT_FEATURES": LEVELS,
    "MODEL.FPN.IN_FEATURES": LEVELS,
    "MODEL.RETINANET.IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"],
}
VARIANTS = {
    "faster_frozen_bn": FASTER,
    "faster_r50": {**FASTER, **R50},
    "faster_r101": {**FASTER, **R50_GN, "MODEL.RESNETS.DEPTH": 101},
    "faster_bn_all_trained": {
        **FASTER,
        "MODEL.RESNETS.NORM": "BN",
        "MODEL.BACKBONE.FREEZE_AT": 0,
    },
    "faster_gn_everywhere": {
        **FASTER,
        "MODEL.RESNETS.NORM": "GN",
        "MODEL.FPN.NORM": "GN",
        "MODEL.ROI_BOX_HEAD.NORM": "GN",
        "MODEL.ROI_BOX_HEAD.NUM_CONV": 1,
        "MODEL.ROI_BOX_HEAD.CONV_DIM": 32,
        "MODEL.ROI_BOX_HEAD.NUM_FC": 1,
    },
    "faster_agnostic_weighted": {
        **FASTER,
        "MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG": True,
        "MODEL.RPN.LOSS_WEIGHT": 2.0,
        "MODEL.RPN.BBOX_REG_LOSS_WEIGHT": 0.5,
        "MODEL.ROI_BOX_HEAD.BBOX_REG_LOSS_WEIGHT": 3.0,
        "MODEL.ROI_BOX_HEAD.SMOOTH_L1_BETA": 0.5,
        "MODEL.RPN.CONV_DIMS": [8, -1],
    },
    "faster_giou": {
        **FASTER,
        "MODEL.RPN.BBOX_REG_LOSS_TYPE": "giou",
        "MODEL.ROI_BOX_HEAD.BBOX_REG_LOSS_TYPE": "giou",
        "MODEL.RPN.BOUNDARY_THRESH": 0,
    },
    "faster_diou_ciou": {
        **FASTER,
        "MODEL.RPN.BBOX_REG_LOSS_TYPE": "diou",
        "MODEL.ROI_BOX_HEAD.BBOX_REG_LOSS_TYPE": "ciou",
    },
    "faster_few_and_small": {
        **FASTER,
        "MODEL.RPN.PRE_NMS_TOPK_TRAIN": 60,
        "MODEL.RPN.POST_NMS_TOPK_TRAIN": 30,
        "MODEL.RPN.PRE_NMS_TOPK_TEST": 50,
        "MODEL.RPN.POST_NMS_TOPK_TEST": 20,
        "MODEL.PROPOSAL_GENERATOR.MIN_SIZE": 4,
        "TEST.DETECTIONS_PER_IMAGE": 7,
        "MODEL.ROI_HEADS.PROPOSAL_APPEND_GT": False,
    },
    "cascade": CASCADE,
    "cascade_r50": {**CASCADE, **R50_GN},
    "cascade_two_stages_weighted": {
        **CASCADE,
        "MODEL.ROI_HEADS.IOU_THRESHOLDS": [0.4],
        "MODEL.ROI_BOX_CASCADE_HEAD.IOUS": (0.4, 0.65),
        "MODEL.ROI_BOX_CASCADE_HEAD.BBOX_REG_WEIGHTS": ((8.0, 8.0, 4.0, 4.0), (1.0, 2.0, 3.0, 4.0)),
        "MODEL.ROI_BOX_HEAD.BBOX_REG_LOSS_TYPE": "ciou",
        "MODEL.ROI_BOX_HEAD.BBOX_REG_LOSS_WEIGHT": 2.0,
        "MODEL.ROI_BOX_HEAD.NORM": "GN",
        "MODEL.ROI_BOX_HEAD.NUM_CONV": 1,
        "MODEL.ROI_BOX_HEAD.CONV_DIM": 32,
        "TEST.DETECTIONS_PER_IMAGE": 20,
    },
    "retinanet": RETINANET,
    "retinanet_r50": {**RETINANET, **R50},
    "retinanet_p2_to_p6": {**RETINANET, **P2_TO_P6},
    # Norms on P2 to P6: a map of one pixel has no variance, and its gradients are rounding errors.
    "retinanet_giou_gn": {
        **RETINANET,
        **P2_TO_P6,
        "MODEL.FPN.OUT_CHANNELS": 128,
        "MODEL.RETINANET.BBOX_REG_LOSS_TYPE": "giou",
        "MODEL.RETINANET.BBOX_REG_WEIGHTS": (10.0, 10.0, 5.0, 5.0),
        "MODEL.RETINANET.NORM": "GN",
        "MODEL.RETINANET.NUM_CONVS": 2,
        "MODEL.RETINANET.PRIOR_PROB": 0.2,
    },
    "retinanet_diou_bn": {
        **RETINANET,
        **P2_TO_P6,
        "MODEL.RETINANET.BBOX_REG_LOSS_TYPE": "diou",
        "MODEL.RETINANET.NORM": "BN",
        "MODEL.RETINANET.IOU_THRESHOLDS": [0.2, 0.3],
        "MODEL.RETINANET.IOU_LABELS": [0, -1, 1],
    },
    "retinanet_ciou_few": {
        **RETINANET,
        "MODEL.RETINANET.BBOX_REG_LOSS_TYPE": "ciou",
        "MODEL.RETINANET.SMOOTH_L1_LOSS_BETA": 0.5,
        "MODEL.RETINANET.FOCAL_LOSS_ALPHA": -1.0,
        "MODEL.RETINANET.FOCAL_LOSS_GAMMA": 1.5,
        "MODEL.RETINANET.SCORE_THRESH_TEST": 0.45,
        "MODEL.RETINANET.TOPK_CANDIDATES_TEST": 40,
        "MODEL.RETINANET.NMS_THRESH_TEST": 0.2,
        "TEST.DETECTIONS_PER_IMAGE": 12,
    },
}
# Boxes of the first and of the second image: one without, none at all, one image, a crowd.
COUNTS = ((5, 0), (0, 0), (3,), (300, 2))
THOROUGH = ("faster_frozen_bn", "faster_giou", "cascade", "retinanet", "retinanet_p2_to_p6")


def build(host, overrides):
    cfg = host.config.get_cfg()
    cfg.merge_from_list([part for item in overrides.items() for part in item])
    torch.manual_seed(7)
    return host.modeling.build_model(cfg)


@pytest.mark.parametrize("variant", VARIANTS)
def test_detector(variant, assert_same_detectors):
    assert_same_detectors(
        [build(host, VARIANTS[variant]) for host in HOSTS],
        COUNTS if variant in THOROUGH else COUNTS[:1],
        every_loss=VARIANTS[variant].get("MODEL.ROI_HEADS.PROPOSAL_APPEND_GT", True),
    )


@pytest.mark.parametrize("variant", ["faster_frozen_bn", "cascade", "retinanet"])
def test_half_precision(variant, records, spread, training_step, assert_same_instances):
    results = []
    for host in HOSTS:
        model = build(host, VARIANTS[variant])
        spread(model)
        batch = records(host, (5, 0))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            with torch.no_grad():
                found = [output["instances"] for output in model.eval()(batch)]
            results.append([found, training_step(host, model, batch)[0]])
    assert sum(map(len, results[0][0])) > 3
    for theirs, mine in zip(results[0][0], results[1][0], strict=True):
        assert_same_instances(mine, theirs)
    torch.testing.assert_close(results[1][1], results[0][1], rtol=1e-5, atol=1e-6)
