"""By default d2freq's FCOS is Detectron2's, bit by bit; and it has a name in YAML."""

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.modeling.meta_arch.fcos import FCOS as PlainFCOS
from detectron2.modeling.meta_arch.fcos import FCOSHead
from detectron2.utils.events import EventStorage

from d2freq.errors import UserError
from d2freq.modeling.detectors.fcos import FCOS


@pytest.fixture
def both(fcos_cfg):
    """Detectron2's class and ours, each built from the same seed."""
    cfg = fcos_cfg()
    torch.manual_seed(3)
    ours = build_model(cfg)
    torch.manual_seed(3)
    backbone = build_model_backbone(cfg)
    shapes = backbone.output_shape()
    levels = [shapes[name] for name in cfg.MODEL.FCOS.IN_FEATURES]
    head = FCOSHead(input_shape=levels, num_classes=3, conv_dims=[32] * 4, prior_prob=0.2)
    plain = PlainFCOS(
        backbone=backbone,
        head=head,
        num_classes=3,
        pixel_mean=cfg.MODEL.PIXEL_MEAN,
        pixel_std=cfg.MODEL.PIXEL_STD,
    )
    return plain, ours


def build_model_backbone(cfg):
    from detectron2.modeling import build_backbone

    return build_backbone(cfg)


def test_same_weights_losses_and_gradients(both, records):
    plain, ours = both
    assert type(ours) is FCOS
    ours_state, plain_state = ours.state_dict(), plain.state_dict()
    assert list(ours_state) == list(plain_state)
    assert all(torch.equal(ours_state[key], plain_state[key]) for key in plain_state)
    for step in range(2):  # the second with a moved average of the positive points
        losses = []
        for model in both:
            model.train().zero_grad()
            with EventStorage():
                losses.append(model(records))
            sum(losses[-1].values()).backward()
        assert list(losses[0]) == list(losses[1]) and all(v > 0 for v in losses[0].values())
        assert all(torch.equal(losses[0][key], losses[1][key]) for key in losses[0]), step
    for one, other in zip(plain.parameters(), ours.parameters(), strict=True):
        assert one.grad is None or torch.equal(one.grad, other.grad)


def test_same_detections(both, records):
    for model in both:
        model.eval()
    with torch.no_grad():
        plain, ours = ([found["instances"] for found in model(records)] for model in both)
    for one, other in zip(plain, ours, strict=True):
        assert len(one) > 0 and torch.equal(one.pred_boxes.tensor, other.pred_boxes.tensor)
        assert torch.equal(one.scores, other.scores)
        assert torch.equal(one.pred_classes, other.pred_classes)


def test_defaults_are_those_of_the_class(fcos_cfg):
    model = build_model(fcos_cfg())
    plain = PlainFCOS(
        backbone=model.backbone,
        head=model.head,
        num_classes=3,
        pixel_mean=[0] * 3,
        pixel_std=[1] * 3,
        head_in_features=["p3", "p4", "p5", "p6", "p7"],
    )
    names = ["center_sampling_radius", "focal_loss_alpha", "focal_loss_gamma"]
    names += ["test_score_thresh", "test_topk_candidates", "test_nms_thresh"]
    names += ["max_detections_per_image", "head_in_features"]
    assert {n: getattr(model, n) for n in names} == {n: getattr(plain, n) for n in names}


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (
            {"MODEL__FCOS__BOX_LOSS": "siou"},
            r"MODEL\.FCOS\.BOX_LOSS\): 'siou' is unknown; choose one of giou, diou, iou, nwd",
        ),
        ({"MODEL__FCOS__NORMALIZER": "sum"}, "average, batch"),
        ({"MODEL__FCOS__SCORE": "mean"}, "root, product"),
        ({"MODEL__FCOS__INFERENCE": "fast"}, "detectron2, published"),
        ({"MODEL__FCOS__IN_FEATURES": ["p2", "p3"]}, "asks for p2; .* gives p3, p4, p5, p6, p7"),
        ({"MODEL__FPN__IN_FEATURES": ["res4", "res5"]}, "three or four maps.* has 2"),
    ],
)
def test_wrong_keys_are_told(fcos_cfg, keys, text):
    with pytest.raises(UserError, match=text):
        build_model(fcos_cfg(**keys))
