"""Contrastive denoising: queries that start at ground truth with noise, beside the matching ones.

N images, M objects of the image that has most (after the cap), D = 2 * groups * M denoising
queries, Q matching queries, K classes. Boxes are (cx, cy, w, h) as shares of the picture.

Source: Zhang et al. 2022, "DINO: DETR with Improved DeNoising Anchor Boxes". A group holds each
object twice: moved by less than half its size it is to be found again, moved by more it is to be
recognised as background. Each further group is another draw.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from d2freq.errors import UserError
from d2freq.modeling.detectors.dino.boxes import corners, from_corners, inverse_sigmoid
from d2freq.utils.ranges import FROM_ZERO, SHARE, WEIGHT

__all__ = ["Denoising", "check_noise", "make_denoising"]

LOGIT_EPS = 1e-3  # the published codes' for boxes that become queries


class Denoising(NamedTuple):
    """The denoising queries of a batch, in the order [group][positives of M, negatives of M].

    Attributes:
        labels: (N, D) int64, class ids, some of them replaced.
        boxes: (N, D, 4) float, logits of the moved boxes; 0 in padding.
        mask: (D + Q, D + Q) bool: True where the row's query does not see the column's.
        positive: (N, D) bool: to be found again.
        target: (N, D) int64, the place of the object among those of its image; 0 in padding.
        valid: (N, D) bool: False in the padding of images with fewer than M objects.
        groups: how many groups there are.
    """

    labels: Tensor
    boxes: Tensor
    mask: Tensor
    positive: Tensor
    target: Tensor
    valid: Tensor
    groups: int


def make_denoising(
    gt_classes: list[Tensor],
    gt_boxes: list[Tensor],
    *,
    num_classes: int,
    num_queries: int,
    number: int = 100,
    label_noise: float = 0.5,
    box_noise: float = 1.0,
    max_gt: int = 0,
    generator: torch.Generator | None = None,
) -> Denoising | None:
    """Draw the denoising queries of a batch.

    The published rule has at least one group, however many objects there are: 2,667 objects, as in
    AI-TOD, make 5,334 queries, and self-attention takes the square of that. ``max_gt`` caps it.

    Args:
        gt_classes: N tensors (G_i,) int64.
        gt_boxes: N tensors (G_i, 4), shares of the picture.
        num_classes: K.
        num_queries: Q, for the mask.
        number: positives of all groups together, about; 0 for no denoising.
        label_noise: half of this share of the labels is replaced, each by any class.
        box_noise: how far each corner moves along each axis, in half sides of the box: up to once
            this for positives, from once to twice for negatives.
        max_gt: of an image with more objects so many take part, drawn anew each time; 0 for all.
        generator: of random numbers, on any device; None for torch's own.

    Returns:
        None where ``number`` is 0 or no image has an object.

    Raises:
        UserError: a setting out of range.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.detectors.dino.denoising import make_denoising
        >>> boxes = [torch.tensor([[0.5, 0.5, 0.1, 0.1]] * 7), torch.zeros(0, 4)]
        >>> classes = [torch.zeros(7, dtype=torch.long), torch.zeros(0, dtype=torch.long)]
        >>> made = make_denoising(classes, boxes, num_classes=8, num_queries=900)
        >>> made.groups, made.boxes.shape, made.mask.shape  # 100 // 7 groups, twice 7 queries each
        (14, torch.Size([2, 196, 4]), torch.Size([1096, 1096]))
    """
    check_noise(number, label_noise, box_noise, max_gt)
    device = gt_boxes[0].device
    source = device if generator is None else generator.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=source).to(device)

    counts = [len(each) for each in gt_boxes]
    if not number or not sum(counts):
        return None
    chosen = [_choose(count, max_gt, generator, source).to(device) for count in counts]
    most = max(len(each) for each in chosen)
    groups = max(1, number // most)

    present = _padded([torch.ones_like(each, dtype=torch.bool) for each in chosen])  # (N, M)
    classes = _padded([each[pick] for each, pick in zip(gt_classes, chosen, strict=True)])
    boxes = _padded([each[pick].float() for each, pick in zip(gt_boxes, chosen, strict=True)])
    queries = (len(counts), 2 * groups * most)

    labels = classes.repeat(1, 2 * groups)
    other = (uniform(*queries) * num_classes).long().clamp(max=num_classes - 1)
    labels = torch.where(uniform(*queries) < label_noise / 2, other, labels)

    half = torch.arange(2, device=device).repeat(groups).repeat_interleave(most)  # 1: negatives
    moved = _moved(boxes.repeat(1, 2 * groups, 1), half, box_noise, uniform)
    valid = present.repeat(1, 2 * groups)
    return Denoising(
        labels=labels * valid,
        boxes=inverse_sigmoid(moved, eps=LOGIT_EPS) * valid[..., None],
        mask=_mask(groups, 2 * most, num_queries, device),
        positive=valid & (half == 0),
        target=_padded(chosen).repeat(1, 2 * groups),
        valid=valid,
        groups=groups,
    )


def _moved(boxes: Tensor, half: Tensor, noise: float, uniform) -> Tensor:
    """Boxes (N, D, 4) with each corner moved on its own, and cut at the picture's edges.

    A negative's corners may pass each other; its width is below 0 then, and the smallest as logit.
    """
    shape = boxes.shape
    distance = uniform(*shape) + half[:, None]
    direction = torch.where(uniform(*shape) < 0.5, -1.0, 1.0)
    sides = boxes[..., 2:].repeat(1, 1, 2) / 2
    return from_corners((corners(boxes) + direction * distance * sides * noise).clamp(0, 1))


def _mask(groups: int, size: int, num_queries: int, device: torch.device) -> Tensor:
    """True: hidden. A group sees itself and the matching queries, which see no group."""
    group = torch.arange(groups, device=device).repeat_interleave(size)
    matching = torch.full((num_queries,), groups, device=device)
    row = torch.cat((group, matching))
    return (row[:, None] != row) & (row != groups)


def _choose(
    count: int, max_gt: int, generator: torch.Generator | None, device: torch.device
) -> Tensor:
    """Which of an image's objects take part, in their order."""
    if not max_gt or count <= max_gt:
        return torch.arange(count, device=device)
    drawn = torch.randperm(count, generator=generator, device=device)[:max_gt]
    return drawn.sort().values


def _padded(rows: list[Tensor]) -> Tensor:
    return pad_sequence(rows, batch_first=True)


def check_noise(number: int, label_noise: float, box_noise: float, max_gt: int) -> None:
    """Refuse settings of :func:`make_denoising` that are out of range, by a UserError."""
    if number not in FROM_ZERO:
        raise UserError(f"MODEL.DINO.DN_NUMBER is {number}: 0 for no denoising, or how many")
    if label_noise not in SHARE:
        raise UserError(f"MODEL.DINO.LABEL_NOISE is {label_noise}: a share from 0 to 1")
    if box_noise not in WEIGHT:
        raise UserError(f"MODEL.DINO.BOX_NOISE is {box_noise}: half sides, from 0 on")
    if max_gt not in FROM_ZERO:
        raise UserError(f"MODEL.DINO.DN_MAX_GT is {max_gt}: objects per image, 0 for all")
