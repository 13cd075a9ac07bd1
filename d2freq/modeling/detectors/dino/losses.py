"""DINO's losses: of each decoder layer, of the encoder's proposals, and of the denoising queries.

N images, L decoder layers, Q matching queries behind D denoising ones, K classes. Boxes are
(cx, cy, w, h) as shares of the picture.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from fvcore.nn import sigmoid_focal_loss
from torch import Tensor

from d2freq.modeling.detectors.dino.boxes import corners, generalized_iou
from d2freq.modeling.detectors.dino.denoising import Denoising
from d2freq.modeling.detectors.dino.matching import Costs, match
from d2freq.modeling.detectors.dino.outputs import Outputs, Predictions
from d2freq.modeling.detectors.fcos.losses import mean_over_processes
from d2freq.ops.dct import working_dtype

__all__ = ["Weights", "dino_losses"]

Pairs = list[tuple[Tensor, Tensor]]  # for each image (query, object)


class Weights(NamedTuple):
    """Factors of the three terms, and the focal loss's constants; DINO's."""

    cls: float = 1.0
    box: float = 5.0
    giou: float = 2.0
    alpha: float = 0.25
    gamma: float = 2.0


def dino_losses(
    outputs: Outputs,
    denoising: Denoising | None,
    gt_classes: list[Tensor],
    gt_boxes: list[Tensor],
    *,
    weights: Weights | None = None,
    costs: Costs | None = None,
    sizes: Tensor | None = None,
    with_denoising: bool = True,
) -> dict[str, Tensor]:
    """All losses, each layer matched anew.

    A matched query answers for its object: focal loss of the class, L1 and GIoU of the box; any
    other for the background. Sums are divided by the objects of the batch; those of denoising, in
    which padding counts as background as in the published codes, by its positive queries. Both
    numbers are means over all processes, at least 1.

    Args:
        outputs: see :class:`Outputs`.
        denoising: what the first D queries were; None where D is 0.
        gt_classes: N tensors (G_i,) int64.
        gt_boxes: N tensors (G_i, 4).
        weights: None for the papers'.
        costs, sizes: of :func:`~d2freq.modeling.detectors.dino.matching.match`.
        with_denoising: True: without objects there is no denoising, but its losses are 0, so that
            all processes have the same names. False: a model without, which has no such losses.

    Returns:
        Scalars: "loss_dino_cls", "loss_dino_box", "loss_dino_giou" of the last layer, with
        "_stage0" and so on of the layers before it; with "_enc" of the encoder; with "_dn" and
        "_dn_stage0" of denoising.
    """
    used = weights or Weights()
    hidden = denoising.labels.shape[1] if denoising else 0
    objects = torch.tensor(sum(len(each) for each in gt_boxes), device=outputs.encoder.boxes.device)
    positives = denoising.positive.sum() if denoising else torch.zeros_like(objects)
    counts = mean_over_processes(torch.stack((objects, positives)).float()).clamp(min=1)

    matching = [Predictions(*(each[:, hidden:] for each in layer)) for layer in outputs.layers]
    names = _names(len(matching), "")
    losses: dict[str, Tensor] = {}
    for name, found in zip([*names, "_enc"], [*matching, outputs.encoder], strict=True):
        pairs = match(*found, gt_classes, gt_boxes, costs, sizes)
        losses |= _terms(name, found, pairs, gt_classes, gt_boxes, used, counts[0])
    if with_denoising:
        pairs = _known_pairs(denoising) if denoising else []
        for name, layer in zip(_names(len(matching), "_dn"), outputs.layers, strict=True):
            found = Predictions(*(each[:, :hidden] for each in layer))
            losses |= _terms(name, found, pairs, gt_classes, gt_boxes, used, counts[1])
    return losses


def _names(layers: int, kind: str) -> list[str]:
    return [*(f"{kind}_stage{layer}" for layer in range(layers - 1)), kind]


def _known_pairs(denoising: Denoising) -> Pairs:
    """Of each image the positive queries with the objects that they began at."""
    rows = zip(denoising.positive, denoising.target, strict=True)
    return [(positive.nonzero()[:, 0], target[positive]) for positive, target in rows]


def _terms(
    name: str,
    found: Predictions,
    pairs: Pairs,
    gt_classes: Sequence[Tensor],
    gt_boxes: Sequence[Tensor],
    weights: Weights,
    normaliser: Tensor,
) -> dict[str, Tensor]:
    """The three losses of one set of queries."""
    logits, boxes = (each.to(working_dtype(each)) for each in found)
    classes = torch.zeros_like(logits)
    # without any pair, empty parts still lead back to the boxes: no parameter is left out
    chosen, truth = [boxes[:, :0].flatten(0, 1)], [boxes.new_zeros(0, 4)]
    for image, (query, object_) in enumerate(pairs):
        classes[image, query, gt_classes[image][object_]] = 1
        chosen.append(boxes[image, query])
        truth.append(gt_boxes[image][object_].to(boxes))
    focal = sigmoid_focal_loss(
        logits, classes, alpha=weights.alpha, gamma=weights.gamma, reduction="sum"
    )
    placed, wanted = torch.cat(chosen), torch.cat(truth)
    distance = (placed - wanted).abs().sum()
    apart = (1 - generalized_iou(corners(placed), corners(wanted))).sum()
    return {
        f"loss_dino_cls{name}": weights.cls * focal / normaliser,
        f"loss_dino_box{name}": weights.box * distance / normaliser,
        f"loss_dino_giou{name}": weights.giou * apart / normaliser,
    }
