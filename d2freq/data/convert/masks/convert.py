"""A folder of masks to a COCO file of boxes and run lengths."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from d2freq.data.convert.class_names import read_names
from d2freq.data.convert.images_to_coco import convert_images, image_result
from d2freq.data.convert.label_files import Pair, find_files
from d2freq.data.convert.masks.objects import EIGHT, components, objects_of, read_mask
from d2freq.errors import UserError
from d2freq.utils.choices import choice
from d2freq.utils.names import PICTURES

KINDS = ("binary", "instance", "class")
NO_MASK = "images without a mask left out"
INVERTED = "masks whose objects cover more than half of the image; is the background white?"
PIECES = "objects in several pieces, with one box around all"
VOID = "masks with pixels of --void, which belong to nothing"


@dataclass(frozen=True)
class MaskForm:
    """How the values of a mask are read.

    Attributes:
        kind: "binary": connected pixels above the threshold are an object; "instance": pixels of
            one value are; "class": connected pixels of one value are, and value k is the k-th
            class.
        threshold: of binary masks; None where they have to have two values.
        divisor: of instance masks, 0 or such that value // divisor is the place of the class
            counted from 1, as in Cityscapes' 26001 with 1000.
        void: values that are nothing.
        neighbours: 8 or 4, see ``components``.
    """

    kind: str = "binary"
    threshold: int | None = None
    divisor: int = 0
    void: tuple[int, ...] = ()
    neighbours: int = EIGHT


def convert_masks(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    masks: str | os.PathLike,
    suffix: str = "",
    kind: str = "binary",
    threshold: int | None = None,
    divisor: int = 0,
    void: Sequence[int] = (),
    neighbours: int = EIGHT,
    names: str = "object",
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the COCO file; ``file_name`` counts from ``source``.

    Boxes are exact to the pixel, and the pixels themselves are ``segmentation``. The area is that
    of the box.

    Args:
        source: the folder of the images.
        masks: the folder of their masks, the same path but for the ending and ``suffix``.
        suffix: of a mask's name behind the image's: "_mask", "_pixels0".
        names: as in ``read_names``.

    The other arguments are those of MaskForm.

    Raises:
        UserError: an unknown choice, no images, or no mask that belongs to one.
        FailedItems: masks without image, of another size than their image, unreadable ones, binary
            ones of more than two values, or values beyond the classes; all are listed.
    """
    form = MaskForm(kind, threshold, divisor, tuple(void), neighbours)
    choice(kind, KINDS, key="--kind")
    choice(neighbours, (4, EIGHT), key="--neighbours")
    if threshold is not None and kind != "binary":
        raise UserError(f"--threshold is of --kind binary; leave it out for {kind} masks")
    if divisor and kind != "instance":
        raise UserError(f"--divisor is of --kind instance; leave it out for {kind} masks")
    classes = read_names(names)
    if len(classes) > 1 and (kind == "binary" or (kind == "instance" and not divisor)):
        raise UserError(
            f"--names: {kind} masks have one class, and {', '.join(classes)} are {len(classes)}; "
            "--kind class or --divisor tell them apart"
        )
    pairs, bare = _pairs(Path(source), Path(masks), suffix)
    options = {"masks": os.path.abspath(masks), "suffix": suffix, **vars(form)}
    return convert_images(
        output,
        partial(convert_mask, names=classes, form=form),
        [pair.item() for pair in pairs],
        key={"format": "masks", "source": os.path.abspath(source), "names": classes, **options},
        names=classes,
        description=f"masks of {Path(source).resolve().name}",
        notes=Counter({NO_MASK: bare}),
        workers=workers,
        progress=progress,
    )


