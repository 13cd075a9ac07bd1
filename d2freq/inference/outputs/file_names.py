"""A file for each picture: names that no system refuses and no two pictures share."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from d2freq.inference.detections import Picture

__all__ = ["files_of"]

UNSAFE = re.compile(r'[\x00-\x1f<>:"|?*\\]')  # what one system or another refuses
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # Windows' devices
LONGEST = 200  # bytes of one part; file systems take 255, and a draft's name is longer


def files_of(pictures: Sequence[Picture], suffix: str) -> list[str]:
    """A relative path for each picture: its name with the ending ``suffix``.

    Folders stay. Names that would meet, such as those of a.png and a.jpg, or of A.png and a.png on
    a disk that knows no capitals, have their image's id behind the stem.
    """
    wanted = [_safe(picture.name).with_suffix("") for picture in pictures]
    shared = Counter(map(_key, wanted))
    taken = {key for key, count in shared.items() if count == 1}
    files = []
    for picture, path in zip(pictures, wanted, strict=True):
        if shared[_key(path)] > 1:
            path = path.with_name(f"{path.name}_{picture.image_id}")
            while _key(path) in taken:
                path = path.with_name(f"{path.name}_")
            taken.add(_key(path))
        files.append(f"{path}{suffix}")
    return files


def _key(path: PurePosixPath) -> str:
    return str(path).casefold()


def _safe(name: str) -> PurePosixPath:
    """``name`` below the folder that it is written to, whatever it says."""
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    return PurePosixPath(*map(_safe_part, parts or ["picture"]))


def _safe_part(part: str) -> str:
    part = UNSAFE.sub("_", part).rstrip(". ") or "_"
    part = f"_{part}" if RESERVED.fullmatch(part) else part
    return part.encode("utf-8", "replace")[-LONGEST:].decode("utf-8", "ignore")
