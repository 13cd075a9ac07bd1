"""An image with its objects, and what a transform leaves of them.

Shape legend: H x W pixels, C channels, N objects, M corners of a polygon. Boxes are (x0, y0, x1,
y1) in pixels, pixel edges at whole numbers.

The rule is that of ``d2freq convert tiles``: each object knows which share of it is still seen; one
of which less than ``min_visible`` is left is neither trained on nor forgotten, but counted.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from detectron2.structures import BoxMode
from fvcore.transforms.transform import Transform
from pycocotools import mask as coco_mask

from d2freq.data.pixels.channels import transformed
from d2freq.data.tiles.objects import clip_polygon, polygon_area

__all__ = ["BadPartner", "Partner", "Sample", "SampleStep", "SeenObject"]

FITS = 1.0  # pixels by which a polygon may differ from its box and still stand for it


class BadPartner(OSError):
    """An image that was drawn beside the record's own cannot be read.

    Attributes:
        record: that image's.
    """

    def __init__(self, record: dict, error: Exception) -> None:
        super().__init__(" ".join(str(error).split()))
        self.record = record


@dataclass(frozen=True)
class SeenObject:
    """An object of an image.

    Attributes:
        box: (4,) float64, within the image.
        category: its class, from 0.
        crowd: a region of many, which nothing is trained on.
        mask: polygons, each (M, 2) float64; a bitmap (H, W) uint8; or None.
        visible: the share of its area that is still seen, from 0 to 1.
    """

    box: np.ndarray
    category: int
    crowd: bool = False
    mask: Any = None
    visible: float = 1.0

    @classmethod
    def read(cls, annotation: dict, size: tuple[int, int], *, with_mask: bool) -> "SeenObject":
        """From an annotation of a record, cut off at the border of an image of (height, width).

        Polygons are read in any case, since they say what is seen of an object that is cut; run
        lengths ``with_mask`` alone.
        """
        box = BoxMode.convert(annotation["bbox"], annotation["bbox_mode"], BoxMode.XYXY_ABS)
        mask = annotation.get("segmentation")
        if isinstance(mask, list):
            mask = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in mask] or None
        elif isinstance(mask, dict) and not with_mask:
            mask = None
        elif isinstance(mask, dict):
            run_lengths = mask
            if isinstance(mask["counts"], list):
                run_lengths = coco_mask.frPyObjects(mask, *mask["size"])
            mask = coco_mask.decode(run_lengths)
        return cls(
            box=np.clip(np.asarray(box, np.float64), 0, [*size[::-1]] * 2),
            category=int(annotation["category_id"]),
            crowd=bool(annotation.get("iscrowd", 0)),
            mask=mask,
        )

    @property
    def size(self) -> float:
        """The square root of the box's area, in pixels."""
        return float(np.sqrt(_area(self.box)))

    def moved(self, transform: Transform, size: tuple[int, int]) -> "SeenObject":
        """Where it is when ``transform`` has made an image of (height, width)."""
        frame = np.array([0, 0, size[1], size[0]], np.float64)
        whole = np.asarray(transform.apply_box(self.box[None])[0], np.float64)
        box = np.clip(whole, 0, [size[1], size[0]] * 2)
        share = _area(box) / max(_area(whole), np.finfo(float).tiny)
        mask, bounds = self.mask, None
        if isinstance(mask, list):
            rings = [np.asarray(transform.apply_coords(ring.copy())) for ring in mask]
            cut = [clip_polygon(ring, frame) for ring in rings]
            cut = [ring for ring in cut if polygon_area(ring) > 0]
            if self._is_outlined_by(mask):
                total = sum(map(polygon_area, rings))
                share = sum(map(polygon_area, cut)) / max(total, np.finfo(float).tiny)
                bounds = _bounds(np.concatenate(cut)) if cut else None
            mask = cut
        elif mask is not None:
            mask = np.asarray(transform.apply_segmentation(mask))
            rows, columns = np.nonzero(mask)
            if len(rows):
                points = np.stack([columns, rows], 1)
                bounds = _bounds(np.concatenate([points, points + 1]).astype(np.float64))
        share = min(share, 1.0)
        turned = not getattr(transform, "keeps_axes", True)
        # The box of what is seen is tighter than the cut box; a whole one stays as it is.
        if bounds is not None and (turned or share < 1 - 1e-9):
            box = bounds
        return replace(self, box=box, mask=mask, visible=self.visible * share)

    def shifted(self, x: float, y: float) -> "SeenObject":
        """The same object on a larger canvas; a bitmap is not shifted here."""
        mask = self.mask
        if isinstance(mask, list):
            mask = [ring + (x, y) for ring in mask]
        return replace(self, box=self.box + (x, y, x, y), mask=mask)

    def annotation(self, *, with_mask: bool) -> dict:
        """As ``annotations_to_instances`` takes it."""
        found: dict[str, Any] = {
            "bbox": self.box,
            "bbox_mode": BoxMode.XYXY_ABS,
            "category_id": self.category,
            "iscrowd": int(self.crowd),
        }
        if not with_mask:
            return found
        if isinstance(self.mask, list):
            found["segmentation"] = [ring.reshape(-1) for ring in self.mask]
        elif self.mask is not None:
            found["segmentation"] = self.mask
        return found

    def _is_outlined_by(self, rings: list[np.ndarray]) -> bool:
        if not rings:
            return False
        return bool(np.abs(_bounds(np.concatenate(rings)) - self.box).max() <= FITS)


