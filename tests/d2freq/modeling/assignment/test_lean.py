"""Matching in chunks: the bits of Detectron2's matcher, losses too, in little memory."""

import copy
import pickle

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.modeling import build_model
from detectron2.modeling.box_regression import Box2BoxTransformLinear
from detectron2.modeling.matcher import Matcher
from detectron2.modeling.meta_arch.fcos import FCOS
from detectron2.structures import Boxes, Instances, pairwise_iou
from detectron2.utils.events import EventStorage

import d2freq
from d2freq.errors import UserError
from d2freq.modeling.assignment import LeanFCOS, LeanRetinaNet, LeanRPN, chunks, lean, points
from d2freq.modeling.assignment.chunks import match_in_chunks

MATCHERS = [
    Matcher([0.3, 0.7], [0, -1, 1], allow_low_quality_matches=True),
    Matcher([0.4, 0.5], [0, -1, 1], allow_low_quality_matches=True),
    Matcher([0.5], [0, 1]),
]


@pytest.mark.parametrize("pairs", [1, 130, 2**22])
@pytest.mark.parametrize("matcher", MATCHERS, ids=["rpn", "retinanet", "roi heads"])
def test_equal_to_the_matcher_in_200_random_cases(oracle, matcher, pairs, monkeypatch):
    monkeypatch.setattr(chunks, "PAIRS_PER_CHUNK", pairs)
    seen = set()
    for seed in oracle.CASES:
        truth, anchors = oracle.random_case(seed)
        expected = matcher(pairwise_iou(Boxes(truth), Boxes(anchors.to(truth))))
        for ours, theirs in zip(match_in_chunks(matcher, truth, anchors), expected, strict=True):
            assert torch.equal(ours, theirs) and ours.dtype == theirs.dtype, seed
        seen.update(expected[1].tolist())
    assert seen == set(matcher.labels)


def test_a_crowd_needs_less_than_256_megabytes(oracle):
    truth, anchors = oracle.crowd(objects=1500, side=100)
    with oracle.PeakMemory() as memory:
        match_in_chunks(MATCHERS[0], truth, anchors)
    assert 4 * len(anchors) * len(truth) > 200e6  # one whole matrix
    assert memory.peak < 256e6


def test_a_nan_object_is_named():
    truth = torch.tensor([[0.0, 0, 8, 8], [0, 0, float("nan"), 8]])
    with pytest.raises(UserError, match="box 1 of 2"):
        match_in_chunks(MATCHERS[0], truth, truth[:1])


def crowded_batch(count: int) -> list[dict]:
    """Images of 64 pixels: one with tiny objects, some of equal size, and one without any."""
    corners = torch.randint(0, 50, (count, 2)).float()
    sides = torch.randint(3, 14, (count, 1)).float().expand(-1, 2)
    batch = []
    for boxes in (torch.cat([corners, corners + sides], dim=1), torch.zeros(0, 4)):
        instances = Instances((64, 64))
        instances.gt_boxes = Boxes(boxes)
        instances.gt_classes = torch.arange(len(boxes)) % 3
        image = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)
        batch.append({"image": image, "instances": instances, "height": 64, "width": 64})
    return batch


def detector(meta_architecture: str):
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.WEIGHTS = ""
    cfg.MODEL.META_ARCHITECTURE = meta_architecture
    cfg.MODEL.RESNETS.DEPTH = 18
    cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 64
    cfg.MODEL.RESNETS.STRIDE_IN_1X1 = False
    cfg.MODEL.RESNETS.OUT_FEATURES = ["res2", "res3", "res4", "res5"]
    cfg.MODEL.FPN.IN_FEATURES = ["res2", "res3", "res4", "res5"]
    cfg.MODEL.FPN.OUT_CHANNELS = 16
    cfg.MODEL.BACKBONE.NAME = "build_resnet_fpn_backbone"
    cfg.MODEL.ANCHOR_GENERATOR.SIZES = [[8], [16], [32], [64], [128]]
    cfg.MODEL.RPN.IN_FEATURES = ["p2", "p3", "p4", "p5", "p6"]
    cfg.MODEL.RPN.BOUNDARY_THRESH = 4
    cfg.MODEL.ROI_HEADS.NAME = "StandardROIHeads"
    cfg.MODEL.ROI_HEADS.IN_FEATURES = ["p2", "p3", "p4", "p5"]
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = cfg.MODEL.RETINANET.NUM_CLASSES = 3
    cfg.MODEL.ROI_BOX_HEAD.NAME = "FastRCNNConvFCHead"
    cfg.MODEL.ROI_BOX_HEAD.NUM_FC = 1
    cfg.MODEL.ROI_BOX_HEAD.FC_DIM = 16
    cfg.MODEL.RETINANET.IN_FEATURES = cfg.MODEL.RPN.IN_FEATURES
    cfg.MODEL.RETINANET.NUM_CONVS = 1
    return build_model(cfg)


