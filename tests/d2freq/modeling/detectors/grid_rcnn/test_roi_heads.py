"""Grid R-CNN's ROI heads: what is pooled, learned, suppressed and moved."""

import pytest
import torch
import torch.nn.functional as F
from detectron2.config import get_cfg
from detectron2.layers import ShapeSpec
from detectron2.modeling.roi_heads import build_roi_heads
from detectron2.structures import Boxes, ImageList, Instances
from detectron2.utils.events import EventStorage

import d2freq
from d2freq.errors import UserError
from d2freq.modeling.detectors.grid_rcnn import decode_grid, grid_targets
from d2freq.modeling.detectors.grid_rcnn.roi_heads import jittered

SMALL = (
    "MODEL.ROI_HEADS.NAME GridROIHeads MODEL.ROI_HEADS.IN_FEATURES ['p2','p3'] "
    "MODEL.ROI_HEADS.NUM_CLASSES 3 MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE 16 "
    "MODEL.ROI_BOX_HEAD.NAME FastRCNNConvFCHead MODEL.ROI_BOX_HEAD.NUM_FC 1 "
    "MODEL.ROI_BOX_HEAD.FC_DIM 8 MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION 4 "
    "MODEL.ROI_GRID_HEAD.NUM_CONV 1 MODEL.ROI_GRID_HEAD.POINT_CHANNELS 4 "
    "MODEL.ROI_HEADS.SCORE_THRESH_TEST 0.0"
).split()
SIDE = 64


def build(*overrides):
    torch.manual_seed(0)
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    cfg.merge_from_list([*SMALL, *overrides])
    shapes = {f"p{i}": ShapeSpec(channels=8, stride=2**i) for i in (2, 3)}
    return build_roi_heads(cfg, shapes)


def given(images=1, regions=20):
    """Images, features and proposals of noise."""
    torch.manual_seed(1)
    maps = {f"p{i}": torch.randn(images, 8, SIDE // 2**i, SIDE // 2**i) for i in (2, 3)}
    proposals = []
    for _ in range(images):
        begin = torch.rand(regions, 2) * 40
        boxes = torch.cat([begin, begin + 1 + 15 * torch.rand(regions, 2)], dim=1)
        each = Instances((SIDE, SIDE), proposal_boxes=Boxes(boxes))
        each.objectness_logits = torch.randn(regions)
        proposals.append(each)
    images = ImageList(torch.zeros(images, 3, SIDE, SIDE), [(SIDE, SIDE)] * images)
    return images, maps, proposals


def truth(*boxes):
    corners = torch.tensor(boxes).reshape(-1, 4)
    found = Instances((SIDE, SIDE), gt_boxes=Boxes(corners))
    found.gt_classes = torch.arange(len(corners)) % 3
    return found


def test_the_box_head_has_no_regression():
    heads = build()
    assert {name.split(".")[0] for name, _ in heads.named_parameters()} == {
        *("box_head", "box_predictor", "grid_head"),
    }
    assert [name for name, _ in heads.box_predictor.named_parameters()] == [
        *("cls_score.weight", "cls_score.bias"),
    ]


def test_losses_of_a_step():
    heads = build("MODEL.ROI_GRID_HEAD.JITTER", 0.0).train()
    images, maps, proposals = given(2)
    objects = [truth([5.0, 5, 12, 14], [30.0, 20, 33, 22]), truth([8.0, 40, 20, 50])]
    maps = {name: level.requires_grad_() for name, level in maps.items()}
    with EventStorage():
        sampled, losses = heads(images, maps, proposals, objects)
    assert list(losses) == ["loss_cls", "loss_grid"]
    chosen = [each[each.gt_classes < 3] for each in sampled]
    boxes = torch.cat([each.proposal_boxes.tensor for each in chosen])
    objects = torch.cat([each.gt_boxes.tensor for each in chosen])
    wanted = grid_targets(boxes, objects, heads.grid_head.grid)
    pooled = heads.grid_pooler(list(maps.values()), [each.proposal_boxes for each in chosen])
    both = heads.grid_head(pooled)
    total = sum(F.binary_cross_entropy_with_logits(each, wanted) for each in both) * 15
    assert losses["loss_grid"].item() == pytest.approx(total.item(), rel=1e-5)
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in heads.parameters())


@pytest.mark.parametrize("objects", [[truth()], [truth(), truth([5.0, 5, 12, 14])]])
def test_pictures_without_objects(objects):
    heads = build().train()
    images, maps, proposals = given(len(objects))
    maps = {name: level.requires_grad_() for name, level in maps.items()}
    with EventStorage():
        _, losses = heads(images, maps, proposals, objects)
    assert (losses["loss_grid"] > 0) == (len(objects) > 1)
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in heads.parameters())
    assert all(level.grad is not None for level in maps.values())


def test_at_most_so_many_regions_learn(monkeypatch):
    heads = build("MODEL.ROI_GRID_HEAD.MAX_SAMPLES", 3).train()
    images, maps, proposals = given(2)
    seen = []
    forward = heads.grid_head.forward
    monkeypatch.setattr(heads.grid_head, "forward", lambda x: seen.append(len(x)) or forward(x))
    with EventStorage():
        heads(images, maps, proposals, [truth([5.0, 5, 12, 14], [30.0, 20, 39, 29])] * 2)
    assert seen == [3]


