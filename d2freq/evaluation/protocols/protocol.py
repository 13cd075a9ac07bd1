"""What an evaluation protocol is: sizes, limits, overlaps and excuses, as data."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from d2freq.data.coco.faults_of_records import REGION_KEYS
from d2freq.errors import UserError

# np.linspace as in the COCO API: the same float64 values, which decide ties at the threshold
COCO_THRESHOLDS = tuple(float(value) for value in np.linspace(0.5, 0.95, 10))
OLRP_IOU = 0.5  # cocoapi-aitod
IgnoreRule = Literal["iscrowd", "iscrowd or ignore", "left out"]
ExcuseRule = Literal["flagged", "ignored"]
LimitRule = Literal["category", "image"]
RecallRule = Literal["counted", "counted and flagged"]
MeanRule = Literal["categories", "images"]
RegionRule = Literal["area", "pixels"]

_CHOICES = {
    "ignore": IgnoreRule,
    "excuse": ExcuseRule,
    "limit_per": LimitRule,
    "recall_of": RecallRule,
    "mean_over": MeanRule,
    "region_rule": RegionRule,
}


@dataclass(frozen=True)
class AreaRange:
    """Boxes of ``low`` to ``high`` square pixels, both ends included."""

    label: str
    low: float
    high: float


@dataclass(frozen=True)
class TargetRule:
    """How infrared small targets are counted on maps of pixels, see d2freq.evaluation.infrared.

    Attributes:
        score: detections above it make the map of what was found.
        distance: pixels between the centroids of a target and of what finds it, less than this.
    """

    score: float = 0.5
    distance: float = 3.0

    @property
    def holds(self) -> bool:
        """Whether the numbers make sense."""
        return 0 <= self.score < 1 and self.distance > 0


@dataclass(frozen=True)
class Protocol:
    """How detections are counted.

    Attributes:
        source: where the definition is from.
        areas: the size classes; ``whole`` comes on top. A box on a shared end is in both.
        max_dets: detections of an image and category that are looked at, rising; recall is given
            at each.
        limit_per: whether ``max_dets`` are the best of each "category" of an image (COCO), or the
            first of an "image" in the order of the file, whatever category and score they have.
        iou_thresholds: overlaps that make a hit, rising; AP and AR are means over them.
        ap_limit: which of ``max_dets`` precision and oLRP are taken at; None is the last.
        whole: the range behind AP, with the label "all".
        recall_points: how many evenly spaced recalls, 0 and 1 included, AP is the mean over; None
            takes the area under all points of the curve.
        recall_of: the boxes that are to be found: the "counted" ones (COCO), or "counted and
            flagged", so that flagged boxes are missed for ever.
        mean_over: whether every category weighs the same in a mean ("categories", COCO), or as many
            times as there are "images" with boxes of it in the size class, flagged ones included.
        ignore: which flags take a ground truth box out of the count: ``iscrowd`` alone (COCO), or
            ``ignore`` as well. Detections on such a box are neither right nor wrong, where overlap
            is the share of the detection (IoD). "left out": boxes of either flag do not exist, so
            that detections on them are wrong.
        ignore_keys: keys of annotations that are read as the flag ``ignore``.
        excuse: which boxes excuse a detection that is right nowhere, by IoD: the "flagged" ones
            (COCO; boxes of other sizes take one detection each, by IoU), or all that are "ignored"
            in a size class, objects of other sizes included.
        region_share: a detection of any class with at least this share of its area inside its
            image's regions is not looked at, and so is a ground truth box; this happens before the
            cut to ``max_dets``. None: regions mean nothing.
        region_keys: keys of images whose boxes are these regions, of REGION_KEYS.
        region_rule: how the share is taken: by "area", or by "pixels" as VisDrone's toolkit does,
            see d2freq.evaluation.coco.regions.
        olrp: measure oLRP too, at IoU 0.5.
        targets: measure IoU, nIoU, Pd and Fa of maps of pixels in place of AP and AR. Of the keys
            above those of ``ignore`` and the last of ``max_dets``, of an image, then have a
            meaning, and ``areas`` where sizes of objects are told.

    Raises:
        UserError: a value that makes no sense; the message names the key.

    Examples:
        >>> from d2freq.evaluation import AreaRange, Protocol
        >>> protocol = Protocol(
        ...     name="seagulls",
        ...     source="our paper, Section 4",
        ...     areas=(AreaRange("tiny", 0, 16**2), AreaRange("small", 16**2, 32**2)),
        ...     max_dets=(100, 500),
        ... )
        >>> [area.label for area in protocol.all_areas], protocol.ap_index
        (['all', 'tiny', 'small'], 1)
    """

    name: str
    source: str
    areas: tuple[AreaRange, ...]
    max_dets: tuple[int, ...]
    iou_thresholds: tuple[float, ...] = COCO_THRESHOLDS
    ap_limit: int | None = None
    whole: AreaRange = AreaRange("all", 0.0, 1e10)
    limit_per: LimitRule = "category"
    recall_points: int | None = 101
    recall_of: RecallRule = "counted"
    mean_over: MeanRule = "categories"
    ignore: IgnoreRule = "iscrowd or ignore"
    ignore_keys: tuple[str, ...] = ("ignore",)
    excuse: ExcuseRule = "flagged"
    region_share: float | None = None
    region_keys: tuple[str, ...] = REGION_KEYS[:1]
    region_rule: RegionRule = "area"
    olrp: bool = False
    targets: TargetRule | None = None

    def __post_init__(self) -> None:
        labels = [area.label for area in self.areas]
        self._need(len({*labels, "all"}) > len(labels), "areas", "labels repeat or hold 'all'")
        ranges_hold = all(0 <= area.low < area.high for area in self.all_areas)
        self._need(ranges_hold, "areas", "each needs 0 <= low < high")
        self._need(self.whole.label == "all", "whole", "its label must be 'all'")
        limits, levels = self.max_dets, self.iou_thresholds
        self._need(_rises(limits) and limits[0] >= 1, "max_dets", "must rise from 1 or more")
        levels_hold = _rises(levels) and 0 < levels[0] and levels[-1] <= 1
        self._need(levels_hold, "iou_thresholds", "must rise within (0, 1]")
        self._need(self.ap_limit in (None, *limits), "ap_limit", f"must be one of {limits}")
        points = self.recall_points
        self._need(points is None or points >= 2, "recall_points", "must be 2 or more, or None")
        for key, rule in _CHOICES.items():
            choices = get_args(rule)
            self._need(getattr(self, key) in choices, key, f"must be one of {choices}")
        regions_hold = set(self.region_keys) <= set(REGION_KEYS)
        self._need(regions_hold, "region_keys", f"must be of {REGION_KEYS}")
        share = self.region_share
        self._need(share is None or 0 < share <= 1, "region_share", "must be in (0, 1] or None")
        self._need(not self.olrp or OLRP_IOU in levels, "olrp", "needs 0.5 in iou_thresholds")
        targets_hold = self.targets is None or self.targets.holds
        self._need(targets_hold, "targets", "needs a score in [0, 1) and a distance above 0")
        plain = (self.recall_of, self.mean_over) == ("counted", "categories")
        self._need(not self.olrp or plain, "olrp", "is of counted boxes, a mean over categories")

    @property
    def flags_read_as(self) -> str:
        """What becomes of a box with the flag ``ignore``, as a sentence."""
        if self.ignore == "iscrowd":
            return f"Counted as any other box: protocol {self.name} goes by iscrowd alone."
        if self.ignore == "left out":
            return f"Left out by protocol {self.name}."
        return "Counted as a crowd region: detections on it are neither right nor wrong."

    def _need(self, holds: bool, key: str, cure: str) -> None:
        if not holds:
            value = getattr(self, key)
            raise UserError(f"protocol {self.name!r}: {key} {cure}, but is {value!r}")

    @property
    def all_areas(self) -> tuple[AreaRange, ...]:
        """The size classes with "all" in front."""
        return (self.whole, *self.areas)

    @property
    def ap_index(self) -> int:
        """The place of ``ap_limit`` in ``max_dets``."""
        limit = self.max_dets[-1] if self.ap_limit is None else self.ap_limit
        return self.max_dets.index(limit)


def _rises(values: tuple) -> bool:
    return len(values) > 0 and list(values) == sorted(set(values))
