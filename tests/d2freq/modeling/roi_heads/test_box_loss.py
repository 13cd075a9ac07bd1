"""Focal loss and class weights of the second stage, by formula and in whole detectors."""

import pytest
import torch
import torch.nn.functional as F
from detectron2.config import get_cfg
from detectron2.layers import ShapeSpec
from detectron2.modeling import build_model
from detectron2.modeling.box_regression import Box2BoxTransform
from detectron2.modeling.roi_heads.fast_rcnn import FastRCNNOutputLayers
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

import d2freq
from d2freq.errors import UserError
from d2freq.idle_keys import idle_keys
from d2freq.modeling.roi_heads import WeightedOutputLayers
from d2freq.modeling.roi_heads.box_predictor import classification_loss
from d2freq.modeling.roi_heads.config import check_box_loss

WORDS = """MODEL.DEVICE cpu MODEL.BACKBONE.NAME build_resnet_fpn_backbone MODEL.RESNETS.DEPTH 18
MODEL.RESNETS.RES2_OUT_CHANNELS 64 MODEL.FPN.OUT_CHANNELS 16 MODEL.ROI_HEADS.NUM_CLASSES 2
MODEL.RESNETS.OUT_FEATURES ['res2','res3','res4','res5'] MODEL.BACKBONE.FREEZE_AT 0
MODEL.FPN.IN_FEATURES ['res2','res3','res4','res5']
MODEL.RPN.IN_FEATURES ['p2','p3','p4','p5','p6']
MODEL.ANCHOR_GENERATOR.SIZES [[4],[8],[16],[32],[64]] MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE 16
MODEL.ROI_HEADS.IN_FEATURES ['p2','p3','p4','p5'] MODEL.ROI_BOX_HEAD.NAME FastRCNNConvFCHead
MODEL.ROI_BOX_HEAD.NUM_FC 1 MODEL.ROI_BOX_HEAD.FC_DIM 16 MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION 3
MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG True""".split()


def test_the_formula_by_hand():
    scores, weights = torch.randn(20, 4), torch.tensor([1.0, 2.0, 0.5, 0.25])
    classes = torch.arange(20) % 4
    total = norm = 0.0
    for row, label in zip(scores.double(), classes.tolist(), strict=True):
        p = row.softmax(0)[label]
        total += float(weights[label] * (1 - p) ** 1.5 * -p.log())
        norm += float(weights[label])
    assert float(classification_loss(scores, classes, weights, 1.5)) == pytest.approx(total / norm)
    usual = F.cross_entropy(scores, classes, weight=weights)
    assert torch.allclose(classification_loss(scores, classes, weights, 0.0), usual)
    assert float(classification_loss(scores[:0], classes[:0], weights, 2.0)) == 0


def test_its_gradient_looks_at_what_is_not_known_yet():
    scores = torch.tensor([[9.0, 0.0], [0.1, 0.0]], requires_grad=True)
    classification_loss(scores, torch.tensor([0, 0]), torch.ones(2), 2.0).backward()
    assert scores.grad[0].abs().max() < 1e-6 < scores.grad[1].abs().max()


def predictor(kind=WeightedOutputLayers, **options):
    torch.manual_seed(0)
    transform = Box2BoxTransform(weights=(10.0, 10.0, 5.0, 5.0))
    return kind(ShapeSpec(channels=8), box2box_transform=transform, num_classes=3, **options)


def regions():
    proposals = Instances((50, 50))
    corners = torch.rand(12, 2) * 20
    proposals.proposal_boxes = Boxes(torch.cat([corners, corners + 9], 1))
    proposals.gt_boxes = Boxes(torch.cat([corners + 1, corners + 8], 1))
    proposals.gt_classes = torch.arange(12) % 4
    return [proposals]


def test_without_a_switch_it_is_detectron2s_predictor():
    ours, usual = predictor(), predictor(FastRCNNOutputLayers)
    assert ours.state_dict().keys() == usual.state_dict().keys()
    ours.load_state_dict(usual.state_dict())
    features, given = torch.randn(12, 8), regions()
    with EventStorage():
        found, wanted = (each.losses(each(features), given) for each in (ours, usual))
    assert found.keys() == wanted.keys()
    assert all(torch.allclose(found[name], wanted[name]) for name in wanted)
    weighted = predictor(class_weights=[3.0, 1.0, 1.0], background_weight=0.1, cls_loss="focal")
    weighted.load_state_dict(usual.state_dict())
    with EventStorage():
        other = weighted.losses(weighted(features), given)
    assert not torch.allclose(other["loss_cls"], wanted["loss_cls"])
    assert torch.allclose(other["loss_box_reg"], wanted["loss_box_reg"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cls_loss": "hinge"}, "CLS_LOSS: 'hinge' is unknown; choose one of cross_entropy, focal"),
        ({"class_weights": [1.0, 2.0]}, "CLASS_WEIGHTS: 2 factors for 3 classes"),
        ({"class_weights": [1.0, -2.0, 1.0]}, "0 or more"),
    ],
)
def test_bad_values_are_refused(options, said):
    with pytest.raises(UserError, match=said):
        predictor(**options)


def configured(*words):
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    cfg.merge_from_list([*WORDS, *words])
    return cfg


