"""Which file a ``file_name`` means that nearly fits: other slashes, folders, case, suffix."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from d2freq.utils.names import NameIndex, files_below

__all__ = ["Near", "find_near", "near_hint"]


@dataclass(frozen=True)
class Near:
    """Where a file that is missing under its name was found.

    Attributes:
        found: paths below the folder of images, with forward slashes; at least one.
        shared: other records have the one file, too.
    """

    found: tuple[str, ...]
    shared: bool = False

    @property
    def only(self) -> str:
        """The one file that is meant; "" where only a guess would tell."""
        return self.found[0] if len(self.found) == 1 and not self.shared else ""

    def __str__(self) -> str:
        more = f" and {len(self.found) - 3} more" if len(self.found) > 3 else ""
        shared = ", which other records name, too" if self.shared else ""
        return f"found as {' or '.join(self.found[:3])}{more}{shared}"


def find_near(
    missing: Iterable[str], root: str | os.PathLike, taken: Iterable[str] = ()
) -> dict[str, Near]:
    """For names that are no file below ``root``: the files that they may mean; others are left out.

    A file is meant where the folders before it are the same as far as both have some, and of
    several the one with the most of them.

    Args:
        taken: names of other records, whose files cannot be meant by a second one.
    """
    names = list(dict.fromkeys(missing))
    if not names:
        return {}
    # a link whose file is gone, as version control of data leaves them, is found by its own name
    there = (path for path in files_below(root) if os.path.exists(os.path.join(root, path)))
    files = NameIndex(there)
    found = {name: files.find(name, same_folders=True) for name in names}
    matches = {name: paths for name, paths in found.items() if paths}
    claims = Counter(paths[0] for paths in matches.values() if len(paths) == 1)
    held = {os.path.normpath(name) for name in taken}
    return {
        name: Near(paths, len(paths) == 1 and (claims[paths[0]] > 1 or paths[0] in held))
        for name, paths in matches.items()
    }


def near_hint(names: Iterable[str], root: str | os.PathLike, file: str | os.PathLike) -> str:
    """A sentence on images of a COCO file that lie there under other names; "" for none."""
    listed = list(names)
    lost = [name for name in listed if not os.path.isfile(os.path.join(root, name))]
    near = find_near(lost, root)
    if not near:
        return ""
    name = next(name for name in lost if name in near)
    return (
        f"{len(near)} of {len(listed)} images lie below {root} under other names: {name}, "
        f"{near[name]}; d2freq validate {file} --images {root} --fix OUT.json writes the names"
    )
