"""SIRST, infrared images with tiny targets, version 1 and 2, as published on GitHub.

The boxes are those of the masks, to the pixel. The published XML has the same boxes with 1 added to
all four numbers (in version 2 to 647 of 648 of them), so that a COCO box from it is
[xmin - 1, ymin - 1, xmax - xmin, ymax - ymin]; images whose XML says something else are counted.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from d2freq.data.convert.images_to_coco import convert_images
from d2freq.data.convert.label_files import Pair, find_files, read_lines
from d2freq.data.convert.masks.convert import MaskForm, convert_mask
from d2freq.data.convert.masks.objects import read_mask
from d2freq.data.convert.voc_shapes import box_of
from d2freq.errors import UserError
from d2freq.utils.files import replacing
from d2freq.utils.names import PICTURES
from d2freq.utils.xml import read_xml

OFFSET = 1  # of the numbers in the published XML
SUFFIX = "_pixels0"  # of a mask's name
SPLITS = ("train", "val", "test")
OTHER_XML = "images whose XML does not say the mask's boxes plus 1; the mask is believed"
NO_TARGET = "images without a target left out"


def convert_sirst(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> list[Path]:
    """Write the COCO files of all splits and copy the images that they name to ``output/images``.

    Args:
        source: a copy of YimianDai/open-sirst-v2 (which holds version 1, too) or of
            YimianDai/sirst. Images without a target are left out.
        output: the folder for ``train.json``, ``val.json`` and ``test.json`` of version 2, with
            ``v1: true`` at images of version 1, and for ``v1_train.json`` ... of version 1 by its
            own lists.

    Returns:
        the files written.

    Raises:
        UserError: another folder.
        FailedItems: images or masks that are missing or unreadable.
    """
    root, target = Path(source), Path(output)
    if (root / "splits").is_dir():
        lists = {s: root / f"splits/{s}_full.txt" for s in SPLITS}
        old = {s: root / f"splits/{s}_v1.txt" for s in SPLITS}
        masks, boxes = root / "annotations/masks", root / "annotations/bboxes"
        images = {**find_files(root / "images", PICTURES)}
        wanted = {**lists, **{f"v1_{s}": file for s, file in old.items()}}
    elif (root / "idx_427").is_dir():
        old = {s: root / f"idx_427/{s}.txt" for s in SPLITS}
        masks, boxes = root / "masks", root / "bboxes"
        images = find_files(root / "images", PICTURES)
        wanted = {f"v1_{s}": file for s, file in old.items()}
    else:
        raise UserError(
            f"{root}: neither splits/ (of open-sirst-v2) nor idx_427/ (of sirst) is there; SOURCE "
            "is a copy of github.com/YimianDai/open-sirst-v2"
        )
    paths = {Path(stem).name: root / "images" / file for stem, file in images.items()}
    first = {name for file in old.values() for name in _names(file)}
    written = []
    for split, file in wanted.items():
        pairs = [_pair(paths, masks, place, name) for name, place in _names(file).items()]
        pairs = [pair for pair in pairs if not _is_empty(pair)]
        left_out = len(_names(file)) - len(pairs)
        written.append(
            convert_images(
                target / f"{split}.json",
                partial(_convert, xml=str(boxes) if boxes.is_dir() else "", first=first),
                [pair.item() for pair in pairs],
                key={"format": "sirst", "source": os.path.abspath(root), "split": split},
                names=["target"],
                description=f"SIRST, {split}, boxes of the masks",
                notes=Counter({NO_TARGET: left_out}),
                workers=workers,
                progress=progress,
            )
        )
        _copy(pairs, target / "images")
    return written


def _names(file: Path) -> dict[str, str]:
    """Names of a list, and where they stand."""
    if not file.is_file():
        raise UserError(f"{file}: no such list; fetch the whole of the published folder")
    return {text: place for place, text in read_lines(file)}


def _pair(paths: dict[str, Path], masks: Path, place: str, name: str) -> Pair:
    mask = masks / f"{name}{SUFFIX}.png"
    if name not in paths or not mask.is_file():
        lost = f"image {name}" if name not in paths else f"mask {mask}"
        raise UserError(f"{place}: no {lost}; fetch the whole of the published folder")
    return Pair(str(paths[name].parent), paths[name].name, str(mask))


def _is_empty(pair: Pair) -> bool:
    return not read_mask(pair.label).any()


def _convert(pair: Pair, *, xml: str, first: set[str]) -> dict:
    result = convert_mask(pair, names=["target"], form=MaskForm())
    name = Path(pair.image).stem
    result["image"]["v1"] = name in first
    if xml:
        said = _said(os.path.join(xml, f"{name}.xml"))
        same = sorted(said) == sorted(box["bbox"] for box in result["boxes"])
        if not same:
            result["notes"][OTHER_XML] = 1
    return result


def _said(path: str) -> list[list[float]]:
    """The boxes of an XML file; where there is no target, there is an object without a box."""
    if not os.path.isfile(path):
        return []
    things = [
        thing for thing in read_xml(path).iterfind("object") if thing.find("bndbox") is not None
    ]
    boxes = [box_of(thing, path, Counter(), one_based=False, hull=False) for thing in things]
    return [[x - OFFSET, y - OFFSET, w, h] for x, y, w, h in boxes]


def _copy(pairs: Iterable[Pair], folder: Path) -> None:
    for pair in pairs:
        source, target = Path(pair.root, pair.image), folder / pair.image
        if target.is_file() and target.stat().st_size == source.stat().st_size:
            continue
        with replacing(target, sync=False) as draft:
            shutil.copyfile(source, draft)
