"""RPNs with a rule of their own in whole detectors: labels, training, inference, lazy twins."""

from pathlib import Path

import pytest
import torch
from detectron2.config import LazyCall, get_cfg, instantiate
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

from d2freq import add_d2freq_config
from d2freq.engine import load_lazy
from d2freq.errors import UserError
from d2freq.modeling.assignment import (
    NWDRPN,
    RFLARPN,
    HierarchicalAssigner,
    MaxIoUAssigner,
    MaxIoURPN,
    RankingAssigner,
    RFLAAnchorGenerator,
)

CONFIGS = Path(__file__).resolve().parents[4] / "configs"
BASE = CONFIGS / "_base_" / "faster_rcnn_R18_FPN"
GENERATORS = {
    "NWDRPN": "DefaultAnchorGenerator",
    "RFLARPN": "RFLAAnchorGenerator",
    "MaxIoURPN": "DefaultAnchorGenerator",
}
RANKING = ("NWDRPN", "RFLARPN")  # every object has at least k anchors
FIELDS = [35, 91, 267, 427, 555]  # of ResNet-50, as RFLA has them
SIDE = 96


def config(name, *overrides):
    cfg = get_cfg()
    add_d2freq_config(cfg)
    cfg.merge_from_file(f"{BASE}.yaml")
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.PROPOSAL_GENERATOR.NAME = name
    cfg.MODEL.ANCHOR_GENERATOR.NAME = GENERATORS[name]
    cfg.merge_from_list(list(overrides))
    return cfg


def cascade(name):
    return config(
        name,
        *("MODEL.ROI_HEADS.NAME", "CascadeROIHeads"),
        *("MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG", True),
        *("MODEL.RPN.BOUNDARY_THRESH", 0),  # as HS-FPN's Cascade R-CNN
    )


def target(*boxes):
    found = Instances((SIDE, SIDE))
    found.gt_boxes = Boxes(torch.tensor(boxes).reshape(-1, 4))
    found.gt_classes = torch.zeros(len(boxes), dtype=torch.int64)
    return found


TINY = [[8.0, 8, 14, 13], [50, 60, 54, 63], [90, 90, 96, 96]]


