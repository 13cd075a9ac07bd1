"""ATSS, PAA and AutoAssign whole: parameters, a step with SET and HS-FPN, detections, bad keys."""

import pytest
import torch
from detectron2.modeling import META_ARCH_REGISTRY, build_model
from detectron2.structures import ImageList
from detectron2.utils.events import EventStorage

from d2freq.errors import UserError
from d2freq.modeling.detectors.dense import ScaledHead
from d2freq.modeling.set import SET
from tests.d2freq.modeling.assignment.conftest import PeakMemory

from .dense_cases import (
    CLASSES,
    KINDS,
    STRIDES,
    build,
    config,
    grids,
    instances,
    iou,
    own_parameters,
    priors,
    random_predictions,
    records,
    tiny_boxes,
)

LOSSES = {
    "ATSS": {"loss_atss_cls", "loss_atss_loc", "loss_atss_ctr"},
    "PAA": {"loss_paa_cls", "loss_paa_loc", "loss_paa_iou"},
    "AutoAssign": {f"loss_autoassign_{part}" for part in ("pos", "neg", "center")},
}


@pytest.mark.parametrize(
    ("kind", "levels", "expected"),
    [
        ("ATSS", range(3, 8), 32_076_242),
        ("PAA", range(3, 8), 32_076_242),
        ("ATSS", range(2, 7), 32_142_034),
        ("PAA", range(2, 7), 32_142_034),
        ("AutoAssign", range(3, 8), 36_207_090),
        ("AutoAssign", range(2, 7), 36_272_882),
    ],
)
def test_parameters_of_resnet_50_with_8_classes(kind, levels, expected):
    """Mmdet's models, less the 53,120 affine numbers of frozen batch norms."""
    cfg = config(kind, levels=levels, thin=False, options=["MODEL.DEVICE", "meta"])
    with torch.device("meta"):
        model = build_model(cfg)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected
    head = sum(parameter.numel() for parameter in model.head.parameters())
    head += sum(parameter.numel() for _, parameter in own_parameters(model))
    assert head == {"AutoAssign": 4_754_738}.get(kind, 4_752_658)


def test_auto_assign_of_18_classes_has_the_parameters_for_dota():
    options = ["MODEL.DEVICE", "meta", "MODEL.AUTOASSIGN.NUM_CLASSES", 18]
    with torch.device("meta"):
        model = build_model(config("AutoAssign", thin=False, options=options))
    assert sum(parameter.numel() for parameter in model.parameters()) == 36_230_180


def step(model, batch):
    with EventStorage() as storage:
        losses = model(batch)
    sum(losses.values()).backward()
    return losses, storage.latest()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("counts", [(5, 0), (0, 0), (1,)])
def test_a_step_reaches_every_parameter(kind, counts):
    model = build(kind)
    losses, logged = step(model, records(counts))
    assert set(losses) == LOSSES[kind] and "num_pos_anchors" in logged
    assert all(value.isfinite() for value in losses.values())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("kind", KINDS)
def test_set_around_it_and_hs_fpn_below_it(kind):
    neck = ["MODEL.BACKBONE.NAME", "build_retinanet_resnet_hsfpn_backbone"]
    neck += ["MODEL.HSFPN.GROUPS", 8, "MODEL.HSFPN.SDP_NORM", ""]
    model = build(kind, *neck, "MODEL.SET.DETECTOR", kind, "MODEL.META_ARCHITECTURE", "SET")
    assert type(model) is SET and type(model.backbone).__name__ == "HSFPN"
    losses, _ = step(model, records())
    second = {name.replace("loss_", "loss_set_") for name in LOSSES[kind]}
    assert set(losses) == LOSSES[kind] | second
    assert all(value.isfinite() for value in losses.values())
    assert all(p.grad is not None for p in model.smoothing.parameters())
    plain = build(kind, *neck)
    plain.load_state_dict(
        {key: v for key, v in model.state_dict().items() if not key.startswith("set.")}
    )
    with torch.no_grad():
        ours, theirs = (each.eval()(records())[0]["instances"] for each in (model, plain))
    assert torch.equal(ours.scores, theirs.scores)


def naive(model, predictions, size):
    """Detections of one image by the rule: threshold, the best of a level, NMS, the best of all."""
    by_score = type(model).__name__ == "PAA"
    found = []
    anchors = model.anchor_generator(predictions[0])
    for squares, logits, numbers, quality in zip(anchors, *predictions, strict=True):
        rows = [part[0].flatten(1).T for part in (logits, numbers, quality)]
        boxes = model.box2box_transform.apply_deltas(rows[1], squares.tensor)
        level = []
        for cell, box in enumerate(boxes):
            there = rows[2][cell, 0].sigmoid()
            for kind, logit in enumerate(rows[0][cell]):
                p = logit.sigmoid()
                score = (p * there).sqrt() if model.score == "root" else p * there
                if (score if by_score else p) > model.test_score_thresh:
                    level.append((float(score if by_score else p), float(score), kind, box))
        level.sort(key=lambda one: -one[0])
        found += level[: model.test_topk_candidates]
    found.sort(key=lambda one: -one[1])
    height, width = size
    limit = torch.tensor([width, height, width, height])
    found = [(score, kind, box.clamp(min=0).minimum(limit)) for _, score, kind, box in found]
    kept: list = []
    for score, kind, box in found:
        if all(
            kind != k or iou(box.tolist(), b.tolist()) <= model.test_nms_thresh for _, k, b in kept
        ):
            kept.append((score, kind, box))
    return kept[: model.max_detections_per_image]


