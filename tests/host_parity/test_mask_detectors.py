"""Mask R-CNN and Cascade Mask R-CNN of minid2 against those of Detectron2, in one process.

Equal weights from equal seeds, losses, gradients, logits, probabilities and pasted masks.
"""

import detectron2.config
import detectron2.modeling
import detectron2.structures
import detectron2.utils.events
import pytest
import torch

import minid2.config
import minid2.modeling
import minid2.structures
import minid2.utils.events

from .test_detectors import CASCADE, FASTER, build

HOSTS = (detectron2, minid2)
MASK = {
    "MODEL.MASK_ON": True,
    "MODEL.ROI_MASK_HEAD.NUM_CONV": 2,
    "MODEL.ROI_MASK_HEAD.CONV_DIM": 16,
    "MODEL.ROI_MASK_HEAD.POOLER_RESOLUTION": 7,
}
VARIANTS = {
    "mask": {**FASTER, **MASK},
    "mask_agnostic_gn": {
        **FASTER,
        **MASK,
        "MODEL.RESNETS.NORM": "GN",
        "MODEL.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK": True,
        "MODEL.ROI_MASK_HEAD.NORM": "GN",
        "MODEL.ROI_MASK_HEAD.CONV_DIM": 32,
        "MODEL.ROI_MASK_HEAD.POOLER_SAMPLING_RATIO": 2,
        "MODEL.ROI_MASK_HEAD.POOLER_RESOLUTION": 14,
    },
    "mask_one_layer": {**FASTER, **MASK, "MODEL.ROI_MASK_HEAD.NUM_CONV": 0},
    "cascade_mask": {**CASCADE, **MASK},
}
# Boxes of the first and of the second image: one without, none at all, one image, many.
COUNTS = ((5, 0), (0, 0), (3,), (40, 2))


@pytest.mark.parametrize(
    ("variant", "masks"), [*((variant, "polygon") for variant in VARIANTS), ("mask", "bitmask")]
)
def test_detector(variant, masks, assert_same_detectors):
    models = [build(host, VARIANTS[variant]) for host in HOSTS]
    counts = COUNTS if (variant, masks) == ("mask", "polygon") else COUNTS[:1]
    assert_same_detectors(models, counts, masks=masks)


@pytest.mark.parametrize("variant", ["mask", "mask_agnostic_gn"])
def test_masks_of_known_boxes_and_before_pasting(variant, records, spread):
    results = []
    for host in HOSTS:
        model = build(host, VARIANTS[variant]).eval()
        spread(model)
        batch = records(host, (4, 0))
        known = [
            host.structures.Instances(
                each["instances"].image_size,
                pred_boxes=each["instances"].gt_boxes,
                pred_classes=each["instances"].gt_classes % 4,
            )
            for each in batch
        ]
        with torch.no_grad():
            raw = model.inference(batch, known, do_postprocess=False)
            pasted = model.inference(batch, known)
        results.append((raw, [each["instances"] for each in pasted]))
    for real, ours in zip(*results, strict=True):
        for theirs, mine in zip(real, ours, strict=True):
            assert list(mine.get_fields()) == list(theirs.get_fields())
            assert mine.pred_masks.dtype == theirs.pred_masks.dtype
            assert torch.equal(mine.pred_masks, theirs.pred_masks)
    raw, pasted = results[1]
    assert raw[0].pred_masks.shape[1:] == (
        1,
        raw[0].pred_masks.shape[-1],
        raw[0].pred_masks.shape[-1],
    )
    assert 0 < pasted[0].pred_masks.float().mean() < 1 and len(raw[1].pred_masks) == 0


def head_and_regions(host, count, agnostic):
    """A head with seeded weights, features of random regions, and what they show."""
    torch.manual_seed(6)
    head = host.modeling.roi_heads.MaskRCNNConvUpsampleHead(
        host.layers.ShapeSpec(channels=8, height=7, width=7),
        num_classes=1 if agnostic else 4,
        conv_dims=[8, 6],
        loss_weight=2.5,
    )
    with torch.no_grad():
        head.predictor.weight.normal_()
    corner = torch.rand(count, 2) * 20
    regions = host.structures.Instances(
        (40, 50),
        proposal_boxes=host.structures.Boxes(
            torch.cat([corner, corner + 2 + 20 * torch.rand(count, 2)], 1)
        ),
        gt_classes=torch.randint(4, (count,)),
        gt_masks=host.structures.BitMasks(torch.rand(count, 40, 50) > 0.4),
    )
    regions.pred_classes = regions.gt_classes
    return head, torch.randn(count, 8, 7, 7), regions


@pytest.mark.parametrize("agnostic", [False, True])
@pytest.mark.parametrize("count", [0, 1, 30])
def test_the_head_alone(count, agnostic):
    """From explicit arguments: logits, loss, scalars, gradients and probabilities bit by bit."""
    results = []
    for host in HOSTS:
        head, features, regions = head_and_regions(host, count, agnostic)
        with host.utils.events.EventStorage() as storage:
            losses = head(features, [regions])
        losses["loss_mask"].backward()
        grads = {name: p.grad for name, p in head.named_parameters()}
        (found,) = head.eval()(features, [regions])
        results.append((losses, grads, storage.latest(), head.layers(features), found.pred_masks))
    real, ours = results
    torch.testing.assert_close(ours[:2], real[:2], rtol=1e-6, atol=1e-7)
    assert ours[2].keys() == real[2].keys()
    for name, (value, _) in real[2].items():
        assert ours[2][name][0] == pytest.approx(value, abs=1e-12)
    assert torch.equal(ours[3], real[3]) and torch.equal(ours[4], real[4])
    assert bool(real[2]) == (count > 0)


def test_foreground_selection():
    classes = [torch.tensor([0, 4, -1, 3]), torch.tensor([4, 4])]
    results = []
    for host in HOSTS:
        given = [host.structures.Instances((9, 9), gt_classes=each) for each in classes]
        found, kept = host.modeling.roi_heads.select_foreground_proposals(given, 4)
        results.append(([each.gt_classes.tolist() for each in found], [k.tolist() for k in kept]))
    assert results[0] == results[1] == (
        [[0, 3], []], [[True, False, False, True], [False, False]],
    )  # fmt: skip


def test_half_precision(records, spread, training_step, assert_same_instances):
    results = []
    for host in HOSTS:
        model = build(host, VARIANTS["mask"])
        spread(model)
        batch = records(host, (5, 0), "polygon")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            with torch.no_grad():
                found = [output["instances"] for output in model.eval()(batch)]
            results.append([found, training_step(host, model, batch)[0]])
    assert sum(map(len, results[0][0])) > 3
    for theirs, mine in zip(results[0][0], results[1][0], strict=True):
        # A probability of one half may round to either side of the threshold: a pixel in a hundred
        # thousand, and one of these small pictures, which have fewer.
        other = (mine.pred_masks != theirs.pred_masks).sum()
        assert other <= max(1, theirs.pred_masks.numel() / 100_000)
        mine.pred_masks = theirs.pred_masks
        assert_same_instances(mine, theirs)
    torch.testing.assert_close(results[1][1], results[0][1], rtol=1e-5, atol=1e-6)
