"""The guard in front of the count: bad ground truth and bad detections are refused or repaired.

COCO's evaluators score NaN boxes as hits, unknown categories as silent zeros, and lose matches on
annotation id 0. Here each such case is an error that names the culprit, or is dropped and counted.
"""

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from d2freq.data.coco.check import refuse_faulty
from d2freq.data.coco.faults_of_boxes import IGNORE_FLAG
from d2freq.data.coco.report import Fault, Report
from d2freq.errors import UserError
from d2freq.evaluation.coco.masks import annotation_masks, mask_areas, mask_boxes
from d2freq.evaluation.protocols.protocol import Protocol


class DetectionError(UserError):
    """Detections that cannot be measured; the message names ids and the cure."""


@dataclass(frozen=True)
class GroundTruth:
    """Checked ground truth as arrays of N boxes.

    ``categories`` maps ids to names in the order of ids; ``crowd`` marks boxes that excuse
    detections and do not count themselves; ``xywh`` (N, 4) and ``area`` (N,) are float64. The I
    images have ids ``image_ids`` (I,), rising, and sizes ``image_wh`` (I, 2). The R
    ignore regions, of every category, are ``region_image_id`` (R,) int64 and ``region_xywh``
    (R, 4) float64. ``masks`` (N,) of run lengths is what overlaps are those of, and ``xywh`` goes
    around them; None: boxes are.
    """

    image_ids: np.ndarray
    categories: dict[int, str]
    image_id: np.ndarray
    category_id: np.ndarray
    xywh: np.ndarray
    area: np.ndarray
    crowd: np.ndarray
    report: Report
    region_image_id: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    region_xywh: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    image_wh: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    masks: np.ndarray | None = None

    def select(self, image_ids) -> "GroundTruth":
        """The part on some images."""
        wanted = np.intersect1d(self.image_ids, np.asarray(list(image_ids), np.int64))
        regions = np.isin(self.region_image_id, wanted)
        return replace(
            self.take(np.isin(self.image_id, wanted)),
            image_ids=wanted,
            image_wh=self.image_wh[np.isin(self.image_ids, wanted)],
            region_image_id=self.region_image_id[regions],
            region_xywh=self.region_xywh[regions],
        )

    def take(self, keep: np.ndarray) -> "GroundTruth":
        """The boxes where ``keep`` (a mask or indices) says so, of all images."""
        return replace(
            self,
            image_id=self.image_id[keep],
            category_id=self.category_id[keep],
            xywh=self.xywh[keep],
            area=self.area[keep],
            crowd=self.crowd[keep],
            masks=None if self.masks is None else self.masks[keep],
        )


@dataclass(frozen=True)
class Detections:
    """N detections as arrays: ids int64, ``xywh`` (N, 4) float64, ``score`` (N,) float64.

    ``masks`` (N,) are run lengths, or None.
    """

    image_id: np.ndarray
    category_id: np.ndarray
    xywh: np.ndarray
    score: np.ndarray
    dropped: dict[str, int] = field(default_factory=dict)
    masks: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.score)

    def select(self, keep: np.ndarray, dropped: dict[str, int] | None = None) -> "Detections":
        """Those where ``keep`` (a mask or indices) says so."""
        return Detections(
            self.image_id[keep],
            self.category_id[keep],
            self.xywh[keep],
            self.score[keep],
            self.dropped if dropped is None else dropped,
            None if self.masks is None else self.masks[keep],
        )

    def as_boxes(self) -> "Detections":
        """Without the masks, so that boxes are measured."""
        return replace(self, masks=None)

    def as_masks(self) -> "Detections":
        """With ``xywh`` around the masks, so that those are measured."""
        assert self.masks is not None
        return replace(self, xywh=mask_boxes(self.masks))

    @property
    def area(self) -> np.ndarray:
        """(N,) float64, square pixels: of the masks where there are any."""
        if self.masks is None:
            return self.xywh[:, 2] * self.xywh[:, 3]
        return mask_areas(self.masks)