class Sample:
    """An image with its objects; what Detectron2's augmentations take as their ``AugInput``.

    Attributes:
        image: (H, W, C) uint8, or float32 of a reader.
        objects: N of them, crowds included.
    """

    def __init__(self, image: np.ndarray, objects: list[SeenObject]) -> None:
        self.image = image
        self.objects = objects

    @property
    def boxes(self) -> np.ndarray:
        """(N, 4) float64."""
        return np.array([each.box for each in self.objects], np.float64).reshape(-1, 4)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.image.shape[:2]
        return height, width

    def transform(self, transform: Transform) -> None:
        """Apply a transform to the image and all objects, in place."""
        self.image = transformed(transform, self.image)
        self.objects = [each.moved(transform, self.size) for each in self.objects]

    def seen(
        self, min_visible: float, *, with_mask: bool = False
    ) -> tuple[list[SeenObject], dict[str, int]]:
        """The objects to train on, and how many were left out, by reason.

        Args:
            min_visible: the least share that has to be seen.
            with_mask: an object whose polygons are cut away is outside, whatever its box says.

        Returns:
            Those of which a share of at least ``min_visible`` is seen, and the counts ``outside``
            (nothing is seen) and ``hardly_visible``. Crowds are neither.
        """
        own = [each for each in self.objects if not each.crowd]
        gone = [
            each.visible <= 0 or _area(each.box) <= 0 or (with_mask and each.mask == [])
            for each in own
        ]
        outside = [each for each, lost in zip(own, gone, strict=True) if lost]
        kept = [
            each
            for each, lost in zip(own, gone, strict=True)
            if not lost and each.visible >= min_visible
        ]
        hardly = len(own) - len(kept) - len(outside)
        return kept, {"outside": len(outside), "hardly_visible": hardly}


Partner = Callable[[], Sample]  # another image of the data set, at random


class SampleStep:
    """An augmentation that changes more than one transform can, such as one of several images."""

    def __call__(self, sample: Sample, partner: Partner) -> None:
        """Change ``sample`` in place; ``partner()`` gives another one."""
        raise NotImplementedError(f"{type(self).__name__} changes nothing")


def _area(box: np.ndarray) -> float:
    return float(np.prod(np.maximum(box[2:] - box[:2], 0)))


def _bounds(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points.min(0), points.max(0)])
