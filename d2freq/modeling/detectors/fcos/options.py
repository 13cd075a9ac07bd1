"""Values of FCOS's options, refused with their key where they make no sense."""

from d2freq.modeling.detectors.fcos.losses import BOX_LOSSES
from d2freq.modeling.detectors.numbers_of_heads import check_detections
from d2freq.utils.choices import choice
from d2freq.utils.ranges import ALPHA, POSITIVE, WEIGHT, check_ranges

__all__ = ["check_options"]

SECTION = "MODEL.FCOS"
CHOICES = {
    "box_loss": tuple(BOX_LOSSES),
    "normalizer": ("average", "batch"),
    "score": ("root", "product"),
    "inference": ("detectron2", "published"),
}
RANGES = {
    "CENTER_SAMPLING_RADIUS": POSITIVE,
    "FOCAL_LOSS_ALPHA": ALPHA,
    "FOCAL_LOSS_GAMMA": WEIGHT,
}


def check_options(
    *,
    num_classes: int,
    center_sampling_radius: float,
    focal_loss_alpha: float,
    focal_loss_gamma: float,
    score_thresh: float,
    topk_candidates: int,
    nms_thresh: float,
    limit: int,
    **choices: str,
) -> None:
    """Refuse options of FCOS.

    Args:
        num_classes, score_thresh, topk_candidates, nms_thresh, limit: see
            :func:`~d2freq.modeling.detectors.numbers_of_heads.check_detections`.
        center_sampling_radius, focal_loss_alpha, focal_loss_gamma: the keys of these names.
        choices: those of CHOICES.

    Raises:
        UserError: an option is none of its choices, or a number out of its range.
    """
    values = (center_sampling_radius, focal_loss_alpha, focal_loss_gamma)
    check_ranges(dict(zip(RANGES, values, strict=True)), RANGES, section=SECTION)
    check_detections(
        section=SECTION,
        num_classes=num_classes,
        score_thresh=score_thresh,
        topk_candidates=topk_candidates,
        nms_thresh=nms_thresh,
        limit=limit,
    )
    for option, value in choices.items():
        choice(value, CHOICES[option], key=f"{option} ({SECTION}.{option.upper()})")
