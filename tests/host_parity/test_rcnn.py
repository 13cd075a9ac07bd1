"""The parts of the two-stage detector of minid2 against those of Detectron2, in one process."""

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
def test_find_top_rpn_proposals(training, broken, assert_same_instances):
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
def test_output_layers_alone(agnostic, assert_same_instances):
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


def test_rpn_alone(records, assert_same_instances):
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
    ("modeling.roi_heads", "CascadeROIHeads"),
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
    "CascadeROIHeads": ["forward", "_forward_box", "_match_and_label_boxes", "_run_stage"],
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
