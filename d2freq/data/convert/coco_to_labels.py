"""What the writers of label files share: a checked COCO file, image by image, into a folder."""

import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from d2freq.data.coco.check import refuse_faulty
from d2freq.data.coco.read import read_coco
from d2freq.errors import UserError
from d2freq.utils.files import write_text


def read_checked(json_file: str | os.PathLike) -> tuple[dict, int]:
    """A COCO file without boxes that nothing can overlap, and how many of those were left out.

    Raises:
        DatasetError: it is faulty.
        UserError: a class has no name.
    """
    data = read_coco(json_file)
    boxes, _ = refuse_faulty(data, str(json_file))
    blank = [c["id"] for c in data["categories"] if not c["name"].strip()]
    if blank:
        raise UserError(
            f"{json_file}: category {blank[0]} has no name, and labels need one; name it"
        )
    kept = [a for a, keep in zip(data["annotations"], boxes.keep, strict=True) if keep]
    return {**data, "annotations": kept}, len(data["annotations"]) - len(kept)


def write_labels(
    data: dict,
    folder: str | os.PathLike,
    suffix: str,
    text_of: Callable[[dict, list[dict]], str],
    *,
    progress: bool = True,
) -> int:
    """A label file for each image, of the same path but for the ending; how many.

    Args:
        text_of: (image record, its annotations) -> the file's content.

    Raises:
        UserError: two images would have the same label file, or ``folder`` holds labels of others.
    """
    root = Path(folder)
    objects: dict[int, list[dict]] = defaultdict(list)
    for annotation in data["annotations"]:
        objects[annotation["image_id"]].append(annotation)
    targets: dict[Path, dict] = {}
    for image in data["images"]:
        name = PurePosixPath(image["file_name"])
        if name.is_absolute() or ".." in name.parts:
            raise UserError(f"image {image['id']}: file_name {name} leads out of the folder")
        target = root / name.with_suffix(suffix)
        if target in targets:
            raise UserError(f"{target}: {name} and {targets[target]['file_name']} would share it")
        targets[target] = image
    strangers = set(root.rglob(f"*{suffix}")) - targets.keys() if root.is_dir() else set()
    if strangers:
        raise UserError(
            f"{root} holds {len(strangers)} labels of other images, as {min(strangers)}; choose "
            "another --output"
        )
    for target, image in tqdm(targets.items(), desc="labels", unit="img", disable=not progress):
        write_text(target, text_of(image, objects[image["id"]]), sync=False)
    return len(targets)


def count_lost(annotations: list[dict], kept: tuple[str, ...] = ()) -> dict[str, int]:
    """What annotations have that label files of boxes do not hold: {sentence: count}.

    Args:
        kept: keys that the format has a place for.
    """
    kinds = {
        "segmentation": "segmentations left out: the box alone is written",
        "keypoints": "sets of keypoints left out",
        "attributes": "sets of attributes left out",
        "rotation": "rotations left out",
        "ellipse": "ellipses left out: the box alone is written",
        "track_id": "tracks left out",
        "description": "descriptions left out",
        "difficult": "flags difficult left out",
        "truncated": "flags truncated left out",
        "occluded": "flags occluded left out",
    }
    return {
        sentence: sum(bool(annotation.get(key)) for annotation in annotations)
        for key, sentence in kinds.items()
        if key not in kept
    }


def is_ignored(annotation: dict) -> bool:
    """Whether it is neither right nor wrong to find it."""
    return bool(annotation.get("iscrowd") or annotation.get("ignore"))
