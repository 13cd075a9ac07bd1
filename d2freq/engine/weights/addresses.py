"""Where a checkpoint lies: a file, an address, or a name of Detectron2's model zoo.

    MODEL.WEIGHTS output/model_final.pth
    MODEL.WEIGHTS https://example.org/model_final.pth
    MODEL.WEIGHTS detectron2://COCO-Detection/faster_rcnn_R_50_FPN_3x/137849458/model_final_280758.pkl
    MODEL.WEIGHTS COCO-Detection/faster_rcnn_R_50_FPN_3x            # the same, by its name

What comes from elsewhere is kept where Detectron2 keeps it, in $FVCORE_CACHE or
~/.torch/iopath_cache.
"""

import os
from functools import cache
from pathlib import Path
from urllib.parse import urlparse

from detectron2.utils.file_io import PathManager
from iopath.common.file_io import get_cache_dir

from d2freq.errors import UserError
from d2freq.utils.choices import did_you_mean

__all__ = ["STORAGE", "ZOO_HOST", "fetch", "find_weights", "zoo_names"]

HEURISTICS = "?matching_heuristics=True"  # behind a path it asks for names by their endings
STORAGE = "detectron2://"
ZOO_HOST = "https://dl.fbaipublicfiles.com/detectron2/"  # what Detectron2 reads STORAGE from


@cache
def zoo_names() -> dict[str, str]:
    """Detectron2's published weights: name -> path below ZOO_HOST.

    "COCO-Detection/retinanet_R_50_FPN_3x" is one; "ImageNetPretrained/MSRA/R-50" is a backbone.
    """
    text = Path(__file__).with_name("detectron2_zoo.txt").read_text(encoding="utf-8")
    names = {}
    for path in (line for line in text.splitlines() if not line.startswith("#")):
        name, run, _ = path.rsplit("/", 2)
        names[name if run.isdigit() else path.removesuffix(".pkl")] = path
    return names


def find_weights(given: str, key: str = "weights") -> str:
    """A checkpoint's file or full address.

    Args:
        given: a file, an address, or a name of :func:`zoo_names`, with detectron2:// in front or
            without; "" stays "".
        key: where it was given, for the message.

    Raises:
        UserError: neither a file nor an address nor a name; it says the nearest name.
    """
    if not given or os.path.isfile(given):
        return given
    known, name = zoo_names(), given.removeprefix(STORAGE).removesuffix(".yaml")
    path = known.get(name.removesuffix(".pkl"))
    if path:
        return STORAGE + path
    is_file = bool(os.path.splitext(name)[1])  # of that storage, beyond what is published
    if "://" in given and (is_file or not given.startswith(STORAGE)):
        return given
    folders = {other.split("/")[0] for other in known}
    of_zoo = given.startswith(STORAGE) or name.split("/")[0] in folders
    near = f", nor weights of Detectron2{did_you_mean(name, known, n=3)}" if of_zoo else ""
    raise UserError(f"{key}: {given}: no such file{near}")


def fetch(given: str, key: str = "weights", *, cure: str = "") -> str:
    """The local file of a checkpoint, which is downloaded the first time.

    Args:
        given, key: see :func:`find_weights`; ``?matching_heuristics=True`` may stand behind.
        cure: what to do where it cannot be had, for the message.

    Raises:
        UserError: there is none, or it cannot be had from its address.
    """
    asked = given.removesuffix(HEURISTICS)
    place = find_weights(asked, key)
    if "://" not in place:
        return given
    address = ZOO_HOST + place[len(STORAGE) :] if place.startswith(STORAGE) else place
    options = {}
    if place.startswith(("http://", "https://")) and not place.startswith(ZOO_HOST):
        # the cache knows files by their path, which two hosts may have in common
        options["cache_dir"] = os.path.join(get_cache_dir(), urlparse(place).netloc)
    try:
        local = PathManager.get_local_path(place, **options)
    except (OSError, ValueError) as error:  # no network, no such file there, a full disk
        raise UserError(
            f"{key}: {address} cannot be fetched ({error}). "
            + (cure or "Fetch it by hand and name the file")
        ) from error
    return local + given[len(asked) :]
