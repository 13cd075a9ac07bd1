"""A class that marks what is to be ignored, as SODA-D has one, becomes regions of the images."""

from d2freq.data.coco.check import refuse_faulty
from d2freq.errors import DatasetError


def as_regions(data: dict, category: str, *, name: str) -> dict:
    """COCO content without the class ``category``; its boxes are now ``ignore_regions``.

    A region excuses detections of every class, as a marked object may be of any. The records given
    stay as they are.

    Args:
        name: of the file, for errors.

    Raises:
        DatasetError: the file is faulty, or has no such class.
    """
    refuse_faulty(data, name)
    names = [c["name"] for c in data["categories"]]
    if category not in names:
        raise DatasetError(
            f"{name}: no category {category!r}, it has {', '.join(names)}; leave --ignore-category "
            "out where objects to ignore carry ignore or iscrowd"
        )
    marked = {c["id"] for c in data["categories"] if c["name"] == category}
    regions: dict[int, list] = {}
    for annotation in data["annotations"]:
        if annotation["category_id"] in marked:
            regions.setdefault(annotation["image_id"], []).append(annotation["bbox"])
    images = [
        {**image, "ignore_regions": [*image.get("ignore_regions", []), *regions[image["id"]]]}
        if image["id"] in regions
        else image
        for image in data["images"]
    ]
    annotations = [a for a in data["annotations"] if a["category_id"] not in marked]
    categories = [c for c in data["categories"] if c["id"] not in marked]
    return {"images": images, "annotations": annotations, "categories": categories}
