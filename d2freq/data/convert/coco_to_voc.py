"""A COCO file as Pascal VOC: Annotations/*.xml and a list of the images in ImageSets/Main."""

import os
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from d2freq.data.coco.faults_of_records import count_regions
from d2freq.data.convert.coco_to_labels import count_lost, is_ignored, read_checked, write_labels
from d2freq.data.convert.voc import FLAGS
from d2freq.data.convert.voc_shapes import SIDES
from d2freq.utils.files import write_text

DIGITS = 3  # of a pixel; whole numbers are written as such


def write_voc(
    json_file: str | os.PathLike, output: str | os.PathLike, *, progress: bool = True
) -> list[str]:
    """Write ``Annotations`` and ``ImageSets/Main/<name of the COCO file>.txt``.

    Pixels count from 1 and ``xmax`` is the last one, see d2freq.data.convert.voc. Boxes that are
    not in whole pixels keep three digits, as rounding would move tiny objects by much of their
    size. Crowds are written as ``difficult``, which VOC ignores; ignore regions are left out and
    counted in the lines that are returned.

    Raises:
        DatasetError: the COCO file is faulty.
        UserError: two images differ in their endings alone, or the folder holds labels of others.
    """
    data, faulty = read_checked(json_file)
    names = {category["id"]: category["name"] for category in data["categories"]}

    def text_of(image: dict, annotations: list[dict]) -> str:
        return _document(image, [(names[a["category_id"]], a) for a in annotations])

    root = Path(output)
    files = write_labels(data, root / "Annotations", ".xml", text_of, progress=progress)
    listed = root / "ImageSets" / "Main" / f"{Path(json_file).stem}.txt"
    stems = [str(PurePosixPath(image["file_name"]).with_suffix("")) for image in data["images"]]
    write_text(listed, "".join(f"{stem}\n" for stem in stems))
    left_out = {
        "ignore regions left out: VOC has no such thing": count_regions(data["images"]),
        "boxes left out: empty, negative or outside of their image": faulty,
        **count_lost(data["annotations"], kept=FLAGS),
    }
    crowds = sum(map(is_ignored, data["annotations"]))
    return [
        f"{root}: XML of {files} images, {len(data['annotations'])} boxes, {crowds} of them "
        f"difficult; put the images into {root}/JPEGImages",
        *(f"  {count} {sentence}" for sentence, count in left_out.items() if count),
    ]


def _document(image: dict, objects: list[tuple[str, dict]]) -> str:
    root = ElementTree.Element("annotation")
    _add(root, "filename", image["file_name"])
    size = _add(root, "size")
    for side, value in (("width", image["width"]), ("height", image["height"]), ("depth", 3)):
        _add(size, side, value)
    for name, annotation in objects:
        thing = _add(root, "object")
        _add(thing, "name", name)
        flags = {flag: int(bool(annotation.get(flag))) for flag in FLAGS if flag in annotation}
        for flag, value in {**flags, "difficult": int(is_ignored(annotation))}.items():
            _add(thing, flag, value)
        x, y, w, h = annotation["bbox"]
        box = _add(thing, "bndbox")
        for side, value in zip(SIDES, (x + 1, y + 1, x + w, y + h), strict=True):
            _add(box, side, f"{round(value, DIGITS):.{DIGITS}f}".rstrip("0").rstrip("."))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _add(parent: ElementTree.Element, tag: str, text: object = None) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, tag)
    child.text = None if text is None else str(text)
    return child
