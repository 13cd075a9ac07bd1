"""The pictures below a folder, behind links, too, and a word on those that nobody reads."""

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["pictures_below"]

logger = logging.getLogger(__name__)

# pictures and arrays of pixels that other programs read
UNREAD = frozenset(
    ".heic .heif .dng .cr2 .cr3 .nef .arw .raw .psd .exr .dcm .npy .npz .svs .ndpi .fits".split()
)


def pictures_below(folder: Path, endings: Sequence[str]) -> list[Path]:
    """Files with these endings, in order; hidden ones are left out.

    A link to a file that is not there is among them: opening it will tell. Of files that are
    pictures by their endings and that nobody reads, and of folders that cannot be read, a warning
    tells.
    """
    found = []
    left_out: Counter[str] = Counter()
    for path in _files(folder):
        ending = path.suffix.lower()
        if path.name.startswith("."):
            continue
        if ending in endings and (path.is_file() or not path.exists()):  # else a pipe or a device
            found.append(path)
        left_out[ending] += ending in UNREAD
    for ending, count in sorted((+left_out).items()):
        logger.warning(
            "%s: %d %s on %s, which is not read; write %s as PNG or TIFF to have %s searched",
            *(folder, count, "file ends" if count == 1 else "files end", ending),
            *(("it", "it") if count == 1 else ("them", "them")),
        )
    return sorted(found)


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder; a link that leads back into it is not followed again."""

    def tell(error: OSError) -> None:
        logger.warning("%s: cannot be looked into (%s), and is left out", *_what(error))

    seen = {os.path.realpath(folder)}
    for place, folders, names in os.walk(folder, onerror=tell, followlinks=True):
        kept = []
        for name in sorted(folders):
            real = os.path.realpath(os.path.join(place, name))
            if real not in seen:
                seen.add(real)
                kept.append(name)
        folders[:] = kept
        yield from (Path(place, name) for name in names)


def _what(error: OSError) -> tuple[str, str]:
    return str(error.filename), error.strerror or str(error)
