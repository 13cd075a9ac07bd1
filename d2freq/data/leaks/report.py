"""What a search for leaks found, as text and as JSON."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from d2freq.utils.files import write_json

__all__ = ["Leak", "Leaks", "Picture"]

LINES = 20  # pairs named in the text; the JSON has all


@dataclass(frozen=True)
class Picture:
    """An image of a COCO file."""

    id: int
    name: str  # file_name
    path: str


@dataclass(frozen=True)
class Leak:
    """An image of the checked split that shares content with one of the other split."""

    image_id: int
    image: str  # file_name
    other_id: int
    other: str
    box: tuple[int, int, int, int]  # of the overlap in the image: x, y, width, height in pixels
    other_box: tuple[int, int, int, int]  # in the other image
    share: float  # of the image's area, 0 to 1
    other_share: float  # of the other image's area
    difference: float  # mean absolute in grey levels, after brightness and contrast were fitted
    correlation: float  # of detail, up to 1

    def __str__(self) -> str:
        x, y, width, height = self.box
        other_x, other_y, other_width, other_height = self.other_box
        scaled = abs(other_width - width) > 2 or abs(other_height - height) > 2
        size = f" ({other_width} x {other_height} there)" if scaled else ""
        return (
            f"{self.image} and {self.other}: {width} x {height} px{size} at ({x}, {y}) and "
            f"({other_x}, {other_y}), {self.share:.0%} and {self.other_share:.0%} of the image, "
            f"difference {self.difference:.1f} grey levels, correlation {self.correlation:.3f}"
        )


@dataclass(frozen=True)
class Leaks:
    """All that ``file`` shares with ``other_file``, and what could not be compared."""

    file: str
    other_file: str
    images: int
    other_images: int
    leaks: list[Leak]  # largest share first
    flat: list[str]  # paths of images of a single grey level
    unreadable: list[str]  # paths
    crowded: int  # places that look like more than 256 of the other split: not looked up

    @property
    def ok(self) -> bool:
        """Nothing is shared; some images may not have been compared."""
        return not self.leaks

    def text(self, lines: int = LINES) -> str:
        """What was found, the first pairs one a line, and what was not compared."""
        ours = len({leak.image_id for leak in self.leaks})
        theirs = len({leak.other_id for leak in self.leaks})
        found = [
            f"{self.file}: {ours} of {self.images} images share content with {theirs} of "
            f"{self.other_images} of {self.other_file} ({len(self.leaks)} pairs)"
            if self.leaks
            else f"{self.file}: none of {self.images} images shares content with the "
            f"{self.other_images} of {self.other_file}"
        ]
        found += [f"- {leak}" for leak in self.leaks[:lines]]
        if len(self.leaks) > lines:
            found.append(f"- and {len(self.leaks) - lines} more pairs")
        for what, paths in (("of a single grey level", self.flat), ("unreadable", self.unreadable)):
            if paths:
                found.append(f"not compared: {len(paths)} images {what} ({_some(paths)})")
        if self.crowded:
            found.append(f"not looked up: {self.crowded} places that look like over 256 others")
        return "\n".join(found)

    def write(self, path: str | os.PathLike) -> Path:
        """Write everything as JSON, all or nothing."""
        return write_json(path, asdict(self))


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:3]) + (", ..." if len(paths) > 3 else "")