@pytest.mark.parametrize("name", ["D2FreqROIHeads", "D2FreqCascadeROIHeads"])
def test_a_detector_by_keys(name):
    """From equal weights and draws: without a switch the host's losses, with one others."""
    torch.manual_seed(0)
    image = torch.randint(0, 255, (3, 64, 64), dtype=torch.uint8)
    truth = Instances((64, 64))
    truth.gt_boxes = Boxes(torch.tensor([[10.0, 12, 30, 28]]))
    truth.gt_classes = torch.tensor([1])
    batch = [{"image": image, "height": 64, "width": 64, "instances": truth}]
    usual = name.replace("D2Freq", "") if "Cascade" in name else "StandardROIHeads"
    focal = ("MODEL.ROI_BOX_HEAD.CLS_LOSS", "focal", "MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS", [1.0, 5.0])
    losses, state = [], None
    for heads, words in ((usual, ()), (name, ()), (name, focal)):
        model = build_model(configured("MODEL.ROI_HEADS.NAME", heads, *words)).train()
        state = state or model.state_dict()
        model.load_state_dict(state)
        torch.manual_seed(1)
        with EventStorage():
            losses.append(model(batch))
    first, same, other = losses
    assert all(torch.allclose(first[key], same[key]) for key in first)
    differing = {key for key in first if not torch.allclose(first[key], other[key])}
    assert differing == {key for key in first if "loss_cls" in key}
    assert sum(other.values()).requires_grad


def test_the_weight_of_the_whole_classification():
    """Beside the other losses, as in the published Cascade RPN."""
    words = ("MODEL.ROI_HEADS.NAME", "D2FreqROIHeads", "MODEL.ROI_BOX_HEAD.CLS_LOSS_WEIGHT")
    losses = []
    for weight in (1.0, 1.5):
        heads = build_model(configured(*words, weight)).roi_heads.box_predictor
        torch.manual_seed(2)
        given = regions()
        given[0].gt_classes = torch.arange(12) % 3
        with EventStorage():
            losses.append(heads.losses((torch.randn(12, 3), torch.randn(12, 4)), given))
    assert losses[1]["loss_cls"] == 1.5 * losses[0]["loss_cls"] > 0
    assert losses[1]["loss_box_reg"] == losses[0]["loss_box_reg"]


def test_keys_that_nothing_reads_are_refused():
    words = ("MODEL.ROI_HEADS.NAME", "StandardROIHeads", "MODEL.ROI_BOX_HEAD.CLS_LOSS", "focal")
    with pytest.raises(UserError, match="CLS_LOSS is 'focal', which .*StandardROIHeads does not"):
        check_box_loss(configured(*words))
    check_box_loss(configured(*words[:2]))
    sigmoid = ("MODEL.ROI_HEADS.NAME", "D2FreqROIHeads", "MODEL.ROI_BOX_HEAD.USE_SIGMOID_CE", True)
    # minid2 refuses the key itself
    with pytest.raises((UserError, NotImplementedError), match="USE_SIGMOID_CE"):
        build_model(configured(*sigmoid))


def test_stages_of_a_cascade_weigh_what_the_key_says():
    """By factors of their losses; without the key they are the same to the last bit."""
    heads = ("MODEL.ROI_HEADS.NAME", "D2FreqCascadeROIHeads")
    key = "MODEL.ROI_BOX_CASCADE_HEAD.LOSS_WEIGHTS"
    torch.manual_seed(0)
    model = build_model(configured(*heads)).train()
    weighted = build_model(configured(*heads, key, [1.0, 0.5, 0.25])).roi_heads.box_predictor
    truth = Instances((64, 64))
    truth.gt_boxes = Boxes(torch.tensor([[10.0, 12, 30, 28]]))
    truth.gt_classes = torch.tensor([1])
    batch = [{"image": torch.randint(0, 255, (3, 64, 64)), "instances": truth}]
    losses = []
    for predictors in (model.roi_heads.box_predictor, weighted):
        for own, other in zip(model.roi_heads.box_predictor, predictors, strict=True):
            own.loss_weight = other.loss_weight
        torch.manual_seed(1)
        with EventStorage():
            losses.append(model(batch))
    usual, ours = losses
    for stage, factor in enumerate((1.0, 0.5, 0.25)):
        for name in ("loss_cls", "loss_box_reg"):
            full = f"{name}_stage{stage}"
            assert usual[full].item() > 0 and torch.equal(ours[full], usual[full] * factor)


@pytest.mark.parametrize(
    "weights", [[1.0, 0.5], [1.0, -0.5, 0.25], [0.0, 0.0, 0.0], [1.0, "half", 0.25]]
)
def test_bad_weights_of_stages_are_refused(weights):
    words = ("MODEL.ROI_HEADS.NAME", "D2FreqCascadeROIHeads")
    words += ("MODEL.ROI_BOX_CASCADE_HEAD.LOSS_WEIGHTS", weights)
    with (
        torch.device("meta"),
        pytest.raises(UserError, match="LOSS_WEIGHTS .* each of the 3 stage"),
    ):
        build_model(configured(*words))


@pytest.mark.parametrize("name", ["CascadeROIHeads", "D2FreqROIHeads"])
def test_weights_of_stages_that_nothing_reads_are_refused(name):
    words = ("MODEL.ROI_HEADS.NAME", name, "MODEL.ROI_BOX_CASCADE_HEAD.LOSS_WEIGHTS", [1, 0.5, 0.2])
    with pytest.raises(
        UserError, match=rf"LOSS_WEIGHTS is .*{name} does not read: set that to D2F"
    ):
        check_box_loss(configured(*words))
    assert any("LOSS_WEIGHTS" in line for line in idle_keys(configured(*words)))
    check_box_loss(configured("MODEL.ROI_HEADS.NAME", name))
