"""A COCO file as YOLO labels: labels/*.txt and data.yaml. Images stay where they are."""

import os
from pathlib import Path

from d2freq.data.coco.faults_of_records import count_regions
from d2freq.data.convert.coco_to_labels import count_lost, is_ignored, read_checked, write_labels
from d2freq.utils.files import write_text

DIGITS = 8  # 0.01 pixel of an image of a million pixels


def write_yolo(
    json_file: str | os.PathLike,
    output: str | os.PathLike,
    *,
    polygons: bool = False,
    progress: bool = True,
) -> list[str]:
    """Write ``labels`` and ``data.yaml``; classes count from 0 in the order of category ids.

    YOLO has nothing to ignore: crowds and ignore regions are left out, and counted in the lines
    that are returned.

    Args:
        polygons: write an object that has one polygon as such, not as its box. YOLO wants polygons
            for all objects of a set or for none.

    Raises:
        DatasetError: the COCO file is faulty.
        UserError: two images differ in their endings alone, or ``labels`` holds those of others.
    """
    import yaml

    data, faulty = read_checked(json_file)
    categories = sorted(data["categories"], key=lambda category: category["id"])
    classes = {category["id"]: number for number, category in enumerate(categories)}
    solid = [a for a in data["annotations"] if not is_ignored(a)]

    def text_of(image: dict, annotations: list[dict]) -> str:
        return "".join(_line(image, a, classes[a["category_id"]], polygons) for a in annotations)

    root = Path(output)
    chosen = {**data, "annotations": solid}
    files = write_labels(chosen, root / "labels", ".txt", text_of, progress=progress)
    # train and val are what YOLO's loaders ask for; the images are put beside the labels
    names = {number: category["name"] for number, category in enumerate(categories)}
    about = {"train": "images", "val": "images", "names": names}
    text = yaml.safe_dump(about, sort_keys=False, allow_unicode=True)
    write_text(root / "data.yaml", text)
    left_out = {
        "ignored boxes left out: YOLO has no such thing": len(data["annotations"]) - len(solid),
        "ignore regions left out: YOLO has no such thing": count_regions(data["images"]),
        "boxes left out: empty, negative or outside of their image": faulty,
        **count_lost([a for a in solid if not (polygons and _ring(a))]),
    }
    return [
        f"{root}: labels of {files} images, {len(solid)} boxes; put the images into {root}/images",
        *(f"  {count} {sentence}" for sentence, count in left_out.items() if count),
    ]


def _ring(annotation: dict) -> list:
    """The only polygon of an object; [] of one with several, with run lengths, or with none."""
    rings = annotation.get("segmentation")
    return rings[0] if isinstance(rings, list) and len(rings) == 1 else []


def _line(image: dict, annotation: dict, number: int, polygons: bool) -> str:
    ring = _ring(annotation) if polygons else []
    if ring:
        sides = (image["width"], image["height"])
        corners = [f"{value / sides[n % 2]:.{DIGITS}f}" for n, value in enumerate(ring)]
        return " ".join([str(number), *corners]) + "\n"
    x, y, w, h = annotation["bbox"]
    width, height = image["width"], image["height"]
    shares = ((x + w / 2) / width, (y + h / 2) / height, w / width, h / height)
    return " ".join([str(number), *(f"{share:.{DIGITS}f}" for share in shares)]) + "\n"
