"""Pascal VOC: Annotations/*.xml, JPEGImages/ and lists of names in ImageSets/Main/.

VOC counts pixels from 1, and ``xmax`` is the last pixel of the object: x = xmin - 1 and
w = xmax - xmin + 1, so a box of one pixel has xmin = xmax. Files of labelling tools often hold
edges counted from 0; for those, ``one_based=False``.
"""

import os
from collections import Counter
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from d2freq.data.convert.class_names import read_names
from d2freq.data.convert.images_to_coco import convert_images, image_result
from d2freq.data.convert.label_files import Pair, pair_files, read_lines, read_number
from d2freq.errors import UserError

NO_XML = "images without an XML file left out"
OTHER_SIZE = "images of another size than their XML file says; the image is believed"
FLAGS = ("difficult", "truncated", "occluded")
SIDES = ("xmin", "ymin", "xmax", "ymax")


def convert_voc(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    split: str = "",
    names: str | None = None,
    one_based: bool = True,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the COCO file of a VOC folder; ``file_name`` counts from ``source/JPEGImages``.

    Objects marked ``difficult`` become ``iscrowd: 1``, as VOC's own measure ignores them. The
    flags of FLAGS are kept. The area is width x height.

    Args:
        source: holds ``Annotations`` and ``JPEGImages``, for example VOCdevkit/VOC2007.
        split: the images that ImageSets/Main/<split>.txt names; "" takes every XML file.
        names: as in ``read_names``; without it the classes found, sorted.
        one_based: VOC's own convention, above; False: edges, counted from 0.

    Raises:
        UserError: a folder or the list of the split is missing.
        FailedItems: an XML file without image, an image of the split without XML file, unreadable
            images, XML that breaks off or has entities, a class without a name; all are listed.
    """
    root = Path(source)
    pairs = pair_files(root / "JPEGImages", root / "Annotations", ".xml")
    bare = 0
    if split:
        pairs = _of_split(pairs, root, split)
    else:
        bare = sum(not pair.label for pair in pairs)
        pairs = [pair for pair in pairs if pair.label]
    classes = read_names(names) if names else None
    options = {"split": split, "names": classes, "one_based": one_based}
    return convert_images(
        output,
        partial(_convert, names=classes, one_based=one_based),
        [pair.item() for pair in pairs],
        key={"format": "voc", "source": os.path.abspath(root), **options},
        names=classes,
        description=f"Pascal VOC, {root.resolve().name} {split}".strip(),
        notes=Counter({NO_XML: bare}),
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
        if name not in known:
            raise UserError(f"{place}: {name} is neither in JPEGImages nor in Annotations")
        chosen[name] = known[name]
    return list(chosen.values())


def _convert(pair: Pair, *, names: list[str] | None, one_based: bool) -> dict:
    image = pair.image_record()
    if not pair.label:
        path = os.path.join(pair.root, pair.image)
        raise UserError(f"{path}: in the split, but without an XML file in Annotations")
    tree = _read_xml(pair.label)
    notes: Counter[str] = Counter()
    said = [tree.findtext(f"size/{side}", "0").strip() for side in ("width", "height")]
    # tools that do not know the size write 0
    notes[OTHER_SIZE] += said != ["0", "0"] and said != [str(image["width"]), str(image["height"])]
    boxes = []
    for number, thing in enumerate(tree.iterfind("object"), start=1):
        place = f"{pair.label}, object {number}"
        name = (thing.findtext("name") or "").strip()
        if not name or (names is not None and name not in names):
            known = "" if names is None else f"; known are {', '.join(names)}"
            raise UserError(f"{place}: class {name!r}{known}")
        texts = [thing.findtext(f"bndbox/{side}") for side in SIDES]
        left, top, right, bottom = (
            read_number(text, f"{place}, {side}") for text, side in zip(texts, SIDES, strict=True)
        )
        left, top = left - one_based, top - one_based
        flags = {
            flag: int(read_number(thing.findtext(flag), f"{place}, {flag}"))
            for flag in FLAGS
            if (thing.findtext(flag) or "").strip()
        }
        crowd = {"iscrowd": int(bool(flags.get("difficult")))}
        bbox = [left, top, right - left, bottom - top]
        boxes.append({"category": name, "bbox": bbox, **crowd, **flags})
    return image_result(image, boxes, notes)


def _read_xml(path: str) -> ElementTree.Element:
    """The root element. External entities are never fetched; files that define any are refused."""
    content = Path(path).read_bytes()
    if b"<!ENTITY" in content:
        raise UserError(
            f"{path}: defines entities, which may be made to fill the memory; remove them"
        )
    try:
        return ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise UserError(f"{path}: no whole XML ({error}); fetch it again") from error