def label(rpn, *targets):
    maps = [torch.zeros(1, 1, SIDE // stride, SIDE // stride) for stride in (4, 8, 16, 32, 64)]
    anchors = rpn.anchor_generator(maps)
    return Boxes.cat(anchors), *rpn.label_and_sample_anchors(anchors, list(targets))


@pytest.mark.parametrize("name", GENERATORS)
def test_labels_follow_the_conventions_of_rpn(name):
    rpn = build_model(config(name)).proposal_generator
    anchors, labels, boxes = label(rpn, target(*TINY), target())
    assert all(x.shape == (len(anchors),) and x.dtype == torch.int8 for x in labels)
    assert all(x.shape == (len(anchors), 4) for x in boxes)
    # Without objects there are negatives only, as many as are sampled.
    assert (labels[1] == 1).sum() == 0 and (labels[1] == 0).sum() == 256
    assert ((labels[0] >= 0).sum() == 256) and (labels[0] == 1).sum() <= 128
    # Each object has its k anchors, ties among them more, and the box goes with the label.
    matches, expected = rpn.anchor_matcher(torch.tensor(TINY), anchors.tensor)
    assert torch.equal(labels[0] == 1, expected == 1)
    positive = labels[0] == 1
    assert torch.equal(boxes[0][positive], torch.tensor(TINY)[matches[positive]])
    for box in TINY if name in RANKING else ():
        assert (boxes[0][positive] == torch.tensor(box)).all(dim=1).sum() >= 3
    assert (expected[labels[0] == 0] == 0).all()


@pytest.mark.parametrize("name", GENERATORS)
def test_sampling_draws_the_share_of_positives(name):
    cfg = config(name, "MODEL.RPN.BATCH_SIZE_PER_IMAGE", 8, "MODEL.RPN.POSITIVE_FRACTION", 0.25)
    _, labels, _ = label(build_model(cfg).proposal_generator, target(*TINY))
    assert (labels[0] == 1).sum() == 2 and (labels[0] == 0).sum() == 6


@pytest.mark.parametrize("name", RANKING)
def test_anchors_over_the_border_are_left_out_before_objects_choose(name):
    rpn = build_model(config(name, "MODEL.RPN.BOUNDARY_THRESH", 0)).proposal_generator
    corner = [[0.0, 0, 3, 3]]  # the nearest anchors stick out of the image
    anchors, labels, boxes = label(rpn, target(*corner))
    inside = anchors.inside_box((SIDE, SIDE), 0)
    assert 0 < inside.sum() < len(anchors)
    assert (labels[0][~inside] == -1).all()
    _, among_all = rpn.anchor_matcher(torch.tensor(corner), anchors.tensor)
    assert not inside[among_all == 1].all()
    positive = labels[0] == 1
    assert positive.sum() >= 3 and (boxes[0][positive] == torch.tensor(corner)).all()
    # An image smaller than every anchor has none to label.
    tiny = Instances((1, 1), gt_boxes=Boxes(torch.tensor([[0.0, 0, 1, 1]])))
    assert (label(rpn, tiny)[1][0] == -1).all()


def test_max_iou_leaves_out_anchors_over_the_border_before_objects_choose():
    """The object's best anchor, of overlap 0.84, sticks out; its next, of 0.61, takes its place."""
    rpn = build_model(config("MaxIoURPN", "MODEL.RPN.BOUNDARY_THRESH", 0)).proposal_generator
    corner = torch.tensor([[0.0, 1.2, 9.6, 6.8]])
    anchors, labels, _ = label(rpn, target(*corner.tolist()))
    inside = anchors.inside_box((SIDE, SIDE), 0)
    _, among_all = rpn.anchor_matcher(corner, anchors.tensor)
    _, among_inside = rpn.anchor_matcher(corner, anchors.tensor[inside])
    assert (labels[0][~inside] == -1).all()
    assert torch.equal(labels[0][inside] == 1, among_inside == 1)
    assert (among_all[inside] == 1).sum() == 0 and (among_inside == 1).sum() == 1


def train_step(model):
    """Losses of one step of training on two images, one of them empty."""
    torch.manual_seed(2)
    batch = [
        {"image": torch.randint(0, 256, (3, SIDE, SIDE)), "instances": found}
        for found in (target(*TINY), target())
    ]
    with EventStorage():
        losses = model(batch)
    sum(losses.values()).backward()
    return {key: value.item() for key, value in losses.items()}


@pytest.mark.parametrize("build", [config, cascade])
@pytest.mark.parametrize("name", GENERATORS)
def test_a_detector_trains_a_step_and_infers(name, build):
    model = build_model(build(name))
    assert type(model.proposal_generator).__name__ == name
    losses = train_step(model.train())
    assert {"loss_rpn_cls", "loss_rpn_loc"} < set(losses)
    assert all(0 < value < 1e4 for value in losses.values())
    gradients = [p.grad for p in model.proposal_generator.parameters()]
    assert all(grad is not None and grad.abs().sum() > 0 for grad in gradients)
    with torch.no_grad():
        (found,) = model.eval()([{"image": torch.randint(0, 256, (3, SIDE, SIDE))}])
    assert found["instances"].pred_boxes.tensor.isfinite().all()


def lazy(name):
    model = load_lazy(str(CONFIGS / "demo" / "faster_rcnn_R18_FPN_scenes.py")).model
    model.roi_heads.num_classes = 80
    rpn = model.proposal_generator
    if name == "NWDRPN":
        rpn._target_ = NWDRPN
        rpn.anchor_matcher = LazyCall(RankingAssigner)(topk=3)
    elif name == "MaxIoURPN":
        rpn._target_ = MaxIoURPN
        rpn.anchor_matcher = LazyCall(MaxIoUAssigner)()
    else:
        rpn._target_ = RFLARPN
        rpn.anchor_matcher = LazyCall(HierarchicalAssigner)(topk=[3, 1])
        rpn.anchor_generator = LazyCall(RFLAAnchorGenerator)(
            receptive_fields=FIELDS, aspect_ratios=[0.5, 1, 2], strides=[4, 8, 16, 32, 64]
        )
    return model


@pytest.mark.parametrize("name", GENERATORS)
def test_lazy_twin(name):
    models = []
    for build in (
        lambda: build_model(config(name, "MODEL.RFLA.RECEPTIVE_FIELDS", FIELDS)),
        lambda: instantiate(lazy(name)),
    ):
        torch.manual_seed(1)
        models.append(build().train())
    yaml, twin = models
    weights = twin.state_dict()
    assert list(yaml.state_dict()) == list(weights)
    assert all(torch.equal(value, weights[key]) for key, value in yaml.state_dict().items())
    assert vars(yaml.proposal_generator.anchor_matcher) == vars(
        twin.proposal_generator.anchor_matcher
    )
    assert train_step(yaml) == train_step(twin)


def test_every_key_reaches_the_assigner():
    nwd = build_model(
        config(
            "NWDRPN",
            *("MODEL.NWD.TOPK", 2, "MODEL.NWD.CONSTANT", 20.0),
            *("MODEL.NWD.NEGATIVE_THRESHOLD", 0.4),
        )
    ).proposal_generator.anchor_matcher
    assert vars(nwd) == dict(topk=2, constant=20.0, negative_threshold=0.4)
    rfla = build_model(
        config(
            "RFLARPN",
            *("MODEL.RFLA.METRIC", "wd", "MODEL.RFLA.TOPK", [2, 2], "MODEL.RFLA.FRACTION", 0.25),
            *("MODEL.RFLA.SHRINK_RATIO", 0.8, "MODEL.RFLA.NEGATIVE_THRESHOLD", 0.7),
        )
    ).proposal_generator
    assert vars(rfla.anchor_matcher) == dict(
        metric="wd", topk=(2, 2), shrink_ratio=0.8, negative_threshold=0.7
    )
    keys = ("MODEL.MAX_IOU_RPN.MIN_POS_IOU", 0.2, "MODEL.RPN.IOU_THRESHOLDS", [0.4, 0.6])
    rule = build_model(config("MaxIoURPN", *keys)).proposal_generator.anchor_matcher
    assert vars(rule) == dict(positive_iou=0.6, negative_iou=0.4, min_positive_iou=0.2)
    with pytest.raises(UserError, match=r"IOU_LABELS.*\[0, -1, 1\].*got \[0, 0, 1\]"):
        build_model(config("MaxIoURPN", "MODEL.RPN.IOU_LABELS", [0, 0, 1]))
    squares = [cell[1] for cell in rfla.anchor_generator.cell_anchors]
    sides = [float(square[2] - square[0]) for square in squares]
    assert sides == pytest.approx([43 / 4, 99 / 4, 211 / 4, 435 / 4, 563 / 4])  # ResNet-18