def plain_fcos():
    """Detectron2's own FCOS, around the backbone and the head of d2freq's."""
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    cfg.MODEL.BACKBONE.NAME = "build_mobilenetv2_hsfpn_backbone"
    cfg.MODEL.FPN.IN_FEATURES = ["res2", "res3", "res4", "res5"]
    cfg.MODEL.FPN.OUT_CHANNELS = 32
    cfg.MODEL.FCOS.IN_FEATURES = ["p2", "p3", "p4"]
    cfg.MODEL.FCOS.NUM_CLASSES = 3
    arguments = d2freq.modeling.detectors.fcos.FCOS.from_config(cfg)
    names = "backbone head head_in_features num_classes pixel_mean pixel_std".split()
    return FCOS(
        **{name: arguments[name] for name in names},
        box2box_transform=Box2BoxTransformLinear(normalize_by_size=True),
    )


@pytest.mark.parametrize("name", ["GeneralizedRCNN", "RetinaNet", "FCOS"])
def test_lean_twins_have_equal_losses(name, monkeypatch):
    monkeypatch.setattr(chunks, "PAIRS_PER_CHUNK", 2000)
    monkeypatch.setattr(points, "PAIRS_PER_CHUNK", 2000)
    model = plain_fcos() if name == "FCOS" else detector(name)
    twin = lean(copy.deepcopy(model))
    expected_class = {"RetinaNet": LeanRetinaNet, "FCOS": LeanFCOS}.get(name)
    assert type(getattr(twin, "proposal_generator", twin)) is (expected_class or LeanRPN)
    assert list(twin.state_dict()) == list(model.state_dict()) and str(twin) == str(model)
    assert type(pickle.loads(pickle.dumps(twin))) is type(twin)
    batch, losses = crowded_batch(40), []
    for each in (model, twin):
        torch.manual_seed(1)
        with EventStorage():
            losses.append(each.train()(batch))
    assert losses[0].keys() == losses[1].keys() and len(losses[0]) > 1
    for key, value in losses[0].items():
        assert torch.equal(value, losses[1][key]), key


def test_classes_and_matchers_of_ones_own_are_left_alone():
    class Derived(type(detector("RetinaNet"))):
        pass

    class Own(Matcher):
        pass

    model = detector("RetinaNet")
    model.__class__ = Derived
    assert type(lean(model)) is Derived
    model = detector("GeneralizedRCNN")
    before = type(model.proposal_generator)
    model.proposal_generator.anchor_matcher = Own([0.5], [0, 1])
    assert type(lean(model).proposal_generator) is before


def test_points_of_3000_objects_need_less_than_700_megabytes(oracle):
    model, (truth, _) = plain_fcos(), oracle.crowd(objects=3000, side=50)
    features = [torch.zeros(1, 32, 50 // 2**k, 50 // 2**k) for k in range(3)]
    anchors = model.anchor_generator(features)
    instances = Instances((200, 200))
    instances.gt_boxes, instances.gt_classes = Boxes(truth), torch.arange(3000) % 3
    with oracle.PeakMemory() as memory:
        labels, boxes = lean(model).label_anchors(anchors, [instances])
    assert memory.peak < 700e6
    assert (labels[0] < 3).sum() > 1000 and boxes[0].shape == (len(labels[0]), 4)
