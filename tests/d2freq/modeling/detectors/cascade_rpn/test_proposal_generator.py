"""Proposals of pictures of several sizes, the keys, and what is refused."""

import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.structures import Boxes

from d2freq.errors import UserError
from d2freq.modeling.assignment import HierarchicalAssigner, MaxIoUAssigner, RankingAssigner


def awake(rpn):
    """With deltas that move boxes by pixels."""
    for stage in (rpn.rpn_head.stage0, rpn.rpn_head.stage1):
        torch.nn.init.normal_(stage["anchor_deltas"].weight, std=1.0)
    torch.nn.init.normal_(rpn.rpn_head.stage0["conv"].weight, std=0.3)
    torch.nn.init.normal_(rpn.rpn_head.stage1["conv"].weight, std=0.3)
    return rpn.eval()


@torch.no_grad()
def test_each_picture_has_boxes_of_its_own(generator, pyramid):
    """A picture in a batch gives what it gives alone, padding apart."""
    rpn = awake(generator())
    images, maps = pyramid(64, [(64, 64), (40, 64), (64, 64)])
    together, losses = rpn(images, maps)
    assert losses == {} and [each.image_size for each in together] == images.image_sizes
    for place in range(3):
        alone, _ = rpn(
            type(images)(images.tensor[place : place + 1], [images.image_sizes[place]]),
            {name: level[place : place + 1] for name, level in maps.items()},
        )
        assert torch.allclose(
            alone[0].proposal_boxes.tensor, together[place].proposal_boxes.tensor, atol=1e-3
        )
        height, width = images.image_sizes[place]
        boxes = together[place].proposal_boxes.tensor
        assert (boxes[:, 2] <= width).all() and (boxes[:, 3] <= height).all()
        logits = together[place].objectness_logits
        assert (logits[:-1] >= logits[1:]).all() and len(logits) > 20


@torch.no_grad()
def test_proposals_are_boxes_of_the_second_stage(generator, pyramid):
    rpn = awake(generator(2, "MODEL.RPN.NMS_THRESH", 1.0))
    images, maps = pyramid(64, [(64, 64)])
    anchors = [level.tensor for level in rpn.anchor_generator(list(maps.values()))]
    refined = []

    def refine(moves):
        refined.extend(rpn.refine(anchors, moves, torch.tensor([64.0] * 4).expand(1, 1, 4)))
        return refined

    _, logits, deltas = rpn.rpn_head(list(maps.values()), refine)
    transform = rpn.box2box_transforms[1]
    wanted = Boxes(transform.apply_deltas(torch.cat(deltas, 1)[0], torch.cat(refined, 1)[0]))
    wanted.clip((64, 64))
    found = rpn(images, maps)[0][0]
    scores, order = torch.cat(logits, 1)[0].sort(descending=True)
    large = wanted.nonempty()[order]
    assert torch.allclose(found.objectness_logits, scores[large])
    assert torch.allclose(found.proposal_boxes.tensor, wanted.tensor[order][large], atol=1e-4)


@torch.no_grad()
def test_boxes_of_the_first_stage_lie_within_their_picture(generator, pyramid):
    rpn = awake(generator())
    _, maps = pyramid(64, [(64, 64)])
    anchors = [level.tensor for level in rpn.anchor_generator(list(maps.values()))]
    moves = [torch.randn(1, len(level), 4) * 30 for level in anchors]
    limits = torch.tensor([50.0, 20.0, 50.0, 20.0]).expand(1, 1, 4)
    for boxes in rpn.refine(anchors, moves, limits):
        assert (boxes >= 0).all() and (boxes <= limits).all()
        assert (boxes[..., 2:] >= boxes[..., :2]).all()


