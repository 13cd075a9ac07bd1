"""Mask heads and detectors with them: losses, detections, empty images, bad input, a trace."""

import pytest
import torch
from torch.nn import functional as F

from minid2.layers import ShapeSpec
from minid2.modeling import META_ARCH_REGISTRY
from minid2.modeling.postprocessing import detector_postprocess
from minid2.modeling.roi_heads import MaskRCNNConvUpsampleHead
from minid2.structures import BitMasks, Boxes, Instances, PolygonMasks
from minid2.utils.events import EventStorage

from .test_detectors import AGNOSTIC, KINDS, assert_traces, build, records, train_step

MASK = [
    *("MODEL.MASK_ON", True, "MODEL.ROI_MASK_HEAD.NAME", "MaskRCNNConvUpsampleHead"),
    *("MODEL.ROI_MASK_HEAD.NUM_CONV", 1, "MODEL.ROI_MASK_HEAD.CONV_DIM", 8),
    *("MODEL.ROI_MASK_HEAD.POOLER_RESOLUTION", 4),
]
CASCADE = [*AGNOSTIC, "MODEL.ROI_HEADS.NAME", "CascadeROIHeads"]


def with_masks(*counts):
    batch = records(*counts)
    for record in batch:
        target = record["instances"]
        boxes = target.gt_boxes.tensor
        target.gt_masks = PolygonMasks([[box] for box in boxes[:, [0, 1, 2, 1, 2, 3]]])
    return batch


def test_the_loss_is_that_of_the_true_class_in_each_region():
    torch.manual_seed(0)
    head = MaskRCNNConvUpsampleHead(
        ShapeSpec(channels=3, height=4, width=4), num_classes=2, conv_dims=[5, 6], loss_weight=2.0
    )
    with torch.no_grad():
        head.predictor.weight.normal_()
    regions = Instances((20, 20), proposal_boxes=Boxes([[0, 0, 16, 16], [4, 4, 12, 12.0]]))
    regions.gt_classes = torch.tensor([1, 0])
    half = torch.zeros(2, 20, 20, dtype=torch.bool)
    half[:, :8] = True
    regions.gt_masks = BitMasks(half)
    features = torch.randn(2, 3, 4, 4)
    with EventStorage() as storage:
        loss = head(features, [regions])["loss_mask"]
    logits = head.layers(features)
    assert logits.shape == (2, 2, 8, 8)
    truth = (torch.arange(8) < 4).float()[:, None].expand(8, 8)
    terms = [F.binary_cross_entropy_with_logits(logits[i, c], truth) for i, c in ((0, 1), (1, 0))]
    torch.testing.assert_close(loss, sum(terms))  # 2.0 x their mean
    right = torch.stack([(logits[0, 1] > 0) == truth, (logits[1, 0] > 0) == truth])
    scalars = {name: value for name, (value, _) in storage.latest().items()}
    assert scalars["mask_rcnn/accuracy"] == pytest.approx(right.float().mean().item())
    wrong = (scalars["mask_rcnn/false_positive"] + scalars["mask_rcnn/false_negative"]) / 2
    assert wrong == pytest.approx(1 - right.float().mean().item())  # as both kinds are half


@pytest.mark.parametrize("options", [[], CASCADE, ["MODEL.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK", True]])
def test_it_learns_masks_and_detects_them(options):
    torch.manual_seed(0)
    trained = ["MODEL.RESNETS.NORM", "BN", "MODEL.BACKBONE.FREEZE_AT", 0]
    model = build("faster", *MASK, *options, *trained, "MODEL.ROI_HEADS.SCORE_THRESH_TEST", 0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    batch, values = with_masks(5, 3), []
    for _ in range(4):
        torch.manual_seed(1)
        losses, scalars = train_step(model, batch)
        optimizer.step()
        values.append(losses["loss_mask"].item())
    assert values[-1] < values[0] and 0 <= scalars["mask_rcnn/accuracy"] <= 1
    head = model.roi_heads.mask_head
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())
    sizes = {"height": 100, "width": 60}
    with torch.no_grad():
        (found,) = model.eval()([{"image": batch[0]["image"], **sizes}])
    masks = found["instances"].pred_masks
    assert masks.dtype == torch.bool and masks.shape == (len(found["instances"]), 100, 60)
    assert len(masks) > 0


@pytest.mark.parametrize("counts", [(0,), (0, 3)])
def test_images_without_objects_train(counts):
    model = build("faster", *MASK)
    losses, _ = train_step(model, with_masks(*counts))
    assert all(torch.isfinite(value) for value in losses.values())
    assert (losses["loss_mask"] > 0) == (sum(counts) > 0)
    assert model.roi_heads.mask_head.predictor.weight.grad is not None


def test_masks_that_vanish_with_their_boxes_are_dropped():
    found = Instances((10, 10), pred_boxes=Boxes([[1, 1, 9, 9], [12, 3, 15, 6.0]]))
    found.pred_masks = torch.ones(2, 1, 28, 28)
    pasted = detector_postprocess(found, 20, 30)
    assert pasted.pred_masks.shape == (1, 20, 30)
    assert pasted.pred_masks.sum() == (18 - 2) * (27 - 3)
    assert found.pred_masks.shape == (2, 1, 28, 28)


def test_training_without_masks_and_unknown_heads_are_named():
    with pytest.raises(AttributeError, match="gt_masks"):
        train_step(build("faster", *MASK), records(3))
    with pytest.raises(KeyError, match="NoSuchHead"):
        build("faster", *MASK, "MODEL.ROI_MASK_HEAD.NAME", "NoSuchHead")
    with pytest.raises(KeyError, match="PanopticFPN"):
        build("faster", *MASK, "MODEL.META_ARCHITECTURE", "PanopticFPN")
    assert "PanopticFPN" not in META_ARCH_REGISTRY and "faster" in KINDS


@pytest.mark.filterwarnings("ignore")
def test_a_trace_of_masks_within_regions_takes_other_images():
    torch.manual_seed(0)
    model = build("faster", *MASK, "MODEL.ROI_HEADS.SCORE_THRESH_TEST", 0.0).eval()

    def detect(model, batch):
        (found,) = model.inference(batch, do_postprocess=False)
        return found.pred_boxes.tensor, found.scores, found.pred_masks

    assert_traces(model, detect)
