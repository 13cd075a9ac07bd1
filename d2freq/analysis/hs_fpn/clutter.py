"""Signal to clutter ratio of tiny targets, and what filtering does to it (HS-FPN, Eq. 1, Fig. 1).

Shape shorthand: H x W the grey image, n the side of the DCT block that is set to zero.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from d2freq.analysis.methods import PATCH
from d2freq.data.coco.check import refuse_faulty
from d2freq.data.coco.read import read_coco
from d2freq.errors import UserError
from d2freq.ops.dct import dct2, idct2

__all__ = [
    "PATCH",
    "SURROUND",
    "boxes_of_image",
    "filter_block",
    "signal_to_clutter",
    "windows",
]

SURROUND = 3  # sides of the neighbourhood in patches; the paper does not give its size

Window = tuple[int, int, int, int]  # x0, y0, x1, y1; the end is not part of it


def filter_block(grey: np.ndarray, size: int) -> np.ndarray:
    """The image without its ``size`` x ``size`` lowest DCT coefficients.

    Args:
        grey: (H, W), any number type.
        size: n; 0 filters nothing, 1 removes the mean.

    Returns:
        (H, W) float64.
    """
    if size < 0:
        raise UserError(f"--sizes {size}: the side of a block is 0 or more")
    coefficients = dct2(torch.from_numpy(np.ascontiguousarray(grey, dtype=np.float64)))
    coefficients[:size, :size] = 0
    return idct2(coefficients).numpy()


def windows(
    shape: tuple[int, int], box: Sequence[float], *, patch: int = PATCH, surround: float = SURROUND
) -> tuple[Window, Window]:
    """The target region, a square around the box's centre, and its neighbourhood around that.

    Both are cut at the border of the image.

    Args:
        shape: (H, W) of the image.
        box: x, y, width, height in pixels.
        patch: side of the target region in pixels.
        surround: side of the neighbourhood in patches, above 1.

    Raises:
        UserError: the box's centre lies outside of the image, or nothing surrounds the target.
    """
    height, width = shape
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    if not (0 <= x < width and 0 <= y < height):
        raise UserError(f"box {list(box)}: its centre lies outside of the {width} x {height} image")

    def square(side: float) -> Window:
        half = side / 2
        left, top = round(x - half), round(y - half)
        right, bottom = left + round(side), top + round(side)
        return max(left, 0), max(top, 0), min(right, width), min(bottom, height)

    target, around = square(patch), square(patch * surround)
    if target == around:
        raise UserError(
            f"no neighbourhood around the {patch} px target of box {list(box)} in an image of "
            f"{width} x {height}: take a smaller --patch"
        )
    return target, around


def signal_to_clutter(image: np.ndarray, target: Window, around: Window) -> float:
    """|mean of the target - mean of the rest| / deviation of the rest (HS-FPN, Eq. 1).

    Args:
        image: (H, W) grey values.
        target: the target region.
        around: its neighbourhood, which contains it; the target itself is no clutter.

    Returns:
        the ratio; infinite above a flat neighbourhood, NaN where the target equals it.
    """
    x0, y0, x1, y1 = target
    clutter = np.zeros(image.shape, bool)
    clutter[around[1] : around[3], around[0] : around[2]] = True
    clutter[y0:y1, x0:x1] = False
    rest = image[clutter]
    contrast = abs(float(image[y0:y1, x0:x1].mean() - rest.mean()))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(contrast) / np.float64(rest.std()))


def boxes_of_image(annotations: str | os.PathLike, image: str | os.PathLike) -> list[list[float]]:
    """The boxes (x, y, width, height) of one image, crowds left out, from a COCO file.

    Args:
        annotations: the COCO file.
        image: a path; its file name is looked for in the COCO file.

    Raises:
        DatasetError: the file is faulty.
        UserError: it does not have the image, or no object in it.
    """
    data = read_coco(annotations)
    boxes, _ = refuse_faulty(data, str(annotations))
    name = Path(image).name
    ids = [i["id"] for i in data["images"] if Path(i["file_name"]).name == name]
    if len(ids) != 1:
        raise UserError(
            f"{annotations}: {len(ids)} images are named {name}; name one target: --box"
        )
    found = [
        box.tolist()
        for annotation, box, keep in zip(data["annotations"], boxes.xywh, boxes.keep, strict=True)
        if annotation["image_id"] == ids[0] and keep and not annotation.get("iscrowd", 0)
    ]
    if not found:
        raise UserError(f"{annotations}: {name} has no object; take another image")
    return found
