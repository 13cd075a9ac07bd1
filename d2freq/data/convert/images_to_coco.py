"""From the objects found in each image to one COCO file, and what it holds in words."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from d2freq.data.coco.faults_of_records import count_regions
from d2freq.data.coco.read import read_coco
from d2freq.data.coco.write import write_coco
from d2freq.errors import UserError
from d2freq.utils.jobs import Item, Job, parts_of

# What is left out or odd is counted under a sentence; the number stands before it.
EMPTY = "boxes left out: no width or no height"
OVER_BORDER = "boxes over the border of their image, kept as they are"
TWICE = "boxes of one class in one place, kept as they are"
NO_LABELS = "images without a label file, kept as images without objects"

SLACK = 0.01  # pixels over the border that are rounding; as in the check of COCO files


def convert_images(
    output: str | os.PathLike,
    function: Callable[[Any], dict],
    items: Sequence[Item],
    *,
    key: dict,
    names: Sequence[str] | None,
    description: str,
    notes: Counter[str] | None = None,
    root: str | os.PathLike | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Run ``function`` over the images of a source and write what it finds as a COCO file.

    Args:
        function: picklable; from an item's argument to ``image_result(...)``.
        key: the source and all options, see ``Job``.
        names: categories in order, ids from 1 on; None takes the names found, sorted.
        description: what the file says of itself.
        notes: what is to be counted of the source as a whole, see ``image_result``.
        root: the folder from which file names count, told where the source does not say it.

    Returns:
        ``output``; its ``info["notes"]`` counts what was left out.

    Raises:
        FailedItems: some images could not be converted; nothing is written.
    """
    with Job(parts_of(output), key=key) as job:
        results = job.run(
            function, items, workers=workers, label=str(key["format"]), progress=progress
        )
        if names is None:
            names = sorted({box["category"] for result in results for box in result["boxes"]})
        if not names:
            raise UserError(f"{key['source']}: no object in any image, so no class; pass --names")
        images, annotations = _number(results, names)
        told = {} if root is None else {"images": os.path.abspath(root)}
        notes = sum((Counter(result["notes"]) for result in results), Counter(notes or ()))
        return write_coco(
            output,
            images=images,
            annotations=annotations,
            categories=[{"id": i, "name": name} for i, name in enumerate(names, start=1)],
            info={"description": description, **told, "notes": dict(sorted((+notes).items()))},
        )


def image_result(image: dict, boxes: list[dict], notes: Counter[str] | None = None) -> dict:
    """What is found in an image.

    Args:
        image: COCO's record but for its id.
        boxes: ``category`` (its name), ``bbox`` (x, y, width, height), ``iscrowd``, and keys of the
            source. Those of no area are left out and counted.
        notes: how often what a sentence says was met.
    """
    notes = Counter(notes or ())
    solid = [box for box in boxes if box["bbox"][2] > 0 and box["bbox"][3] > 0]
    notes[EMPTY] += len(boxes) - len(solid)
    places = Counter((box["category"], *box["bbox"]) for box in solid)
    notes[TWICE] += sum(count - 1 for count in places.values())
    for box in solid:
        x, y, w, h = box["bbox"]
        over = max(-x, -y, x + w - image["width"], y + h - image["height"])
        notes[OVER_BORDER] += over > SLACK
    return {"image": image, "boxes": solid, "notes": {k: n for k, n in notes.items() if n}}


def describe_coco(json_file: str | os.PathLike) -> list[str]:
    """Images, boxes of each class, what is ignored and what was left out, a line each."""
    data = read_coco(json_file)
    solid = [a for a in data["annotations"] if not a["iscrowd"]]
    crowds = len(data["annotations"]) - len(solid)
    regions = count_regions(data["images"])
    bare = len(data["images"]) - len({a["image_id"] for a in data["annotations"]})
    counts = Counter(a["category_id"] for a in solid)
    info = data.get("info", {})
    root = [f"  file names count from {info['images']}"] if "images" in info else []
    return [
        f"{json_file}: {len(data['images'])} images ({bare} without objects), {len(solid)} boxes, "
        f"{crowds} ignored boxes (iscrowd), {regions} ignore regions",
        *(f"  {counts[c['id']]:>9} {c['name']}" for c in data["categories"]),
        *(f"  {count} {sentence}" for sentence, count in info.get("notes", {}).items()),
        *root,
    ]


def _number(results: Sequence[dict], names: Sequence[str]) -> tuple[list, list]:
    ids = {name: number for number, name in enumerate(names, start=1)}
    images: list[dict] = []
    annotations: list[dict] = []
    for number, result in enumerate(results, start=1):
        images.append({"id": number, **result["image"]})
        for box in result["boxes"]:
            head = {"id": len(annotations) + 1, "image_id": number}
            _, _, w, h = box["bbox"]
            rest = {key: value for key, value in box.items() if key != "category"}
            head |= {"category_id": ids[box["category"]], "area": w * h}
            annotations.append({**head, **rest})
    return images, annotations