def convert_mask(pair: Pair, *, names: Sequence[str], form: MaskForm) -> dict:
    """The objects of a pair of image and mask, as ``image_result`` has them."""
    image = pair.image_record()
    values = read_mask(pair.label)
    size, whole = (values.shape[1], values.shape[0]), (image["width"], image["height"])
    if size != whole:
        turned = "; one of them is turned by its EXIF tag" if size[::-1] == whole else ""
        raise UserError(
            f"{pair.label}: {size[0]} x {size[1]} pixels, but the image has {whole[0]} x "
            f"{whole[1]}{turned}; give the mask of this image"
        )
    notes: Counter[str] = Counter()
    void = np.isin(values, form.void)
    notes[VOID] += bool(void.any())
    values = np.where(void, 0, values)
    boxes = []
    for name, labels in _labels(values, form, names, pair.label, notes):
        for one in objects_of(labels):
            if form.kind == "instance":
                x, y, w, h = one.bbox
                inside = labels[y : y + h, x : x + w] == one.value
                notes[PIECES] += int(components(inside, form.neighbours).max()) > 1
            found = {"bbox": list(one.bbox), "segmentation": one.segmentation}
            boxes.append({"category": name, "iscrowd": 0, **found})
    return image_result(image, boxes, notes)


def _labels(
    values: np.ndarray, form: MaskForm, names: Sequence[str], path: str, notes: Counter[str]
) -> list[tuple[str, np.ndarray]]:
    """(class, its objects numbered in an (H, W) array) of a mask."""
    if values.min() < 0:
        raise UserError(f"{path}: values below 0; name them with --void")
    found = np.unique(values)
    found = found[found > 0]
    if form.kind == "binary":
        if form.threshold is None and len(found) > 1:
            raise UserError(
                f"{path}: {len(found)} values beside 0 ({', '.join(map(str, found[:5]))}, ...), "
                "which have two readings: an object each (--kind instance), or an edge that "
                "resizing or JPEG has blurred (--threshold 127)"
            )
        inside = values > (form.threshold or 0)
        notes[INVERTED] += bool(inside.mean() > 0.5)
        return [(names[0], components(inside, form.neighbours))]
    places = found // form.divisor if form.divisor else found
    if form.kind == "class" or form.divisor:
        strange = found[(places < 1) | (places > len(names))]
        if len(strange):
            raise UserError(
                f"{path}: value {strange[0]} is of no class, {len(names)} are named; add names, or "
                f"leave it out with --void {strange[0]}"
            )
    if form.kind == "class":
        return [(names[k - 1], components(values == k, form.neighbours)) for k in found.tolist()]
    if not form.divisor:
        return [(names[0], values)]
    return [
        (names[k - 1], np.where(values // form.divisor == k, values, 0))
        for k in np.unique(places).tolist()
    ]


def _pairs(images: Path, masks: Path, suffix: str) -> tuple[list[Pair], int]:
    """Images and masks, and how many images have none."""
    drawn = find_files(masks, (*PICTURES, ".gif"))
    pictures = find_files(images, PICTURES)
    if images.resolve() == masks.resolve() and suffix:
        pictures = {stem: path for stem, path in pictures.items() if not stem.endswith(suffix)}
    known = {
        stem.removesuffix(suffix): file for stem, file in drawn.items() if stem.endswith(suffix)
    }
    shared = known.keys() & pictures.keys()
    if not shared:
        raise UserError(
            f"{masks}: no mask has the name of an image in {images} with {suffix!r} behind it"
            f"{_other_suffix(pictures, drawn)}"
        )
    pairs = [
        Pair(str(images), pictures.get(stem, ""), str(masks / known[stem]))
        for stem in sorted(known)
    ]
    return pairs, len(pictures) - len(shared)


def _other_suffix(pictures: dict[str, str], drawn: dict[str, str]) -> str:
    """A hint at what stands behind the names."""
    for stem in sorted(pictures, key=len, reverse=True):
        for other in drawn:
            if other.startswith(stem) and other != stem:
                return f"; there is {drawn[other]}: --suffix {other.removeprefix(stem)}"
    return ""
