"""From a place that a user names to data that trains and data that measures."""

import os
from collections.abc import Sequence
from pathlib import Path

from d2freq.data.convert.recognise import hint
from d2freq.data.own.coco_layout import JSON, find_coco, split_of
from d2freq.data.own.splits import OwnData, Split, class_names, split_off
from d2freq.data.own.yolo_layout import convert_parts, find_yaml
from d2freq.errors import UserError
from d2freq.utils.present import present


def find_own_data(
    place: str | os.PathLike,
    val_place: str | os.PathLike | None = None,
    *,
    images: str | os.PathLike | None = None,
    val_images: str | os.PathLike | None = None,
    work: str | os.PathLike,
) -> OwnData:
    """Training and validation data of one's own, COCO or YOLO.

    Args:
        place: a COCO file, a YOLO ``data.yaml``, or a folder that holds either.
        val_place: what measures, where ``place`` does not hold it or holds another.
        images: the folder of the images of COCO files; without it they are looked for near the
            file.
        val_images: that of what measures; without it ``images``.
        work: the folder for COCO files that are made: converted labels, and the two parts of data
            that comes in one.

    Raises:
        UserError: nothing is found, or more than one reading; each message says what to name.
        DatasetError: a file cannot be read.
        FailedItems: YOLO labels that cannot be converted.
    """
    folders = [images, val_images or images]
    notes: list[str] = []
    train_path = existing(place, "--data")
    if val_place is None:
        parts = _parts(train_path, folders, work)
        train, val = _train_and_val(parts, train_path, work, notes)
    else:
        val_path = existing(val_place, "--val-data")
        train = _one(train_path, "train", folders[0], work)
        val = _one(val_path, "val", folders[1], work)
    return OwnData(train, val, class_names(train.json_file), notes)


def existing(place: str | os.PathLike, flag: str) -> Path:
    """``place``, which the user has given by ``flag``.

    Raises:
        UserError: nothing is there.
    """
    present(place, flag)
    return Path(place)


def _train_and_val(
    parts: dict[str, Split], place: Path, work: str | os.PathLike, notes: list[str]
) -> tuple[Split, Split]:
    whole = parts.get("train") or parts.get("")
    if whole is None:
        raise UserError(
            f"{place}: data for {' and '.join(parts)} alone; name the training data: --data "
            "TRAIN.json --val-data VAL.json"
        )
    if "train" in parts and "val" in parts:
        return whole, parts["val"]
    if "train" in parts and "test" in parts:
        notes.append("No validation data is there, so the test data measures.")
        return whole, parts["test"]
    notes.append(
        f"No validation data is there: one image in five of {whole.json_file} is kept for "
        "measuring. Frames of one video or overlapping pictures on both sides flatter the figures."
    )
    return split_off(whole, work)


def _parts(
    place: Path, folders: Sequence[str | os.PathLike | None], work: str | os.PathLike
) -> dict[str, Split]:
    """What is at the place, by what it is for; "" where nothing says."""
    if place.is_file() and place.name.lower().endswith(JSON):
        return {"": split_of(place, folders[0])}
    names = find_yaml(place)
    if names is not None:
        return convert_parts(names, work)
    if place.is_file():
        raise UserError(
            f"--data {place}: neither a COCO file (.json) nor a YOLO data.yaml{hint(place)}"
        )
    found = find_coco(place)
    if not found:
        raise UserError(
            f"--data {place}: no COCO file and no YOLO data.yaml below it; d2freq convert makes "
            f"COCO files of other labels{hint(place)}"
        )
    by_purpose = {"val": folders[1], "test": folders[1]}
    return {what: split_of(file, by_purpose.get(what, folders[0])) for what, file in found.items()}


def _one(
    place: Path, purpose: str, images: str | os.PathLike | None, work: str | os.PathLike
) -> Split:
    """The part of a place that is for one purpose, or its only part."""
    parts = _parts(place, [images, images], Path(work, purpose))
    if purpose in parts:
        return parts[purpose]
    if len(parts) == 1:
        return next(iter(parts.values()))
    raise UserError(f"--data {place}: data for {', '.join(parts)}; name the file")
