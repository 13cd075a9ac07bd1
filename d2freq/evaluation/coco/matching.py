"""COCO's greedy matching of one category's detections with its ground truth, on arrays.

N detections, G ground truth boxes (or masks), P pairs of the two, C detections in at least one
pair, A areas ("all" first), T overlap thresholds.

The rule: detections take turns by falling score, each for itself in every area and at every
threshold. A detection takes the free box that it overlaps most, a counted one before an ignored
one, of equals the later; crowd boxes stay free. Where a protocol's ``excuse`` says so, all boxes
that are ignored in an area are crowds there, overlapped by the share of the detection.

What makes it fast: only pairs that overlap by the lowest threshold matter, and detections of
different images do not compete, so that the n-th candidates of all images have their turn at once.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from d2freq.evaluation.coco.guard import Detections, GroundTruth
from d2freq.evaluation.coco.masks import mask_overlaps
from d2freq.evaluation.coco.overlaps import neighbours, pair_overlaps, pairs_of
from d2freq.evaluation.protocols.protocol import OLRP_IOU, Protocol

MISS, HIT, EXCUSED = 0, 1, 2  # on nothing, on a counted box, on an ignored box
CHUNK = 1_000_000  # pairs of detection and box whose overlap is computed at a time


@dataclass(frozen=True)
class Matches:
    """The detections of one category by falling score, equals by image and order of arrival.

    Attributes:
        score: (N,) float64.
        rank: (N,) int32, place among the image's detections, of the category or of all as the
            protocol's limit goes, from 0.
        inside: (N, A) bool, whether the detection's own area lies in the range.
        candidate: (C,) rising indices of the detections that reach a box; the others are a MISS.
        state: (C, A, T) int8, MISS, HIT or EXCUSED.
        overlap: (C, A) IoU with the box that is hit at 0.5; None where the protocol has no oLRP.
        positives: (A,) int64, ground truth boxes that are to be found.
        row: (N,) int64, place of each among the detections that were given.
        box: (C,) int64, place among the given ground truth of the box that is hit in "all" at the
            lowest threshold; -1 where none is.
    """

    score: np.ndarray
    rank: np.ndarray
    inside: np.ndarray
    candidate: np.ndarray
    state: np.ndarray
    overlap: np.ndarray | None
    positives: np.ndarray
    row: np.ndarray
    box: np.ndarray


def match(
    truth: GroundTruth,
    found: Detections,
    protocol: Protocol,
    advance: Callable[[int], object] = lambda number: None,
) -> Matches:
    """Match the detections of one category.

    Args:
        truth: the ground truth of that category.
        found: its detections, in any order; of each image the best ``max_dets[-1]`` take part.
        advance: is told how many more detections are done, now and then.
    """
    given = len(found)
    row, rank = _best_of_each_image(found, protocol.max_dets[-1])
    found = found.select(row)
    advance(given - len(found))
    order = np.lexsort((truth.xywh[:, 0], truth.image_id))
    truth = truth.take(order)
    low, high = np.array([(area.low, area.high) for area in protocol.all_areas]).T
    area = truth.area[:, None]
    outside = (area < low) | (area > high)
    ignored = truth.crowd[:, None] | outside
    counted = ~(outside if protocol.recall_of == "counted and flagged" else ignored)
    # the COCO API takes a threshold of 1 for just below 1
    thresholds = np.minimum(protocol.iou_thresholds, 1 - 1e-10)

    first, last = neighbours(found.image_id, found.xywh, truth.image_id, truth.xywh)
    parts = []
    for part in _chunks(found.image_id, last - first):
        detection, box = pairs_of(first[part], last[part])
        detection += part.start
        overlap = _overlaps(found, detection, truth, box, truth.crowd)
        share = overlap
        if protocol.excuse == "ignored":
            share = _overlaps(found, detection, truth, box, np.ones_like(truth.crowd))
        near = np.maximum(overlap, share) >= thresholds.min()
        pairs = _Pairs(
            found.image_id, order, detection[near], box[near], overlap[near], share[near]
        )
        parts.append(_take_turns(pairs, ignored, truth.crowd, protocol, thresholds))
        advance(part.stop - part.start)
    candidate, state, hit_overlap, box = (np.concatenate(p) for p in zip(*parts, strict=True))

    by_score = np.argsort(-found.score, kind="stable")
    place = np.empty_like(by_score)
    place[by_score] = np.arange(len(by_score))
    turn = np.argsort(place[candidate])
    own = found.area[by_score, None]
    return Matches(
        score=found.score[by_score],
        rank=rank[by_score],
        inside=(own >= low) & (own <= high),
        candidate=place[candidate][turn],
        state=state[turn],
        overlap=hit_overlap[turn] if protocol.olrp else None,
        positives=counted.sum(0),
        row=row[by_score],
        box=np.append(order, -1)[box[turn]],
    )


def _overlaps(
    found: Detections, detection: np.ndarray, truth: GroundTruth, box: np.ndarray, crowd: np.ndarray
) -> np.ndarray:
    """IoU of each pair (P,), or IoD with a ``crowd`` (G,); of masks where the truth has them."""
    if truth.masks is None:
        return pair_overlaps(found.xywh[detection], truth.xywh[box], crowd[box])
    assert found.masks is not None
    return mask_overlaps(found.masks, detection, truth.masks, box, crowd)


def rank_in_image(found: Detections) -> np.ndarray:
    """The place of each detection in its image by falling score, equals as they come, (N,)."""
    order = _by_score(found)
    return _places(found.image_id[order])[np.argsort(order)]


def place_in_image(found: Detections) -> np.ndarray:
    """How many detections of its image stand before each one, whatever their scores, (N,)."""
    order = np.argsort(found.image_id, kind="stable")
    return _places(found.image_id[order])[np.argsort(order)]


def _by_score(found: Detections) -> np.ndarray:
    """The order (N,) by image and falling score; equals stay in order of arrival."""
    return np.lexsort((-found.score, found.image_id))


def _places(image_id: np.ndarray) -> np.ndarray:
    """The places (N,) within each image of rising ``image_id`` (N,)."""
    return np.arange(len(image_id)) - np.searchsorted(image_id, image_id)


def _best_of_each_image(found: Detections, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the best ``limit`` of each image, by image and falling score, and their rank."""
    order = _by_score(found)
    rank = _places(found.image_id[order])
    keep = rank < limit
    return order[keep], rank[keep].astype(np.int32)


