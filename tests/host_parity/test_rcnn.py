"""The two-stage detector of minid2 against that of Detectron2, in one process.

Equal weights from equal seeds, equal samples, losses, gradients and detections.
"""

import importlib
import inspect

import detectron2.config
import detectron2.layers
import detectron2.modeling
import detectron2.structures
import detectron2.utils.events
import pytest
import torch

import minid2.config
import minid2.layers
import minid2.modeling
import minid2.structures
import minid2.utils.events

HOSTS = (detectron2, minid2)
LEVELS = ["res2", "res3", "res4", "res5"]
BASE = {
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
VARIANTS = {
    "frozen_bn": {},
    "r50": {"MODEL.RESNETS.DEPTH": 50, "MODEL.RESNETS.RES2_OUT_CHANNELS": 256},
    "bn_all_trained": {"MODEL.RESNETS.NORM": "BN", "MODEL.BACKBONE.FREEZE_AT": 0},
    "gn_everywhere": {
        "MODEL.RESNETS.NORM": "GN",
        "MODEL.FPN.NORM": "GN",
        "MODEL.ROI_BOX_HEAD.NORM": "GN",
        "MODEL.ROI_BOX_HEAD.NUM_CONV": 1,
        "MODEL.ROI_BOX_HEAD.CONV_DIM": 32,
        "MODEL.ROI_BOX_HEAD.NUM_FC": 1,
    },
    "agnostic_weighted": {
        "MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG": True,
        "MODEL.RPN.LOSS_WEIGHT": 2.0,
        "MODEL.RPN.BBOX_REG_LOSS_WEIGHT": 0.5,
        "MODEL.ROI_BOX_HEAD.BBOX_REG_LOSS_WEIGHT": 3.0,
        "MODEL.ROI_BOX_HEAD.SMOOTH_L1_BETA": 0.5,
        "MODEL.RPN.CONV_DIMS": [8, -1],
    },
    "giou": {
        "MODEL.RPN.BBOX_REG_LOSS_TYPE": "giou",
        "MODEL.ROI_BOX_HEAD.BBOX_REG_LOSS_TYPE": "giou",
        "MODEL.RPN.BOUNDARY_THRESH": 0,
    },
    "diou_ciou": {
        "MODEL.RPN.BBOX_REG_LOSS_TYPE": "diou",
        "MODEL.ROI_BOX_HEAD.BBOX_REG_LOSS_TYPE": "ciou",
    },
    "few_and_small": {
        "MODEL.RPN.PRE_NMS_TOPK_TRAIN": 60,
        "MODEL.RPN.POST_NMS_TOPK_TRAIN": 30,
        "MODEL.RPN.PRE_NMS_TOPK_TEST": 50,
        "MODEL.RPN.POST_NMS_TOPK_TEST": 20,
        "MODEL.PROPOSAL_GENERATOR.MIN_SIZE": 4,
        "TEST.DETECTIONS_PER_IMAGE": 7,
        "MODEL.ROI_HEADS.PROPOSAL_APPEND_GT": False,
    },
}


def build(host, overrides):
    cfg = host.config.get_cfg()
    cfg.merge_from_list([part for item in {**BASE, **overrides}.items() for part in item])
    torch.manual_seed(7)
    return host.modeling.build_model(cfg)


def records(host, counts):
    """The same images and boxes in the structures of either host; sizes and counts differ."""
    generator = torch.Generator().manual_seed(5)
    batch = []
    for (height, width), count in zip(((64, 83), (50, 70)), counts, strict=False):
        corner = torch.rand(count, 2, generator=generator) * 30
        side = 3 + torch.rand(count, 2, generator=generator) * 20
        target = host.structures.Instances((height, width))
        target.gt_boxes = host.structures.Boxes(torch.cat([corner, corner + side], dim=1))
        target.gt_classes = torch.randint(4, (count,), generator=generator)
        image = torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)
        batch.append({"image": image, "instances": target, "height": 2 * height, "width": width})
    return batch


def training_step(host, model, counts):
    model.train()
    model.zero_grad()
    torch.manual_seed(9)
    with host.utils.events.EventStorage() as storage:
        losses = model(records(host, counts))
    sum(losses.values()).backward()
    grads = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    scalars = {name: value for name, (value, _) in storage.latest().items()}
    return losses, grads, scalars, torch.rand(1)  # the last: as many random draws were made


