r"""Names of pictures as tools write them, and which file such a name means.

Exports of labelling tools and results of detectors write ``images\a.jpg``, ``..\images\a.jpg``,
``C:\data\a.jpg``, ``A.JPG``, ``a.jpeg``, ``a%20b.jpg`` or ``a``, and macOS spells an é in two
letters. Names are compared without all of that, by whoever looks for a picture.
"""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from urllib.parse import unquote, urlsplit

__all__ = ["PICTURES", "NameIndex", "files_below", "folded"]

SAME = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif"}
# endings of pictures in a folder that is searched, in small letters
PICTURES = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"),
    *(".jpe", ".jfif", ".pgm", ".pnm", ".ppm"),
)


def folded(name: str) -> str:
    """As Windows and macOS compare names: capitals and composed letters make no difference."""
    return unicodedata.normalize("NFC", name).casefold()


def files_below(root: str | os.PathLike, suffixes: Collection[str] | None = None) -> Iterator[str]:
    """Paths from ``root``, with forward slashes, of the files below it; hidden ones are left out.

    Args:
        suffixes: endings in small letters; None takes every file.
    """
    for place, folders, entries in os.walk(os.fspath(root), followlinks=True):
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        inside = os.path.relpath(place, root)
        for entry in sorted(entries):
            suffix = os.path.splitext(entry)[1].lower()
            if entry.startswith(".") or (suffixes is not None and suffix not in suffixes):
                continue
            yield entry if inside == "." else f"{inside}/{entry}".replace(os.sep, "/")


class NameIndex:
    """Paths, asked for those that a name nearly fits.

    Args:
        paths: as they are written; backslashes part folders, too.
        any_suffix: whether a name without an ending fits a path of any ending. False: of a
            picture's alone, so that ``a`` is not ``a.xml``.
    """

    def __init__(self, paths: Iterable[str], *, any_suffix: bool = False) -> None:
        self._files: dict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
        for path in dict.fromkeys(paths):
            for parts in dict.fromkeys(_plain(form) for form in _forms(path)):
                if not parts:
                    continue
                stem, suffix = os.path.splitext(parts[-1])
                self._files[parts[-1]].append((parts, path))
                if suffix and (any_suffix or suffix in (*PICTURES, ".gif")):
                    self._files[stem].append(((*parts[:-1], stem), path))

    def find(self, name: str, *, same_folders: bool) -> tuple[str, ...]:
        """The paths that may be meant, those with the most folders in common; () for none.

        Of several the one in as many folders counts, then the one that is spelt alike.

        Args:
            same_folders: folders before the name have to be the same as far as both have some.
                False: a path of another folder is meant, too, where none fits better.
        """
        for form in _forms(name):
            parts = _plain(form)
            ranked: dict[tuple[int, bool], set[str]] = defaultdict(set)
            for other, path in self._files.get(parts[-1], ()) if parts else ():
                both = min(len(parts), len(other))
                shared = _shared(parts, other)
                if shared == both or not same_folders:
                    ranked[shared, parts == other].add(path)
            if ranked:
                return _spelt(_last(form), sorted(ranked[max(ranked)]))
        return ()


def _spelt(last: str, best: Sequence[str]) -> tuple[str, ...]:
    """The one of paths whose last part is spelt as it is asked for, else all of them."""
    stem = os.path.splitext(last)[0]
    exact = [path for path in best if _last(path) == last]
    alike = [path for path in best if os.path.splitext(_last(path))[0] in (last, stem)]
    return next((tuple(each) for each in (exact, alike) if len(each) == 1), tuple(best))


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many parts from the end are the same."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _last(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _forms(name: str) -> list[str]:
    """The name as it is, and as it reads where it is an address, or part of one."""
    address = urlsplit(name).path if "://" in name else name
    return list(dict.fromkeys((address, unquote(address))))


def _plain(name: str) -> tuple[str, ...]:
    """The parts of a path without what tools write otherwise."""
    parts = [part.strip() for part in folded(name.replace("\\", "/")).split("/")]
    parts = [part for part in parts if part not in ("", ".", "..")]
    if parts:
        stem, suffix = os.path.splitext(parts[-1])
        parts[-1] = stem + SAME.get(suffix, suffix)
    return tuple(parts)
