"""Whether a detector knows the classes of the objects that it is to learn.

Detectron2 asks nobody: a number that is too high ends in an IndexError somewhere in a loss, or on a
GPU in a device-side assert that names neither picture nor key.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from detectron2.structures import Instances

from d2freq.errors import DatasetError

__all__ = ["check_classes", "check_classes_of_records"]


def check_classes(
    truth: Sequence[Instances],
    num_classes: int,
    *,
    key: str,
    pictures: Sequence[str] = (),
    data: str = "",
    ignores: bool = False,
) -> None:
    """Raise DatasetError for the first object of a class that the model has no number for.

    Args:
        truth: of each image, with `gt_classes` (N,) int64.
        num_classes: K, without the background.
        key: that K comes from: "MODEL.ATSS.NUM_CLASSES".
        pictures: their names, where they are known.
        data: names of the data sets, where they are known.
        ignores: the detector passes over objects of class -1, as Detectron2's RoI heads do.
    """
    if torch.compiler.is_compiling():  # what a loader gives has been looked at by the trainer
        return
    least = -1 if ignores else 0
    for number, instances in enumerate(truth):
        if not instances.has("gt_classes") or not len(instances):
            continue
        classes = instances.gt_classes
        low, high = (int(each) for each in classes.aminmax())
        if least <= low and high < num_classes:
            continue
        wrong = high if high >= num_classes else low
        row = int((classes == wrong).nonzero()[0])
        picture = pictures[number] if number < len(pictures) else f"image {number} of the batch"
        raise DatasetError(
            f"{picture}: object {row} is of class {wrong}, and the model knows {num_classes}, 0 to "
            f"{num_classes - 1} ({key}): set {key} to the number of classes of the data set"
            f"{f' {data}' if data else ' (DATASETS.TRAIN)'}, whose objects are numbered from 0 on"
        )


def check_classes_of_records(
    records: Sequence[Mapping[str, Any]], num_classes: int, *, key: str, **options: Any
) -> None:
    """:func:`check_classes` of records with "instances", named by their "file_name"."""
    named = [each for each in records if "instances" in each]
    pictures = [
        str(each.get("file_name", f"image {number} of the batch"))
        for number, each in enumerate(named)
    ]
    truth = [each["instances"] for each in named]
    check_classes(truth, num_classes, key=key, pictures=pictures, **options)
