"""Where the images and XML files of a Pascal VOC data set lie: VOC's own tree, and others.

VOC has ``JPEGImages`` and ``Annotations``. Other exports call them ``images`` and ``annotations``,
``labels`` or ``xmls``, or put each XML file beside its image, perhaps in a folder a split.
"""

from pathlib import Path

from d2freq.data.convert.label_files import Pair, pair_files
from d2freq.data.convert.recognise import hint
from d2freq.errors import UserError

IMAGE_FOLDERS = ("JPEGImages", "images", "Images", "img", "imgs")
XML_FOLDERS = ("Annotations", "annotations", "labels", "Labels", "xmls", "xml")


def find_voc(root: Path) -> list[Pair]:
    """Every image and every XML file of a VOC data set, paired.

    Raises:
        UserError: there is no image or no XML file.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder{hint(root)}")
    images = _first(root, IMAGE_FOLDERS) or root
    labels = _first(root, XML_FOLDERS) or images
    pairs = pair_files(images, labels, ".xml")
    if not any(pair.label for pair in pairs):
        raise UserError(
            f"{labels}: no XML file there; VOC has them in Annotations/, or beside the images"
        )
    return pairs


def _first(root: Path, names: tuple[str, ...]) -> Path | None:
    there = {path.name for path in root.iterdir() if path.is_dir()}
    return next((root / name for name in names if name in there), None)