def test_jitter_moves_by_a_share_of_the_sides():
    torch.manual_seed(0)
    boxes = torch.tensor([[20.0, 20, 30, 40]]).expand(500, 4)
    moved = jittered(boxes, 0.15, (SIDE, SIDE))
    own, sides = torch.tensor([10.0, 20.0]), moved[:, 2:] - moved[:, :2]
    off = (moved[:, :2] + moved[:, 2:]) / 2 - torch.tensor([25.0, 30.0])
    for share in (off / own, sides / own - 1):
        assert 0.14 < share.max() <= 0.1501 and -0.1501 <= share.min() < -0.14
    edge = jittered(torch.tensor([[0.0, 0, 10, 10]]).expand(50, 4), 0.15, (SIDE, 9))
    assert edge.min() >= 0 and edge[:, 2].max() <= 9
    assert torch.equal(jittered(boxes, 0.0, (SIDE, SIDE)), boxes)


@torch.no_grad()
def test_proposals_are_suppressed_and_then_moved():
    """Scores and classes are those of the proposals; each box is its own region's grid."""
    heads = build("MODEL.ROI_HEADS.NMS_THRESH_TEST", 0.3).eval()
    torch.nn.init.normal_(heads.grid_head.deconv2.weight, std=1.0)
    images, maps, proposals = given(2)
    found, losses = heads(images, maps, proposals)
    assert losses == {}
    levels = list(maps.values())
    pooled = heads.box_pooler(levels, [each.proposal_boxes for each in proposals])
    scores = heads.box_predictor(heads.box_head(pooled))
    raw, kept = heads.box_predictor.inference(scores, proposals)
    for image in range(2):
        assert torch.equal(found[image].scores, raw[image].scores)
        assert torch.equal(found[image].pred_classes, raw[image].pred_classes)
        boxes = raw[image].pred_boxes
        assert torch.equal(boxes.tensor, proposals[image].proposal_boxes.tensor[kept[image]])
        own = [level[image : image + 1] for level in levels]
        maps_of = heads.grid_head(heads.grid_pooler(own, [boxes]))[0]
        wanted = Boxes(decode_grid(maps_of, boxes.tensor, heads.grid_head.grid))
        assert (wanted.tensor - boxes.tensor).abs().max() > 1
        wanted.clip((SIDE, SIDE))
        assert torch.allclose(found[image].pred_boxes.tensor, wanted.tensor, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("regions", [0, 1, 3000])
def test_so_many_detections_in_chunks(regions):
    heads = build("MODEL.ROI_GRID_HEAD.POOLER_RESOLUTION", 4).eval()
    _, maps, proposals = given(1, regions)
    moved = []
    for heads.chunk in (256, 7 if regions < 2 else 1000):
        found = Instances((SIDE, SIDE), pred_boxes=proposals[0].proposal_boxes)
        moved.append(heads.moved(maps, found, 0).pred_boxes.tensor)
    assert len(moved[0]) == regions and torch.allclose(*moved, atol=1e-4)
    assert (moved[0] >= 0).all() and (moved[0] <= SIDE).all()


@torch.no_grad()
def test_no_proposal():
    images, maps, proposals = given(1, 0)
    (found,) = build().eval()(images, maps, proposals)[0]
    assert len(found) == 0 and found.pred_boxes.tensor.shape == (0, 4)


def test_known_boxes_stay():
    """What Detectron2's test time augmentation asks masks of is not moved again."""
    heads = build().eval()
    _, maps, proposals = given()
    known = Instances((SIDE, SIDE), pred_boxes=proposals[0].proposal_boxes)
    known.pred_classes = torch.zeros(len(known), dtype=torch.int64)
    (found,) = heads.forward_with_given_boxes(maps, [known])
    assert torch.equal(found.pred_boxes.tensor, proposals[0].proposal_boxes.tensor)


def test_keys():
    heads = build(
        *("MODEL.ROI_GRID_HEAD.NUM_POINTS", 4, "MODEL.ROI_GRID_HEAD.POOLER_RESOLUTION", 8),
        *("MODEL.ROI_GRID_HEAD.POOLER_SAMPLING_RATIO", 2, "MODEL.ROI_GRID_HEAD.POS_RADIUS", 2),
        *("MODEL.ROI_GRID_HEAD.LOSS_WEIGHT", 5.0, "MODEL.ROI_GRID_HEAD.CHUNK", 9),
        *("MODEL.ROI_HEADS.SCORE_THRESH_TEST", 0.03, "TEST.DETECTIONS_PER_IMAGE", 70),
    )
    assert (heads.grid_head.grid.points, heads.grid_head.grid.cells) == (4, 16)
    pooler = heads.grid_pooler.level_poolers[0]
    assert (pooler.output_size, pooler.sampling_ratio) == ((8, 8), 2)
    assert (heads.pos_radius, heads.grid_loss_weight, heads.chunk) == (2, 5.0, 9)
    scores = heads.box_predictor
    assert (scores.test_score_thresh, scores.test_topk_per_image) == (0.03, 70)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["MODEL.ROI_GRID_HEAD.JITTER", 1.5], "JITTER 1.5 is a share below 1"),
        (["MODEL.ROI_GRID_HEAD.CHUNK", 0], "CHUNK 0 are at least 1"),
        (["MODEL.ROI_GRID_HEAD.MAX_SAMPLES", 0], "MAX_SAMPLES 0"),
        (["MODEL.ROI_GRID_HEAD.POS_RADIUS", -1], "POS_RADIUS -1 is at least 0"),
        (["MODEL.ROI_BOX_HEAD.TRAIN_ON_PRED_BOXES", True], "TRAIN_ON_PRED_BOXES: .*set False"),
    ],
)
def test_what_is_refused(keys, message):
    with pytest.raises(UserError, match=message):
        build(*keys)
