"""Write a COCO data set of synthetic scenes: ``train``, ``val`` and ``annotations`` in a folder.

Interrupted, it goes on where it stopped: a split is a job of d2freq.utils.jobs.
"""

import os
import shutil
from collections import Counter
from pathlib import Path

import cv2

from d2freq.data.coco.read import read_coco
from d2freq.data.coco.write import write_coco
from d2freq.data.scenes.objects import KINDS
from d2freq.data.scenes.scene import VERSION, render_scene
from d2freq.data.scenes.sensor import as_sensor, check_sensor
from d2freq.errors import UserError
from d2freq.utils.files import read_json
from d2freq.utils.jobs import Item, Job, read_key
from d2freq.utils.pixels import write_rgb, write_samples

CATEGORIES = [
    {"id": number, "name": kind, "supercategory": "tiny object"}
    for number, kind in enumerate(KINDS, start=1)
]


def generate_scenes(
    output: str | os.PathLike,
    *,
    seed: int = 0,
    train: int = 160,
    val: int = 40,
    size: int = 256,
    bits: int = 8,
    bands: int = 3,
    workers: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, Path]:
    """Write ``train`` and ``val`` pictures of ``size`` x ``size`` pixels and their COCO files.

    Args:
        output: the folder; it is created. What is already there of the same seed and size stays,
            but for scenes without outlines, which older versions wrote: they are made again.
        bits: 8, or 16 for 12-bit numbers up to 4095 in files of 16.
        bands: 1 (grey), 3 (red, green, blue) or 4 (and near infrared, in TIFF files).
        workers: processes, by default one a core. The bytes do not depend on it.
        overwrite: replace scenes of another seed, size or count instead of refusing.

    Returns:
        the COCO file of each split, {"train": Path, "val": Path}.

    Raises:
        UserError: sizes or counts out of range, or ``output`` holds other scenes.
    """
    counts = {"train": train, "val": val}
    if min(counts.values()) < 1:
        raise UserError(f"a split needs at least one picture, got train={train}, val={val}")
    if not 64 <= size <= 2048:
        raise UserError(f"size={size}: a scene has 64 to 2048 pixels a side")
    if seed < 0:
        raise UserError(f"seed={seed}: a seed is a whole number from 0 on")
    check_sensor(bits, bands)
    root = Path(output)
    files = {split: root / "annotations" / f"{split}.json" for split in counts}
    wishes = {
        split: _info(seed, split, count, size, bits, bands) for split, count in counts.items()
    }
    todo = [split for split in counts if not _is_there(root, files[split], wishes[split])]
    for split in todo:
        _make_room(root, split, files[split], wishes[split], overwrite=overwrite)
    for split in todo:
        with Job(_parts(root, split), key=wishes[split]) as job:
            sensor = (bits, bands)
            wanted = [(root, seed, split, index, size, sensor) for index in range(counts[split])]
            objects = job.run(
                _render_to_disk,
                [Item(_name(scene[3], bands), scene) for scene in wanted],
                workers=workers,
                intact=lambda scene, found: (
                    (root / scene[2] / _name(scene[3], bands)).is_file()
                    and all(len(thing) == 3 for thing in found)  # older versions had no outlines
                ),
                label=f"scenes {split}",
                progress=progress,
            )
            _write_coco(files[split], wishes[split], objects)
    return files


def describe(json_file: str | os.PathLike) -> str:
    """One line on a COCO file: pictures, boxes, kinds."""
    data = read_coco(json_file)
    names = {category["id"]: category["name"] for category in data["categories"]}
    kinds = Counter(names[annotation["category_id"]] for annotation in data["annotations"])
    text = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return f"{json_file}: {len(data['images'])} pictures, {len(data['annotations'])} boxes ({text})"


def _info(seed: int, split: str, count: int, size: int, bits: int, bands: int) -> dict:
    deep = {} if (bits, bands) == (8, 3) else {"bits": bits, "bands": bands}
    return {
        "description": "d2freq tiny scenes: synthetic aerial pictures",
        "version": str(VERSION),
        "seed": seed,
        "split": split,
        "count": count,
        "size": size,
        **deep,
    }


def _name(index: int, bands: int = 3) -> str:
    return f"{index + 1:06d}.{'tif' if bands == 4 else 'png'}"


def _parts(root: Path, split: str) -> Path:
    return root / f".{split}.parts"


def _is_there(root: Path, json_file: Path, wish: dict) -> bool:
    data = read_json(json_file) or {}
    if data.get("info") != wish:
        return False
    if not all("segmentation" in annotation for annotation in data["annotations"]):
        return False
    pictures = (root / wish["split"] / image["file_name"] for image in data["images"])
    return all(picture.is_file() for picture in pictures)


def _make_room(root: Path, split: str, json_file: Path, wish: dict, *, overwrite: bool) -> None:
    """Keep the parts of an interrupted run with the same wish; refuse or remove other scenes."""
    begun = read_key(_parts(root, split))
    found = begun or (read_json(json_file) or {}).get("info")
    if found is None and (root / split).is_dir() and any((root / split).iterdir()):
        found = {"description": "files of unknown origin"}
    if found is not None and found != wish and not overwrite:
        differs = ", ".join(
            f"{k}={found[k]}" for k in ("seed", "size", "count", "bits", "bands") if k in found
        )
        raise UserError(
            f"{root / split} holds other scenes ({differs or found['description']}); choose "
            "another --output, ask for the same seed, size and count, or pass --overwrite"
        )
    if found != wish or begun is None:
        shutil.rmtree(root / split, ignore_errors=True)
        shutil.rmtree(_parts(root, split), ignore_errors=True)
        json_file.unlink(missing_ok=True)
    (root / split).mkdir(parents=True, exist_ok=True)


def _render_to_disk(scene: tuple) -> list:
    """Write one picture; its objects, [category id, box, polygons] each."""
    root, seed, split, index, size, sensor = scene
    cv2.setNumThreads(1)  # the processes share the cores
    rendered = render_scene(seed, split, index, size)
    picture = root / split / _name(index, sensor[1])
    if sensor == (8, 3):
        write_rgb(picture, rendered.image[:, :, ::-1], compression=4)
    else:
        write_samples(picture, as_sensor(rendered.image, *sensor))
    labels = enumerate(zip(rendered.kinds, rendered.boxes, strict=True))
    return [[KINDS.index(kind) + 1, box, rendered.segmentation(k)] for k, (kind, box) in labels]


def _write_coco(json_file: Path, info: dict, objects: list[list]) -> None:
    images: list[dict] = []
    annotations: list[dict] = []
    side, bands = info["size"], info.get("bands", 3)
    for index, found in enumerate(objects):
        name = _name(index, bands)
        images.append({"id": index + 1, "file_name": name, "width": side, "height": side})
        for category, box, segmentation in found:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index + 1,
                    "category_id": category,
                    "bbox": box,
                    "area": box[2] * box[3],  # as in AI-TOD: the size classes are those of boxes
                    "iscrowd": 0,
                    "segmentation": segmentation,
                }
            )
    write_coco(json_file, images=images, annotations=annotations, categories=CATEGORIES, info=info)