@pytest.mark.parametrize(("kind", "score"), [(k, s) for k in KINDS for s in ("root", "product")])
def test_detections_equal_a_loop_over_cells(kind, score):
    node = f"MODEL.{kind.upper()}"
    options = [f"{node}.SCORE", score, f"{node}.TOPK_CANDIDATES_TEST", 30]
    options += [f"{node}.SCORE_THRESH_TEST", 0.2, f"{node}.ANCHOR_SCALE", 2.0]
    if kind == "AutoAssign":
        options = options[:-2]
    if kind == "PAA":
        options += ["MODEL.PAA.SCORE_VOTING", False]
    model, size = build(kind, *options).eval(), (50, 60)
    draw = torch.Generator().manual_seed(3)
    predictions = [
        [torch.randn(1, width, -(-64 // s), -(-64 // s), generator=draw) * scale for s in STRIDES]
        for width, scale in ((8, 2), (4, 1), (1, 1))
    ]
    images = ImageList(torch.zeros(1, 3, 64, 64), [size])
    (found,) = model.forward_inference(images, predictions[0], predictions)
    expected = naive(model, predictions, size)
    assert len(found) == len(expected) > 20
    scores, classes, boxes = zip(*expected, strict=True)
    torch.testing.assert_close(found.scores, torch.tensor(scores))
    assert found.pred_classes.tolist() == list(classes)
    torch.testing.assert_close(found.pred_boxes.tensor, torch.stack(boxes), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_trains_in_float32_losses(kind):
    model = build(kind)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses, _ = step(model, records((5, 2)))
    assert all(v.dtype == torch.float32 and v.isfinite() for v in losses.values())


@pytest.mark.parametrize(("kind", "least"), [("ATSS", 100), ("PAA", 100), ("AutoAssign", 1000)])
def test_losses_of_3000_objects_need_little_memory(kind, least):
    """On P2 to P6 of 400 pixels: all pairs would be 40 million, 160 MB for each number kept."""
    model, levels = build(kind), grids(400, (4, 8, 16, 32, 64))
    truth = [instances(tiny_boxes(3000, 5, size=400), size=400)]
    anchors = priors(levels, 1 if kind == "AutoAssign" else 2)
    predictions = random_predictions(levels, 1, 0)
    assert 4 * 3000 * len(anchors) > 150e6 and predictions[0].shape[2] == CLASSES
    with PeakMemory() as memory, EventStorage() as storage:
        losses = model.losses(levels, anchors, *predictions, truth)
    assert memory.peak < 150e6 and storage.latest()["num_pos_anchors"][0] > least
    assert all(value.isfinite() for value in losses.values())


def test_names_are_shared_with_other_extensions():
    for kind in KINDS:
        ours = META_ARCH_REGISTRY.get(f"D2Freq{kind}")
        assert ours.__module__.startswith("d2freq.") and ours.__name__ == kind


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        ("ATSS", ["BOX_LOSS", "siou"], r"MODEL\.ATSS\.BOX_LOSS\): 'siou' is unknown"),
        ("ATSS", ["SCORE", "mean"], r"MODEL\.ATSS\.SCORE\): 'mean' is unknown"),
        ("PAA", ["SCORE", "sum"], r"MODEL\.PAA\.SCORE"),
        ("PAA", ["IOU_THRESHOLD", 0.0], r"MODEL\.PAA\.IOU_THRESHOLD: got 0.0"),
        ("PAA", ["ANCHOR_SCALE", 0.0], r"MODEL\.PAA\.ANCHOR_SCALE: got 0.0"),
        ("PAA", ["BBOX_REG_WEIGHTS", (10.0, 10.0, 5.0)], r"PAA\.BBOX_REG_WEIGHTS: got \[?\(?10"),
        (
            "ATSS",
            ["BBOX_REG_WEIGHTS", (10.0, 10.0, 0.0, 5.0)],
            r"ATSS\.BBOX_REG_WEIGHTS: .* above 0",
        ),
        ("ATSS", ["PRIOR_PROB", 0.0], r"PRIOR_PROB\) 0\.0: .* above 0 and below 1"),
        ("AutoAssign", ["PRIOR_PROB", 1.0], r"PRIOR_PROB\) 1\.0"),
        ("PAA", ["NUM_CONVS", -1], r"NUM_CONVS\) -1"),
        ("AutoAssign", ["IN_FEATURES", []], "AUTOASSIGN.IN_FEATURES is empty; name some of p3"),
        ("AutoAssign", ["IN_FEATURES", ["p2"]], "asks for p2; .* gives p3, p4, p5, p6, p7"),
    ],
)
def test_wrong_keys_are_told(kind, options, text):
    with pytest.raises(UserError, match=text):
        build(kind, f"MODEL.{kind.upper()}.{options[0]}", options[1])


def test_levels_of_unequal_channels_are_refused():
    from detectron2.layers import ShapeSpec

    with pytest.raises(UserError, match="equal channels"):
        ScaledHead(input_shape=[ShapeSpec(channels=8), ShapeSpec(channels=16)], num_classes=2)


def test_a_coordinate_that_is_nan_is_named():
    for kind in KINDS:
        batch = records((2,))
        batch[0]["instances"].gt_boxes.tensor[1, 0] = float("nan")
        with pytest.raises(UserError, match="box 1 of 2"), EventStorage():
            build(kind)(batch)