def assert_same_instances(ours, theirs):
    assert ours.image_size == theirs.image_size
    assert list(ours.get_fields()) == list(theirs.get_fields())
    for name, value in theirs.get_fields().items():
        mine = ours.get(name)
        pair = getattr(mine, "tensor", mine), getattr(value, "tensor", value)
        torch.testing.assert_close(*pair, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_detector(variant):
    real, ours = (build(host, VARIANTS[variant]) for host in HOSTS)
    theirs, mine = real.state_dict(), ours.state_dict()
    assert list(mine) == list(theirs)
    for key, value in theirs.items():
        assert torch.equal(mine[key], value), key
    frozen = [[n for n, p in m.named_parameters() if not p.requires_grad] for m in (real, ours)]
    assert frozen[0] == frozen[1]
    # Spread the predictions, so that thresholds and suppression have work to do.
    for model in (real, ours):
        torch.manual_seed(2)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if not name.startswith("backbone.bottom_up"):
                    parameter += 0.02 * torch.randn_like(parameter)
    found = 0
    thorough = variant in ("frozen_bn", "giou")
    for counts in ((5, 0), (0, 0), (3,)) if thorough else ((5, 0),):
        with torch.no_grad():
            real_out, our_out = (
                m.eval()(records(h, counts)) for h, m in zip(HOSTS, (real, ours), strict=True)
            )
        for theirs, mine in zip(real_out, our_out, strict=True):
            assert list(theirs) == list(mine)
            (expected,), (got,) = theirs.values(), mine.values()
            assert_same_instances(got, expected)
            found += len(got)
        a, b = (training_step(h, m, counts) for h, m in zip(HOSTS, (real, ours), strict=True))
        assert list(a[0]) == list(b[0])
        for name, value in a[0].items():
            torch.testing.assert_close(b[0][name], value, rtol=1e-5, atol=1e-6)
        assert a[1].keys() == b[1].keys()
        for name, value in a[1].items():
            scale = value.abs().max().item() + 1e-12
            torch.testing.assert_close(b[1][name] / scale, value / scale, rtol=0, atol=1e-5)
        assert a[2] == b[2]
        assert torch.equal(a[3], b[3])
    assert found > 3, "nothing was detected, so nothing was compared"


def random_boxes(count, sides=1, generator=None):
    corner = torch.rand(count, sides, 2, generator=generator) * 50 - 5
    size = torch.rand(count, sides, 2, generator=generator) * 30
    return torch.cat([corner, corner + size], dim=2).flatten(1)


def outcome(function):
    try:
        return function()
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("broken", [False, True])
def test_find_top_rpn_proposals(training, broken):
    g = torch.Generator().manual_seed(1)
    boxes = [torch.stack([random_boxes(n, generator=g) for _ in range(2)]) for n in (150, 40)]
    logits = [torch.randn(2, n, generator=g) for n in (150, 40)]
    if broken:
        boxes[0][0, logits[0][0].argmax(), 2] = float("inf")
        logits[1][1, 3] = float("nan")

    def run(host):
        find = host.modeling.proposal_generator.proposal_utils.find_top_rpn_proposals
        copies = [b.clone() for b in boxes], [x.clone() for x in logits]
        return find(*copies, [(40, 45), (50, 30)], 0.7, 60, 45, 2.0, training)

    real, ours = (outcome(lambda host=host: run(host)) for host in HOSTS)
    if training and broken:
        assert real is ours is FloatingPointError
        return
    for mine, theirs in zip(ours, real, strict=True):
        assert len(mine) == 45
        assert_same_instances(mine, theirs)


@pytest.mark.parametrize("agnostic", [False, True])
def test_output_layers_alone(agnostic):
    g = torch.Generator().manual_seed(4)
    proposals = random_boxes(80, generator=g).split([50, 30])
    truth = random_boxes(80, generator=g).split([50, 30])
    classes = torch.randint(4, (80,), generator=g).split([50, 30])
    features = torch.randn(80, 8, generator=g)
    results = []
    for host in HOSTS:
        boxes, instances = host.structures.Boxes, host.structures.Instances
        torch.manual_seed(3)
        layers = host.modeling.roi_heads.FastRCNNOutputLayers(
            host.layers.ShapeSpec(channels=8),
            box2box_transform=host.modeling.box_regression.Box2BoxTransform((10, 10, 5, 5)),
            num_classes=3,
            cls_agnostic_bbox_reg=agnostic,
            test_score_thresh=0.2,
            test_topk_per_image=40,
            loss_weight={"loss_cls": 2.0},
        )
        given = []
        for p, t, c in zip(proposals, truth, classes, strict=True):
            given.append(
                instances((45, 48), proposal_boxes=boxes(p), gt_boxes=boxes(t), gt_classes=c)
            )
        predictions = layers(features)
        with host.utils.events.EventStorage() as storage:
            losses = layers.losses(predictions, given)
        found, origin = layers.inference(predictions, given)
        results.append((losses, storage.latest(), found, origin))
    real, ours = results
    assert list(real[0]) == list(ours[0]) and real[1] == ours[1]
    for name in real[0]:
        torch.testing.assert_close(ours[0][name], real[0][name], rtol=1e-5, atol=1e-6)
    for mine, theirs in zip(ours[2], real[2], strict=True):
        assert len(mine) > 5
        assert_same_instances(mine, theirs)
    assert all(torch.equal(m, t) for m, t in zip(ours[3], real[3], strict=True))


def test_rpn_alone():
    """From explicit arguments, with anchors that leave the image ignored."""
    results = []
    for host in HOSTS:
        torch.manual_seed(3)
        generators = host.modeling.anchor_generator
        anchors = generators.DefaultAnchorGenerator(
            sizes=[[8], [16]], aspect_ratios=[[0.5, 1.0]], strides=[4, 8]
        )
        rpn = host.modeling.proposal_generator.RPN(
            in_features=["a", "b"],
            head=host.modeling.proposal_generator.StandardRPNHead(in_channels=6, num_anchors=2),
            anchor_generator=anchors,
            anchor_matcher=host.modeling.matcher.Matcher([0.3, 0.7], [0, -1, 1], True),
            box2box_transform=host.modeling.box_regression.Box2BoxTransform((1, 1, 1, 1)),
            batch_size_per_image=32,
            positive_fraction=0.5,
            pre_nms_topk=(100, 50),
            post_nms_topk=(40, 20),
            anchor_boundary_thresh=2,
            loss_weight={"loss_rpn_loc": 3.0},
        )
        features = {"a": torch.randn(2, 6, 10, 12), "b": torch.randn(2, 6, 5, 6)}
        images = host.structures.ImageList(torch.zeros(2, 3, 40, 48), [(40, 48), (33, 41)])
        targets = [record["instances"] for record in records(host, (4, 1))]
        with host.utils.events.EventStorage() as storage:
            proposals, losses = rpn(images, features, targets)
        results.append((proposals, losses, storage.latest(), rpn.eval()(images, features)))
    real, ours = results
    assert real[2] == ours[2]
    assert list(real[1]) == list(ours[1])
    for name in real[1]:
        torch.testing.assert_close(ours[1][name], real[1][name], rtol=1e-5, atol=1e-6)
    assert real[3][1] == ours[3][1] == {}
    pairs = [*zip(ours[0], real[0], strict=True), *zip(ours[3][0], real[3][0], strict=True)]
    for mine, theirs in pairs:
        assert_same_instances(mine, theirs)


SIGNATURES = [
    ("modeling", "build_model"),
    ("modeling", "build_proposal_generator"),
    ("modeling", "build_rpn_head"),
    ("modeling", "build_roi_heads"),
    ("modeling", "build_box_head"),
    ("modeling", "GeneralizedRCNN"),
    ("modeling", "ROIHeads"),
    ("modeling", "StandardROIHeads"),
    ("modeling", "FastRCNNOutputLayers"),
    ("modeling.proposal_generator", "RPN"),
    ("modeling.proposal_generator", "StandardRPNHead"),
    ("modeling.proposal_generator.proposal_utils", "find_top_rpn_proposals"),
    ("modeling.proposal_generator.proposal_utils", "add_ground_truth_to_proposals"),
    ("modeling.proposal_generator.proposal_utils", "add_ground_truth_to_proposals_single_image"),
    ("modeling.roi_heads", "FastRCNNConvFCHead"),
    ("modeling.roi_heads.fast_rcnn", "fast_rcnn_inference"),
    ("modeling.roi_heads.fast_rcnn", "fast_rcnn_inference_single_image"),
    ("modeling.roi_heads.fast_rcnn", "_log_classification_stats"),
]
METHODS = {
    "GeneralizedRCNN": ["forward", "inference", "preprocess_image"],
    "ROIHeads": ["label_and_sample_proposals"],
    "StandardROIHeads": ["forward", "forward_with_given_boxes"],
    "FastRCNNOutputLayers": ["forward", "losses", "inference", "predict_boxes", "predict_probs"],
    "RPN": ["forward", "losses", "label_and_sample_anchors", "predict_proposals"],
}


@pytest.mark.parametrize(("module", "name"), SIGNATURES)
def test_signatures(module, name):
    def shape(function):
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    real, ours = (
        getattr(importlib.import_module(f"{host.__name__}.{module}"), name) for host in HOSTS
    )
    assert shape(ours) == shape(real)
    for method in METHODS.get(name, []):
        assert shape(getattr(ours, method)) == shape(getattr(real, method)), method
