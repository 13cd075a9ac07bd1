"""Results of a run from files: ground truth and any detector's detections in COCO's formats."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from d2freq.data.coco.near_names import near_hint
from d2freq.errors import UserError
from d2freq.evaluation.coco.guard import Detections, GroundTruth
from d2freq.inference.detections import Detections as Found
from d2freq.inference.detections import Picture, PictureResult

__all__ = ["picture_finder", "results_of_files"]

logger = logging.getLogger(__name__)


def results_of_files(
    data: dict, truth: GroundTruth, detections: Detections, path_of: Callable[[str], str]
) -> list[PictureResult]:
    """A result for each image of a COCO file, with its detections, best first.

    Args:
        data: the content of the COCO file, whose images are named.
        truth, detections: as the guard gives them.
        path_of: from a file name to where it lies.
    """
    names = tuple(truth.categories.values())
    classes = np.searchsorted(np.array(list(truth.categories)), detections.category_id)
    order = np.lexsort((-detections.score, detections.image_id))
    images = detections.image_id[order]
    corners = detections.xywh.copy()
    corners[:, 2:] += corners[:, :2]
    results = []
    for image in data["images"]:
        first, last = (np.searchsorted(images, image["id"], side) for side in ("left", "right"))
        own = order[first:last]
        name = image["file_name"]
        picture = Picture(name, path_of(name), image["width"], image["height"], image["id"])
        found = Found(corners[own], detections.score[own], classes[own], names)
        results.append(PictureResult(picture, found))
    return results


def picture_finder(data: dict, folder: str | os.PathLike) -> Callable[[str], str]:
    """From a file name of a COCO file to its path below ``folder``.

    A name with folders is looked for as it is, and where that is nothing by its last part. A line
    tells of pictures that are missing.

    Raises:
        UserError: there is no such folder, or none of the pictures in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UserError(f"--images {folder}: no such folder; name the one that the pictures lie in")

    def path_of(name: str) -> str:
        whole = root / name
        last = root / Path(name).name
        return os.fspath(last if not whole.is_file() and last.is_file() else whole)

    names = [image["file_name"] for image in data["images"]]
    missing = [name for name in names if not os.path.isfile(path_of(name))]
    if missing and len(missing) == len(names):
        raise UserError(
            f"--images {folder}: holds none of the {len(names)} pictures, as {missing[0]}; "
            + (near_hint(names, root, "GT.json") or "name the folder that file_name counts from")
        )
    if missing:
        logger.warning(
            "%d of %d pictures are missing in %s, as %s: they are shown without pixels",
            *(len(missing), len(names), folder, missing[0]),
        )
    return path_of