def test_keys(generator):
    rpn = generator(
        8,
        *("MODEL.CASCADE_RPN.DILATION", 1, "MODEL.CASCADE_RPN.CENTER_RATIO", 0.3),
        *("MODEL.CASCADE_RPN.IGNORE_RATIO", 0.6, "MODEL.CASCADE_RPN.IOU", 0.6),
        *("MODEL.CASCADE_RPN.MIN_IOU", 0.2, "MODEL.CASCADE_RPN.LOC_WEIGHT", 10.0),
        *("MODEL.CASCADE_RPN.CLS_WEIGHT", 1.0, "MODEL.CASCADE_RPN.STAGE1_DIVISOR", 100.0),
        *("MODEL.RPN.NMS_THRESH", 0.8, "MODEL.RPN.POST_NMS_TOPK_TEST", 300),
    )
    conv = rpn.rpn_head.stage0["conv"]
    assert (conv.dilation, conv.padding) == ((1, 1), (1, 1))
    assert vars(rpn.region_assigner) == dict(center_ratio=0.3, ignore_ratio=0.6)
    assert vars(rpn.anchor_matcher) == dict(
        positive_iou=0.6, negative_iou=0.6, min_positive_iou=0.2
    )
    assert (rpn.loc_weight, rpn.cls_weight, rpn.stage1_divisor) == (10.0, 1.0, 100.0)
    assert (rpn.nms_thresh, rpn.post_nms_topk[False]) == (0.8, 300)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("max_iou", MaxIoUAssigner), ("nwd", RankingAssigner), ("rfla", HierarchicalAssigner)],
)
def test_the_second_stages_assigner(name, kind, generator):
    rpn = generator(
        2, *("MODEL.CASCADE_RPN.ASSIGNER", name, "MODEL.NWD.TOPK", 5, "MODEL.RFLA.TOPK", [2])
    )
    assert type(rpn.anchor_matcher) is kind
    assert getattr(rpn.anchor_matcher, "topk", 5) in (5, (2,))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["MODEL.ANCHOR_GENERATOR.ASPECT_RATIOS", [[0.5, 1.0, 2.0]]], r"one anchor a cell.*\[3, 3"),
        (["MODEL.ANCHOR_GENERATOR.SIZES", [[8, 16]] * 5], r"one size a level.*ASPECT_RATIOS \[\["),
        (["MODEL.ANCHOR_GENERATOR.OFFSET", 0.5], "OFFSET: .*got 0.5; set 0.0"),
        (["MODEL.ANCHOR_GENERATOR.SIZES", [[8], [8], [8], [8], [8]]], "in proportion to the strid"),
        (["MODEL.CASCADE_RPN.ASSIGNER", "iou"], "ASSIGNER: 'iou' is unknown.*max_iou, nwd, rfla"),
        (["MODEL.CASCADE_RPN.BBOX_REG_WEIGHTS", [[1.0] * 4]], "1 lists for the two stages"),
        (["MODEL.CASCADE_RPN.DILATION", 0], "DILATION.*at least 1"),
        (["MODEL.CASCADE_RPN.IOU", 1.5], "CASCADE_RPN: IOU 1.5 .* above 0 and at most 1"),
        (["MODEL.CASCADE_RPN.MIN_IOU", -1.0], "CASCADE_RPN: .*MIN_IOU -1.0; give two overlaps"),
        (["MODEL.CASCADE_RPN.STAGE1_DIVISOR", 0.0], "STAGE1_DIVISOR: got 0.0; give a finite numb"),
        (
            ["MODEL.CASCADE_RPN.BBOX_REG_WEIGHTS", [[1.0] * 4, [1.0] * 3]],
            "of each stage: got .*four",
        ),
        (["MODEL.CASCADE_RPN.BBOX_REG_WEIGHTS", [[1.0] * 4, [0.0] * 4]], "four numbers above 0"),
        (["MODEL.RPN.BOUNDARY_THRESH", 0], "BOUNDARY_THRESH: .*got 0; set -1"),
    ],
)
def test_what_is_refused(keys, message, generator):
    with pytest.raises(UserError, match=message):
        generator(2, *keys)


def test_levels_of_several_widths(generator):
    from d2freq.modeling.detectors.cascade_rpn import CascadeRPNHead

    shapes = [ShapeSpec(channels=16, stride=4), ShapeSpec(channels=32, stride=8)]
    with pytest.raises(UserError, match=r"\[16, 32\] channels"):
        CascadeRPNHead.from_config(None, shapes)


def test_training_without_ground_truth(generator, pyramid):
    with pytest.raises(UserError, match="training needs the ground truth"):
        generator().train()(*pyramid(64, [(64, 64)]))
