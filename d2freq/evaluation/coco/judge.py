"""What becomes of each single detection and each single object, at one overlap.

N detections, G ground truth boxes. The matching is the protocol's own, with its
limits, flags and ignore regions. A detection's turn comes before those of lower scores, so what
becomes of it is the same however many of those a threshold cuts off.
"""

from dataclasses import dataclass, replace

import numpy as np

from d2freq.evaluation.coco.counting import in_ignore_regions, rows_of
from d2freq.evaluation.coco.guard import Detections, GroundTruth
from d2freq.evaluation.coco.matching import EXCUSED, HIT, MISS, match, place_in_image
from d2freq.evaluation.coco.score_cuts import states_of, usual_overlap
from d2freq.evaluation.protocols.protocol import Protocol

__all__ = ["EXCUSED", "HIT", "MISS", "Judgement", "judge"]


@dataclass(frozen=True)
class Judgement:
    """The detections and the ground truth, each row judged.

    Attributes:
        iou: the overlap that makes a hit.
        state: (N,) int8. HIT; MISS, a false alarm; or EXCUSED, neither right nor wrong: on a
            crowd, in an ignore region, or beyond what the protocol looks at in an image.
        box: (N,) int64, the row of the box that is hit, -1 where none is.
        counted: (G,) bool, whether the box is an object to be found.
        found_at: (G,) float64, the score of the detection that hits it, -inf where none does.
    """

    iou: float
    state: np.ndarray
    box: np.ndarray
    counted: np.ndarray
    found_at: np.ndarray


def judge(
    truth: GroundTruth, detections: Detections, protocol: Protocol, iou: float | None = None
) -> Judgement:
    """Judge every detection by a protocol.

    Args:
        truth, detections: as the guard gives them, masks or boxes.
        iou: the overlap that makes a hit; None takes ``usual_overlap``.
    """
    iou = usual_overlap(protocol) if iou is None else iou
    limit = protocol.max_dets[protocol.ap_index]
    single = replace(
        protocol, areas=(), iou_thresholds=(iou,), max_dets=(limit,), ap_limit=None, olrp=False
    )
    found_out, boxes_out = in_ignore_regions(truth, detections, protocol)
    seen, known = np.flatnonzero(~found_out), np.flatnonzero(~boxes_out)
    if protocol.limit_per == "image":
        seen = seen[place_in_image(detections.select(seen)) < limit]
    kinds = np.array(list(truth.categories), np.int64)
    state = np.full(len(detections), EXCUSED, np.int8)
    hit_box = np.full(len(detections), -1, np.int64)
    parts = zip(
        rows_of(truth.category_id[known], kinds),
        rows_of(detections.category_id[seen], kinds),
        strict=True,
    )
    for boxes, rows in parts:
        boxes, rows = known[boxes], seen[rows]
        matches = match(truth.take(boxes), detections.select(rows), single)
        state[rows[matches.row]] = states_of(matches, single, iou)
        hit_box[rows[matches.row[matches.candidate]]] = np.append(boxes, -1)[matches.box]
    found_at = np.full(len(truth.crowd), -np.inf)
    hits = hit_box >= 0
    found_at[hit_box[hits]] = detections.score[hits]
    inside = (truth.area >= protocol.whole.low) & (truth.area <= protocol.whole.high)
    counted = ~truth.crowd & ~boxes_out & inside
    return Judgement(iou, state, hit_box, counted, found_at)