def _chunks(image_id: np.ndarray, pairs: np.ndarray) -> list[slice]:
    """Runs of detections (N,) on whole images, with CHUNK pairs or a few more each."""
    starts = np.unique(image_id, return_index=True)[1]
    before = np.cumsum(pairs)[starts] - pairs[starts]
    cuts = starts[1:][np.diff(before // CHUNK) > 0].tolist()
    return [slice(*ends) for ends in zip([0, *cuts], [*cuts, len(image_id)], strict=True)]


class _Pairs:
    """Near pairs in the order of turns, those of a detection by rising preference.

    Attributes:
        candidate: (C,) rising indices of the detections that are in a pair.
        number: (P,) places of the pairs' detections in ``candidate``.
        box, overlap, share: (P,) each; ``share`` is IoD where ignored boxes excuse by it.
        turns: the ranges of pairs that are looked at together, one detection an image each.
    """

    def __init__(self, image_id, arrival, detection, box, overlap, share):
        self.candidate, number = np.unique(detection, return_inverse=True)
        images = image_id[self.candidate]
        turn = (np.arange(len(images)) - np.searchsorted(images, images))[number]
        order = np.lexsort((arrival[box], overlap, detection, turn))
        self.number, self.box = number[order], box[order]
        self.overlap, self.share = overlap[order], share[order]
        turn = turn[order]
        cuts = (np.flatnonzero(np.diff(turn)) + 1).tolist()
        self.turns = [slice(*e) for e in zip([0, *cuts], [*cuts, len(turn)], strict=True)]


def _take_turns(
    pairs: _Pairs, ignored: np.ndarray, crowd: np.ndarray, protocol: Protocol, thresholds
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The candidates (C,), their state (C, A, T), the IoU of their hits at 0.5 (C, A), the box.

    The box (C,) is that of the hit in "all" at the lowest threshold, -1 without one.
    """
    areas, levels = ignored.shape[1], len(thresholds)
    loose = protocol.excuse == "ignored"
    stays = ignored if loose else np.broadcast_to(crowd[:, None], ignored.shape)
    free = np.ones((len(crowd), areas, levels), bool)
    state = np.zeros((len(pairs.candidate), areas, levels), np.int8)
    hit_overlap = np.zeros((len(pairs.candidate), areas if protocol.olrp else 0))
    hit_box = np.full(len(pairs.candidate), -1)
    for turn in pairs.turns if len(pairs.box) else ():
        number, box, overlap = pairs.number[turn], pairs.box[turn], pairs.overlap[turn]
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        size = len(box)
        # the preference among a detection's pairs: its place, and all counted before all ignored
        value = np.arange(1, size + 1)[:, None] + size * ~ignored[box]
        reached = (overlap[:, None] >= thresholds)[:, None, :]
        if loose:
            excused = (pairs.share[turn][:, None] >= thresholds)[:, None, :]
            reached = np.where(ignored[box][:, :, None], excused, reached)
        open_ = free[box] & reached
        best = np.maximum.reduceat(open_ * value[:, :, None].astype(np.int32), starts)
        detection, area, level = np.nonzero(best)
        best = best[detection, area, level]
        state[number[starts[detection]], area, level] = np.where(best > size, HIT, EXCUSED)
        taken = (best - 1) % size
        free[box[taken], area, level] = stays[box[taken], area]
        first = (area == 0) & (level == 0) & (best > size)
        hit_box[number[starts[detection[first]]]] = box[taken[first]]
        if protocol.olrp:
            own = (level == protocol.iou_thresholds.index(OLRP_IOU)) & (best > size)
            hit_overlap[number[starts[detection[own]]], area[own]] = overlap[taken[own]]
    return pairs.candidate, state, hit_overlap, hit_box
