"""What of an image's objects and ignore regions is seen in a tile.

Shape legend: N objects of the image, M corners of a polygon. Boxes are (x0, y0, x1, y1) in pixels
of the scaled image inside this module, and COCO's (x, y, width, height) in records.
"""

from collections.abc import Sequence

import numpy as np

from d2freq.data.tiles.geometry import Window, to_tile

# written anew where it is a polygon; keypoints would be wrong where an object is cut
LEFT_OUT = ("segmentation", "keypoints", "num_keypoints")


class ImageObjects:
    """The annotations of one image at one scale, ready to be cut into tiles.

    A box that reaches over the image's border is cut there first; ``visible`` counts from what is
    left. An object with a polygon that fits its box (within a pixel) is cut along the polygon: the
    box of what is seen is tighter than the cut box, and the share is that of the polygon's area.

    Args:
        annotations: COCO records with ``bbox``, ``area``, ``iscrowd`` and ``id``.
        size: (width, height) of the original in pixels.
        scale: factor from the original to the image that is cut.
        min_visible: an object of which less is seen becomes ``iscrowd: 1``.
    """

    def __init__(
        self,
        annotations: Sequence[dict],
        *,
        size: tuple[int, int],
        scale: float,
        min_visible: float,
    ) -> None:
        self.annotations = annotations
        self.scale = scale
        self.min_visible = min_visible
        xywh = np.array([a["bbox"] for a in annotations], np.float64).reshape(-1, 4)
        self.border = np.array([0, 0, *size], np.float64) * scale
        self.given = _corners(xywh) * scale  # (N, 4)
        self.boxes = _intersect(self.given, self.border)  # (N, 4)
        self.areas = _area(self.boxes)  # (N,)

    def seen_in(self, window: Window) -> list[dict]:
        """Records of the objects seen in ``window``, in its pixels, without ``id``, ``image_id``.

        All keys of the source stay, but for ``bbox``, ``area``, ``iscrowd``, ``segmentation`` (a
        mask that is no polygon is left out) and keypoints (left out). New are ``original_id`` and,
        where the object is cut, ``visible``.
        """
        frame = _frame(window)
        cut = _intersect(self.boxes, frame)
        shares = _area(cut) / np.maximum(self.areas, np.finfo(float).tiny)
        hits = np.flatnonzero(shares > 0).tolist()
        records = (self._record(i, cut[i], float(shares[i]), window) for i in hits)
        return [record for record in records if record is not None]

    def _record(self, i: int, box: np.ndarray, share: float, window: Window) -> dict | None:
        source = self.annotations[i]
        rings = [ring * self.scale for ring in _rings(source)]
        if share < 1 or not np.array_equal(self.boxes[i], self.given[i]):
            if _fits(rings, self.given[i], self.scale):
                whole = sum(polygon_area(clip_polygon(ring, self.border)) for ring in rings)
                rings = [clip_polygon(ring, _frame(window)) for ring in rings]
                rings = [ring for ring in rings if polygon_area(ring) > 0]
                if not rings:
                    return None  # a corner of the box alone reaches into the tile
                share = sum(map(polygon_area, rings)) / whole
                box = _bounds(rings)
            else:
                rings = []
        width, height = box[2:] - box[:2]
        bbox = [box[0] - window.x, box[1] - window.y, width, height]
        record = {key: value for key, value in source.items() if key not in LEFT_OUT}
        record |= {
            "bbox": [float(value) for value in bbox],
            "area": float(self._area_of(source, width * height, share)),
            "iscrowd": int(bool(source.get("iscrowd")) or share < self.min_visible),
            "original_id": source["id"],
        }
        if share < 1 - 1e-9:  # not a rounding of the whole
            record["visible"] = share
        if rings:
            offset = window.x, window.y
            record["segmentation"] = [(ring - offset).ravel().tolist() for ring in rings]
        return record

    def _area_of(self, source: dict, box_area: float, share: float) -> float:
        _, _, w, h = source["bbox"]
        area = source.get("area")
        if not area or np.isclose(area, w * h, rtol=1e-6):
            return box_area
        return area * self.scale**2 * share


def cut_regions(regions: Sequence[Sequence[float]], window: Window, scale: float) -> list:
    """The parts of ignore regions (x, y, width, height; pixels of the original) in the tile."""
    boxes = _corners(np.array(regions, np.float64).reshape(-1, 4))
    tile = to_tile(_sides(boxes), x=window.x, y=window.y, scale=scale)
    cut = np.clip(_corners(tile), 0, [window.width, window.height] * 2)
    return _sides(cut[_area(cut) > 0]).tolist()


def clip_polygon(points: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Cut a polygon (M, 2) with the rectangle ``frame`` (x0, y0, x1, y1), side after side.

    Sutherland and Hodgman's method: what lies outside of a side is replaced by the side. Several
    parts of a concave polygon stay joined along a side, which changes neither area nor bounds.
    """
    for side, limit in enumerate(frame):
        axis, sign = side % 2, 1 if side < 2 else -1
        depth = sign * (points[:, axis] - limit)  # how far inside
        kept = []
        for i in range(len(points)):
            here, before = depth[i], depth[i - 1]
            if (here >= 0) != (before >= 0):
                step = before / (before - here)
                crossing = points[i - 1] + step * (points[i] - points[i - 1])
                crossing[axis] = limit
                kept.append(crossing)
            if here >= 0:
                kept.append(points[i])
        points = np.array(kept, np.float64).reshape(-1, 2)
    return points


def polygon_area(points: np.ndarray) -> float:
    """The area inside corners (M, 2), in square pixels."""
    x, y = points.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def _rings(annotation: dict) -> list[np.ndarray]:
    """The rings (M, 2) of a segmentation by polygons; none where it has none or is another kind."""
    rings = annotation.get("segmentation")
    if not isinstance(rings, list):
        return []
    if not all(isinstance(r, list) and len(r) >= 6 and len(r) % 2 == 0 for r in rings):
        return []
    return [np.array(ring, np.float64).reshape(-1, 2) for ring in rings]


def _fits(rings: list[np.ndarray], box: np.ndarray, scale: float) -> bool:
    if not rings:
        return False
    bounds = _bounds(rings)
    # one that crosses itself has next to no area
    flat = sum(map(polygon_area, rings)) < 0.01 * _area(bounds[None])[0]
    return not flat and bool(np.abs(bounds - box).max() <= scale)


def _bounds(rings: list[np.ndarray]) -> np.ndarray:
    corners = np.concatenate(rings)
    return np.concatenate([corners.min(0), corners.max(0)])


def _intersect(xyxy: np.ndarray, frame: np.ndarray) -> np.ndarray:
    low, high = np.maximum(xyxy[:, :2], frame[:2]), np.minimum(xyxy[:, 2:], frame[2:])
    return np.concatenate([low, high], 1)


def _frame(window: Window) -> np.ndarray:
    return np.array(
        [window.x, window.y, window.x + window.width, window.y + window.height], np.float64
    )


def _corners(xywh: np.ndarray) -> np.ndarray:
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], 1)


def _sides(xyxy: np.ndarray) -> np.ndarray:
    return np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], 1)


def _area(xyxy: np.ndarray) -> np.ndarray:
    return np.prod(np.maximum(xyxy[:, 2:] - xyxy[:, :2], 0), axis=1)
