"""Copies of tiles that hold rare objects: flipped, and changed in hue, saturation and value."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

# Ranges of the change of colours; the paper gives none. Degrees, and factors.
HUE, SATURATION, VALUE = 18.0, (0.6, 1.4), (0.7, 1.3)


def rare_copies(
    pixels: np.ndarray,
    record: dict,
    annotations: Sequence[dict],
    *,
    categories: Sequence[int],
    count: int,
    seed: int,
) -> Iterator[tuple[str, np.ndarray, dict, list[dict]]]:
    """``count`` copies of a tile that has an object of ``categories``; for tile_coco's ``copies``.

    Each is flipped from left to right and from top to bottom with probability one half each, and
    its colours are changed. The chances depend on ``seed``, the tile and the number of the copy
    alone.

    Yields:
        ("__copy1", pixels, {"copy": what was done}, annotations), as tile_coco asks for.
    """
    if not any(a["category_id"] in categories and not a["iscrowd"] for a in annotations):
        return
    tile = record["tile"]
    place = [tile["image_id"], round(1000 * tile["scale"]), tile["x"], tile["y"]]
    for number in range(1, count + 1):
        rng = np.random.default_rng([seed, *place, number])
        across, down = (bool(chance) for chance in rng.random(2) < 0.5)
        hue = float(rng.uniform(-HUE, HUE))
        saturation, value = float(rng.uniform(*SATURATION)), float(rng.uniform(*VALUE))
        changed = shift_hsv(pixels, hue=hue, saturation=saturation, value=value)
        about = {
            "copy": {
                "file_name": record["file_name"],
                "flipped_across": across,
                "flipped_down": down,
                "hue": hue,
                "saturation": saturation,
                "value": value,
            }
        }
        flipped, moved = flip(changed, annotations, across=across, down=down)
        yield f"__copy{number}", flipped, about, moved


def flip(
    pixels: np.ndarray, annotations: Sequence[dict], *, across: bool, down: bool
) -> tuple[np.ndarray, list[dict]]:
    """Mirror (H, W, 3) pixels, boxes and polygons: left to right, top to bottom, or both."""
    sides = (pixels.shape[1] if across else None, pixels.shape[0] if down else None)
    moved = []
    for annotation in annotations:
        record = dict(annotation)
        box = list(annotation["bbox"])
        for axis, side in enumerate(sides):
            if side is not None:
                box[axis] = side - box[axis] - box[axis + 2]
        record["bbox"] = box
        if "segmentation" in record:
            record["segmentation"] = [_flip_ring(r, sides) for r in record["segmentation"]]
        moved.append(record)
    steps = (slice(None, None, -1 if down else 1), slice(None, None, -1 if across else 1))
    return np.ascontiguousarray(pixels[steps]), moved


def shift_hsv(pixels: np.ndarray, *, hue: float, saturation: float, value: float) -> np.ndarray:
    """RGB (H, W, 3) uint8 turned by ``hue`` degrees, saturation and value times a factor."""
    hsv = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)  # 0..360, 0..1, 0..1
    hsv[..., 0] = (hsv[..., 0] + hue) % 360
    hsv[..., 1:] = np.clip(hsv[..., 1:] * np.array([saturation, value], np.float32), 0, 1)
    return np.rint(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255).astype(np.uint8)


def _flip_ring(ring: Sequence[float], sides: tuple[int | None, int | None]) -> list[float]:
    flipped = []
    for index, coordinate in enumerate(ring):
        side = sides[index % 2]
        flipped.append(coordinate if side is None else side - coordinate)
    return flipped
