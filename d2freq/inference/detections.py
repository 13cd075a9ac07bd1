"""What was found: on one picture, and on each picture of a run.

N detections. Boxes are corners (x0, y0, x1, y1) in pixels of the whole picture, as Detectron2 gives
them: the left edge of the leftmost pixel is 0, so a box of one pixel has x1 - x0 = 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from d2freq.errors import UserError
from d2freq.utils.extras import install

__all__ = ["Detections", "GeoReference", "Picture", "PictureResult"]


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes on one picture, best score first.

    Attributes:
        boxes: (N, 4) float64, corners in pixels of the picture.
        scores: (N,) float64, from 0 to 1.
        classes: (N,) int64, from 0, places in ``names``.
        names: the model's class names.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: Any) -> "Detections":
        """Those of a boolean mask, of indices or of a slice, in that order."""
        return replace(
            self, boxes=self.boxes[rows], scores=self.scores[rows], classes=self.classes[rows]
        )

    @property
    def labels(self) -> list[str]:
        """(N,) the class of each, by name, or by number where the model has no names."""
        return [self.names[k] if k < len(self.names) else str(k) for k in self.classes.tolist()]

    def to_supervision(self) -> Any:
        """The same as supervision's Detections, with ``data["class_name"]``.

        Raises:
            UserError: the package supervision is missing.
        """
        try:
            import supervision
        except ImportError as error:
            raise UserError(
                f"to_supervision needs the package supervision ({error}): {install('supervision')}"
            ) from error
        return supervision.Detections(
            xyxy=self.boxes.astype(np.float32).reshape(-1, 4),
            confidence=self.scores.astype(np.float32),
            class_id=self.classes.astype(int),
            data={"class_name": np.array(self.labels, dtype=str)},
        )

    def to_detectron2(self, size: tuple[int, int]) -> Any:
        """The same as Detectron2's Instances with pred_boxes, scores and pred_classes.

        Args:
            size: (height, width) of the picture.
        """
        import torch
        from detectron2.structures import Boxes, Instances

        return Instances(
            size,
            pred_boxes=Boxes(torch.from_numpy(self.boxes.astype(np.float32)).reshape(-1, 4)),
            scores=torch.from_numpy(self.scores.astype(np.float32)),
            pred_classes=torch.from_numpy(self.classes.astype(np.int64)),
        )

    @classmethod
    def none(cls, names: Sequence[str] = ()) -> "Detections":
        """Of a picture without any."""
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64), tuple(names))


@dataclass(frozen=True)
class GeoReference:
    """Where a picture lies on the earth.

    Attributes:
        crs: its coordinate reference system, as WKT or as an authority's code ("EPSG:32632").
        transform: (a, b, c, d, e, f): the point (x, y) in pixels, whole numbers at the edges of
            pixels, lies at (a x + b y + c, d x + e y + f) in ``crs``.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Picture:
    """A picture of a run, without its pixels.

    Attributes:
        name: what outputs call it: its path below the source, with /; unique in a run.
        path: the file, or the video that the frame is of.
        width, height: in pixels, turned as its EXIF tag says.
        image_id: the COCO file's where the source is one, else numbered from 1.
        frame: its number in a video, from 0; None for a picture of its own.
        geo: None where the file does not say where it lies.
        unread: further pictures in its file, such as pages, which are not searched.
    """

    name: str
    path: str
    width: int
    height: int
    image_id: int
    frame: int | None = None
    geo: GeoReference | None = None
    unread: int = 0


@dataclass(frozen=True, eq=False)
class PictureResult:
    """What a run found on one picture.

    Attributes:
        failure: why the picture could not be read or searched; "" where it was.
    """

    picture: Picture
    detections: Detections = field(default_factory=Detections.none)
    failure: str = ""
