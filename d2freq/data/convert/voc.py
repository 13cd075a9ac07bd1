"""Pascal VOC: Annotations/*.xml, JPEGImages/ and lists of names in ImageSets/Main/.

VOC counts pixels from 1, and ``xmax`` is the last pixel of the object: x = xmin - 1 and
w = xmax - xmin + 1, so a box of one pixel has xmin = xmax. Files of labelling tools often hold
edges counted from 0; for those, ``one_based=False``.
"""

import math
import os
from collections import Counter
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from d2freq.data.convert.class_names import read_names
from d2freq.data.convert.images_to_coco import convert_images, image_result
from d2freq.data.convert.label_files import Pair, read_lines
from d2freq.data.convert.voc_layout import find_voc
from d2freq.data.convert.voc_shapes import box_of
from d2freq.errors import UserError
from d2freq.utils.xml import read_xml

NO_XML = "images without an XML file left out"
OTHER_SIZE = "images of another size than their XML file says; the image is believed"
PARTS = "parts of objects (heads, hands) left out"
FLAGS = ("difficult", "truncated", "occluded")


def convert_voc(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    split: str = "",
    names: str | None = None,
    one_based: bool = True,
    hull: bool = False,
    xml_offset: int | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the COCO file of a VOC folder; ``file_name`` counts from ``source/JPEGImages``, or from
    the folder that stands in its place.

    Objects marked ``difficult`` become ``iscrowd: 1``, as VOC's own measure ignores them. The
    flags of FLAGS and ``attributes`` are kept. The area is width x height.

    Args:
        source: holds ``Annotations`` and ``JPEGImages``, for example VOCdevkit/VOC2007, or another
            layout of ``find_voc``.
        split: the images that ImageSets/Main/<split>.txt names; "" takes every XML file.
        names: as in ``read_names``; without it the classes found, sorted.
        one_based: VOC's own convention, above; False: edges, counted from 0.
        hull: an object without a bndbox is one of the box around its robndbox or polygon, which
            count from 0; else it is refused.
        xml_offset: what was added to all four numbers of a bndbox, which are edges: a box is [xmin
            - offset, ymin - offset, xmax - xmin, ymax - ymin]. It takes the place of ``one_based``.

    A box whose xmin is above its xmax has its corners exchanged, which is counted.

    Raises:
        UserError: a folder or the list of the split is missing.
        FailedItems: an XML file without image, an image of the split without XML file, unreadable
            images, XML that breaks off or has entities, a class without a name; all are listed.
    """
    root = Path(source)
    pairs = find_voc(root)
    bare = 0
    if split:
        pairs = _of_split(pairs, root, split)
    else:
        bare = sum(not pair.label for pair in pairs)
        pairs = [pair for pair in pairs if pair.label]
    classes = read_names(names) if names else None
    one_based, offset = one_based and xml_offset is None, xml_offset or 0
    options = {"split": split, "names": classes, "one_based": one_based, "hull": hull}
    return convert_images(
        output,
        partial(_convert, names=classes, one_based=one_based, hull=hull, offset=offset),
        [pair.item() for pair in pairs],
        key={"format": "voc", "source": os.path.abspath(root), **options, "offset": offset},
        names=classes,
        description=f"Pascal VOC, {root.resolve().name} {split}".strip(),
        notes=Counter({NO_XML: bare}),
        root=pairs[0].root if Path(pairs[0].root).name != "JPEGImages" else None,
        workers=workers,
        progress=progress,
    )


def _of_split(pairs: list[Pair], root: Path, split: str) -> list[Pair]:
    names = root / "ImageSets" / "Main" / f"{split}.txt"
    if not names.is_file():
        raise UserError(f"{names}: no such file; --split names a list in ImageSets/Main")
    known = {os.path.splitext(pair.image)[0]: pair for pair in pairs if pair.image}
    known |= {Path(pair.label).stem: pair for pair in pairs if not pair.image}
    chosen = {}
    for place, text in read_lines(names):
        name = text.split()[0]  # a list of one class has 1, 0 or -1 behind the name
        # some lists have paths or endings
        stem = os.path.splitext(name.replace("\\", "/").rpartition("/")[2])[0]
        name = name if name in known else stem
        if name not in known:
            raise UserError(
                f"{place}: {name} is neither in JPEGImages nor in Annotations; fetch it, or remove "
                "the line"
            )
        chosen[name] = known[name]
    return list(chosen.values())


def _convert(
    pair: Pair, *, names: list[str] | None, one_based: bool, hull: bool, offset: int
) -> dict:
    image = pair.image_record()
    if not pair.label:
        path = os.path.join(pair.root, pair.image)
        raise UserError(f"{path}: in the split, but without an XML file in Annotations")
    tree = read_xml(pair.label)
    if tree.tag != "annotation":
        raise UserError(
            f"{pair.label}: no XML of Pascal VOC's, which begins with <annotation>, but "
            f"<{tree.tag}>; remove it, or convert it with the command of its tool"
        )
    notes: Counter[str] = Counter()
    said = [tree.findtext(f"size/{side}", "0").strip() for side in ("width", "height")]
    if said == [str(image["height"]), str(image["width"])] and said[0] != said[1] and pair.turned():
        raise UserError(
            f"{os.path.join(pair.root, pair.image)}: turned by its EXIF tag, but {pair.label} has "
            f"labels of the unturned {said[0]} x {said[1]} pixels; remove the tag from the image "
            "(exiftool -Orientation= FILE) and convert again"
        )
    # tools that do not know the size write 0
    notes[OTHER_SIZE] += said != ["0", "0"] and said != [str(image["width"]), str(image["height"])]
    boxes = []
    for number, thing in enumerate(tree.iterfind("object"), start=1):
        place = f"{pair.label}, object {number}"
        name = (thing.findtext("name") or "").strip()
        if not name:
            raise UserError(f"{place}: class {name!r}; give the object a name")
        if names is not None and name not in names:
            raise UserError(
                f"{place}: class {name!r}; known are {', '.join(names)}; name it with --names, "
                "too, or correct the object"
            )
        bbox = box_of(thing, place, notes, one_based=one_based, hull=hull)
        if thing.find("bndbox") is not None:
            bbox[:2] = bbox[0] - offset, bbox[1] - offset
        flags = {
            flag: _flag(thing, flag, place)
            for flag in FLAGS
            if (thing.findtext(flag) or "").strip()
        }
        crowd = {"iscrowd": int(bool(flags.get("difficult")))}
        notes.update({PARTS: len(parts)} if (parts := thing.findall("part")) else {})
        boxes.append({"category": name, "bbox": bbox, **crowd, **flags, **_attributes(thing)})
    return image_result(image, boxes, notes)


def _attributes(thing: ElementTree.Element) -> dict:
    """What CVAT's export to VOC says of an object beside its box."""
    said = {
        (each.findtext("name") or "").strip(): (each.findtext("value") or "").strip()
        for each in thing.iterfind("attributes/attribute")
    }
    return {"attributes": said} if said else {}


def _flag(thing: ElementTree.Element, flag: str, place: str) -> int:
    text = (thing.findtext(flag) or "").strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value.is_integer():
        raise UserError(f"{place}, {flag}: {text!r} is neither 0 nor 1; write one of the two")
    return int(value)
