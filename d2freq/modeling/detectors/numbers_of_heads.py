"""Numbers that no dense detector can have: refused, with their key, before a step is trained."""

from d2freq.errors import UserError
from d2freq.utils.ranges import COUNT, FROM_ZERO, SHARE, check_ranges

__all__ = ["check_detections", "check_head"]

RANGES = {
    "NUM_CLASSES": COUNT,
    "SCORE_THRESH_TEST": SHARE,
    "TOPK_CANDIDATES_TEST": COUNT,
    "NMS_THRESH_TEST": SHARE,
}


def check_detections(
    *,
    section: str,
    num_classes: int,
    score_thresh: float,
    topk_candidates: int,
    nms_thresh: float,
    limit: int,
) -> None:
    """Refuse numbers by which nothing, or something else than asked for, would be detected.

    Args:
        section: of the config: "MODEL.ATSS".
        num_classes, score_thresh, topk_candidates, nms_thresh: its keys NUM_CLASSES,
            SCORE_THRESH_TEST, TOPK_CANDIDATES_TEST and NMS_THRESH_TEST.
        limit: TEST.DETECTIONS_PER_IMAGE.

    Raises:
        UserError: one of them is out of its range.
    """
    values = (num_classes, score_thresh, topk_candidates, nms_thresh)
    check_ranges(dict(zip(RANGES, values, strict=True)), RANGES, section=section)
    key = "DETECTIONS_PER_IMAGE"
    check_ranges({key: limit}, {key: FROM_ZERO}, section="TEST")


def check_head(*, section: str, num_classes: int, num_convs: int, prior_prob: float) -> None:
    """Refuse what no head can be built of.

    Raises:
        UserError: no class, a number of convolutions below 0, or a probability that is none between
            0 and 1.
    """
    check_ranges({"NUM_CLASSES": num_classes}, {"NUM_CLASSES": COUNT}, section=section)
    if num_convs not in FROM_ZERO or prior_prob not in SHARE or not 0 < prior_prob < 1:
        raise UserError(
            f"num_convs ({section}.NUM_CONVS) {num_convs!r} and prior_prob ({section}.PRIOR_PROB) "
            f"{prior_prob!r}: give a number from 0 on, and a probability above 0 and below 1"
        )