def guard_ground_truth(
    data: dict, protocol: Protocol, name: str, *, masks: bool = False
) -> GroundTruth:
    """Turn a loaded COCO ground truth into arrays, with ``masks`` for a count by masks.

    Boxes without extent or outside their image are left out, a missing area becomes w x h,
    annotation ids are numbered anew, and ignore flags are read as ``protocol.ignore`` says;
    ``report`` counts all of it.

    Raises:
        DatasetError: duplicate ids, unknown images or categories, NaN boxes, missing sections;
            with ``masks`` an annotation without one.
    """
    boxes, report = refuse_faulty(data, name)
    report.repairs = _by_rule(report.repairs, protocol)
    annotations = data["annotations"]
    crowd = np.array([bool(a.get("iscrowd", 0)) for a in annotations], bool)
    for key in protocol.ignore_keys if protocol.ignore != "iscrowd" else ():
        flagged = np.array([bool(a.get(key, 0)) for a in annotations], bool)
        if key != "ignore":  # which find_faults names
            names = [f"annotation {annotations[i]['id']}" for i in np.flatnonzero(flagged)]
            report.repair(f"{key} flag", protocol.flags_read_as, names)
        crowd = crowd | flagged
    keep = boxes.keep
    if protocol.ignore == "left out":
        examples = [f"annotation {annotations[i]['id']}" for i in np.flatnonzero(crowd & keep)]
        report.repair("ignored box", protocol.flags_read_as, examples)
        keep = keep & ~crowd
    images = sorted(data["images"], key=lambda image: image["id"])
    regions = [
        (image["id"], region)
        for image in images
        for key in protocol.region_keys
        for region in image.get(key, ())
    ]
    categories = {c["id"]: c["name"] for c in sorted(data["categories"], key=lambda c: c["id"])}
    shapes = annotation_masks(data, np.flatnonzero(keep), name) if masks else None
    return GroundTruth(
        image_ids=np.array([image["id"] for image in images], np.int64),
        categories=categories,
        image_id=np.array([a["image_id"] for a in annotations], np.int64)[keep],
        category_id=np.array([a["category_id"] for a in annotations], np.int64)[keep],
        xywh=boxes.xywh[keep] if shapes is None else mask_boxes(shapes),
        area=boxes.area[keep],
        crowd=crowd[keep],
        masks=shapes,
        report=report,
        image_wh=np.array([(i["width"], i["height"]) for i in images], np.float64).reshape(-1, 2),
        region_image_id=np.array([image for image, _ in regions], np.int64),
        region_xywh=np.array([region for _, region in regions], np.float64).reshape(-1, 4),
    )


def _by_rule(repairs: list[Fault], protocol: Protocol) -> list[Fault]:
    """``repairs`` with what this protocol makes of the flag ``ignore``."""
    if protocol.ignore == "iscrowd or ignore":
        return repairs
    if protocol.ignore == "left out":  # named with those of the other flag
        return [fault for fault in repairs if fault.kind != IGNORE_FLAG]
    cure = protocol.flags_read_as
    return [replace(f, cure=cure) if f.kind == IGNORE_FLAG else f for f in repairs]


def guard_detections(
    detections: Detections, truth: GroundTruth, *, strict: bool = False
) -> Detections:
    """Drop what is no detection, and refuse what belongs to other images or categories.

    Args:
        strict: refuse NaN and negative sides too, instead of dropping and counting them.

    Returns:
        what is left; ``dropped`` counts what was dropped now on top of what was before.

    Raises:
        DetectionError: unknown image or category ids, listed; with ``strict`` also bad boxes.
    """
    _refuse_strangers(detections.image_id, truth.image_ids, "image")
    _refuse_strangers(detections.category_id, np.array(list(truth.categories)), "category")
    bad_score = ~np.isfinite(detections.score)
    bad_box = ~np.isfinite(detections.xywh).all(1) & ~bad_score
    with np.errstate(invalid="ignore"):
        negative = (detections.xywh[:, 2:] < 0).any(1) & ~bad_score & ~bad_box
    kinds = {
        "score is NaN or infinite": bad_score,
        "box is NaN or infinite": bad_box,
        "width or height is negative": negative,
    }
    dropped = {kind: int(mask.sum()) for kind, mask in kinds.items() if mask.any()}
    if dropped and strict:
        bad = np.flatnonzero(bad_score | bad_box | negative)
        images = ", ".join(map(str, np.unique(detections.image_id[bad])[:10]))
        what = ", ".join(f"{count} x {kind}" for kind, count in dropped.items())
        raise DetectionError(
            f"{len(bad)} of {len(detections)} detections are broken: {what}; images {images}. "
            "Look for a diverged model; without --strict (TEST.TINY.STRICT False, strict=False) "
            "they are dropped and counted"
        )
    if not dropped:
        return detections
    return detections.select(~(bad_score | bad_box | negative), detections.dropped | dropped)


def _refuse_strangers(ids: np.ndarray, known: np.ndarray, what: str) -> None:
    strange = ids[~np.isin(ids, known)]
    if len(strange):
        counts = Counter(strange.tolist())
        listed = ", ".join(f"{value} ({count} x)" for value, count in sorted(counts.items())[:10])
        more = f", and {len(counts) - 10} more" if len(counts) > 10 else ""
        raise DetectionError(
            f"detections name {what} ids that the ground truth does not have: {listed}{more}; "
            f"it has {len(known)}, {_range(known)}. Evaluate on the data set they were made for"
            " (those of tiles on whole images: --tiles, TEST.TINY.ORIGINALS)"
        )


def _range(known: np.ndarray) -> str:
    return f"{known.min()} to {known.max()}" if len(known) else "none"
