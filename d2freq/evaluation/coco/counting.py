"""Precision and recall by COCO's rules under any protocol, and oLRP, counted on arrays.

T overlap thresholds, R recall points, K categories, A areas ("all" first), M limits; of one
category N detections, of which C overlap some ground truth.

The count is our own because the libraries' want a Python dictionary a detection. Of 4.2 million
detections on two shared cores faster-coco-eval took 71 s, and 65 s where its compiled part was fed
past its public interface; this takes 10 s, holds arrays alone, and knows which detection hit what,
which oLRP needs. pycocotools is the oracle of the tests.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from d2freq.evaluation.coco.guard import Detections, GroundTruth
from d2freq.evaluation.coco.matching import HIT, MISS, Matches, match, place_in_image
from d2freq.evaluation.coco.olrp import Olrp, olrp_of
from d2freq.evaluation.coco.regions import in_regions
from d2freq.evaluation.coco.score_cuts import Curve, curve_of, states_of, usual_overlap
from d2freq.evaluation.protocols.protocol import Protocol

LARGE = 300_000  # detections from which on counting takes seconds and shows a progress bar


@dataclass(frozen=True)
class Counts:
    """What a protocol counts.

    Attributes:
        precision: (T, R, K, A, M) in [0, 1], -1 where a category has no ground truth in an area.
            Where the protocol has no recall points, R is 1 and this the area under the curve.
        recall: (T, K, A, M), likewise.
        weight: (K, A), how much a category weighs in means; None: all the same.
        olrp: oLRP, its parts and the best score cuts, (K, A) each; None where the protocol has
            none.
        curves: precision and recall over scores of each category, K of them, at the overlap of
            ``score_cuts.usual_overlap``.
        excused: detections and ground truth boxes that were left out because they lie in
            the image's ignore regions.
    """

    protocol: Protocol
    categories: tuple[str, ...]
    precision: np.ndarray
    recall: np.ndarray
    weight: np.ndarray | None = None
    olrp: Olrp | None = None
    curves: tuple[Curve, ...] = ()
    excused: tuple[int, int] = (0, 0)

    def ap(self, area: str = "all", iou: float | None = None, category: int | None = None) -> float:
        """Average precision in percent at ``protocol.ap_limit``; NaN without ground truth."""
        values = self.precision[:, :, :, self._area(area), self.protocol.ap_index]
        if iou is not None:
            values = values[[self._iou(iou)]]
        return self._percent(values, area, category)

    def ar(self, area: str = "all", limit: int = -1, category: int | None = None) -> float:
        """Average recall in percent; ``limit`` is an index into ``protocol.max_dets``."""
        return self._percent(self.recall[:, :, self._area(area), limit], area, category)

    def has_iou(self, iou: float) -> bool:
        """Whether the protocol counts at this overlap."""
        return bool(np.isclose(self.protocol.iou_thresholds, iou).any())

    def _percent(self, values: np.ndarray, area: str, category: int | None) -> float:
        """The mean of ``values`` (..., K) that are known."""
        if category is not None:
            known = values[..., category]
            return _mean(known[known > -1])
        if self.weight is None:
            return _mean(values[values > -1])
        weight = np.broadcast_to(self.weight[:, self._area(area)], values.shape)[values > -1]
        return _mean(values[values > -1], weight)

    def _iou(self, iou: float) -> int:
        return int(np.flatnonzero(np.isclose(self.protocol.iou_thresholds, iou))[0])

    def _area(self, label: str) -> int:
        return [area.label for area in self.protocol.all_areas].index(label)


def _mean(known: np.ndarray, weight: np.ndarray | None = None) -> float:
    """In percent; NaN of nothing."""
    return float(np.average(known, weights=weight)) * 100 if known.size else float("nan")


def count(truth: GroundTruth, detections: Detections, protocol: Protocol) -> Counts:
    """Match detections with ground truth and count, category by category."""
    truth, detections, excused = _outside_regions(truth, detections, protocol)
    weight = _images_with(truth, protocol) if protocol.mean_over == "images" else None
    if protocol.limit_per == "image":  # what a limit cuts off must not take an object away
        place = place_in_image(detections)
        limits = [replace(protocol, max_dets=(n,), ap_limit=None) for n in protocol.max_dets]
        parts = [
            _count(truth, detections.select(place < n), single)
            for n, single in zip(protocol.max_dets, limits, strict=True)
        ]
        precision, recall = (np.concatenate([part[n] for part in parts], -1) for n in (0, 1))
        olrp, curves = parts[protocol.ap_index][2:]
    else:
        precision, recall, olrp, curves = _count(truth, detections, protocol)
    return Counts(
        protocol=protocol,
        categories=tuple(truth.categories.values()),
        precision=precision,
        recall=recall,
        weight=weight,
        olrp=olrp,
        curves=curves,
        excused=excused,
    )


def _count(
    truth: GroundTruth, detections: Detections, protocol: Protocol
) -> tuple[np.ndarray, np.ndarray, Olrp | None, tuple[Curve, ...]]:
    """Precision, recall, oLRP and curves as of Counts, by limits of each category of an image."""
    parts, iou = [], usual_overlap(protocol)
    for matches in _matches(truth, detections, protocol):
        olrp = olrp_of(matches, protocol) if protocol.olrp else None
        states = states_of(matches, protocol, iou)
        curve = curve_of(matches.score, states, int(matches.positives[0]))
        parts.append((*accumulate(matches, protocol), olrp, curve))
    precision, recall, olrps, curves = zip(*parts, strict=True)
    stacked = Olrp(*np.stack(olrps, 1)) if protocol.olrp else None
    return np.stack(precision, 2), np.stack(recall, 1), stacked, curves


def _outside_regions(
    truth: GroundTruth, detections: Detections, protocol: Protocol
) -> tuple[GroundTruth, Detections, tuple[int, int]]:
    found, boxes = in_ignore_regions(truth, detections, protocol)
    excused = int(found.sum()), int(boxes.sum())
    if not any(excused):
        return truth, detections, excused
    return truth.take(~boxes), detections.select(~found), excused


def in_ignore_regions(
    truth: GroundTruth, detections: Detections, protocol: Protocol
) -> tuple[np.ndarray, np.ndarray]:
    """Which detections (N,) and which boxes (G,) the protocol leaves out with their region."""
    share = protocol.region_share
    if share is None or not len(truth.region_xywh):
        return np.zeros(len(detections), bool), np.zeros(len(truth.crowd), bool)
    rule = protocol.region_rule
    found = in_regions(truth, detections.image_id, detections.xywh, share, rule)
    return found, in_regions(truth, truth.image_id, truth.xywh, share, rule)


def _images_with(truth: GroundTruth, protocol: Protocol) -> np.ndarray:
    """How many images have a box of each category and area, (K, A), flagged boxes included."""
    result = np.zeros((len(truth.categories), len(protocol.all_areas)), np.int64)
    for k, category in enumerate(truth.categories):
        own = truth.take(truth.category_id == category)
        for a, area in enumerate(protocol.all_areas):
            inside = (own.area >= area.low) & (own.area <= area.high)
            result[k, a] = len(np.unique(own.image_id[inside]))
    return result


def _matches(truth: GroundTruth, detections: Detections, protocol: Protocol) -> Iterable[Matches]:
    """The matches of each category, under a progress bar where there are many detections."""
    kinds = np.array(list(truth.categories), np.int64)
    boxes, found = (rows_of(ids, kinds) for ids in (truth.category_id, detections.category_id))
    quiet = len(detections) < LARGE
    with tqdm(total=len(detections), desc="counting", unit=" detections", disable=quiet) as bar:
        for own, candidates in zip(boxes, found, strict=True):
            yield match(truth.take(own), detections.select(candidates), protocol, bar.update)


def rows_of(category_id: np.ndarray, kinds: np.ndarray) -> list[np.ndarray]:
    """The rows of each category of ``kinds``, in their order."""
    order = np.argsort(category_id, kind="stable")
    ends = [np.searchsorted(category_id, kinds, side, sorter=order) for side in ("left", "right")]
    return [order[start:stop] for start, stop in zip(*ends, strict=True)]


def accumulate(matches: Matches, protocol: Protocol) -> tuple[np.ndarray, np.ndarray]:
    """Precision (T, R, A, M) and recall (T, A, M) of one category.

    Recall rises, and precision peaks, at hits alone, so both are needed there only; hits are
    candidates, and the detections that are none are counted up to there.
    """
    levels, areas = len(protocol.iou_thresholds), len(protocol.all_areas)
    points = np.linspace(0.0, 1.0, protocol.recall_points or 1)
    precision = np.full((levels, len(points), areas, len(protocol.max_dets)), -1.0)
    recall = np.full((levels, areas, len(protocol.max_dets)), -1.0)
    state = np.ascontiguousarray(matches.state.transpose(1, 2, 0))  # (A, T, C)
    alone = np.ones(len(matches.score), bool)
    alone[matches.candidate] = False
    most = int(matches.rank.max(initial=0)) + 1
    for m, limit in enumerate(protocol.max_dets):
        if m and protocol.max_dets[m - 1] >= most:  # neither cuts
            precision[..., m], recall[..., m] = precision[..., m - 1], recall[..., m - 1]
            continue
        takes_part = matches.rank < limit
        own = takes_part[matches.candidate]
        for a in np.flatnonzero(matches.positives):
            inside = matches.inside[:, a] & takes_part
            others = np.cumsum(alone & inside)[matches.candidate]
            misses = inside[matches.candidate]
            for t in range(levels):
                hit = (state[a, t] == HIT) & own
                judged = np.cumsum(hit | ((state[a, t] == MISS) & misses)) + others
                places = np.flatnonzero(hit)
                right = np.arange(1, len(places) + 1)
                best = np.maximum.accumulate((right / judged[places])[::-1])[::-1]
                recalls = right / matches.positives[a]
                recall[t, a, m] = recalls[-1] if len(recalls) else 0.0
                if protocol.recall_points is None:  # recall rises by as much at every hit
                    precision[t, 0, a, m] = best.sum() / matches.positives[a]
                    continue
                reached = np.searchsorted(recalls, points, side="left")
                precision[t, :, a, m] = np.append(best, 0.0)[reached]
    return precision, recall
