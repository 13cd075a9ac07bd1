"""Boxes of one image as a tensor, the pairwise measures between two sets of them, and BoxMode.

Shapes: N boxes, M other boxes. Coordinates are pixels, x to the right and y down; a box is
(x1, y1, x2, y2).
"""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import TypeVar

import numpy as np
import torch

Box = TypeVar("Box", list, tuple, np.ndarray, torch.Tensor)
R = TypeVar("R", bound="Rows")


class BoxMode(IntEnum):
    """How the numbers of a box are to be read; data sets store the integer."""

    XYXY_ABS = 0  # x1, y1, x2, y2 in pixels
    XYWH_ABS = 1  # x1, y1, width, height in pixels
    XYXY_REL = 2  # as XYXY_ABS, over the image's width and height
    XYWH_REL = 3  # as XYWH_ABS, over the image's width and height
    XYWHA_ABS = 4  # centre, width, height, angle in degrees: the real Detectron2 only

    @staticmethod
    def convert(box: Box, from_mode: "BoxMode", to_mode: "BoxMode") -> Box:
        """Rewrite boxes from one mode in the other.

        Args:
            box: 4 numbers as a list or tuple, or a (..., 4) array or tensor.
            from_mode, to_mode: the mode the numbers are in, and the one that is wanted.

        Returns a value of the type that came in; the input itself where nothing is to be done.

        Raises:
            ValueError: a list or tuple is not one box.
            NotImplementedError: a relative mode (the image's size is unknown) or a rotated one.
        """
        if from_mode == to_mode:
            return box
        if isinstance(box, (list, tuple)) and len(box) not in (4, 5):
            raise ValueError(f"BoxMode.convert takes one box as a list or tuple, got {box}")
        if max(from_mode, to_mode) > BoxMode.XYWH_ABS:
            raise NotImplementedError(
                f"BoxMode.convert from {BoxMode(from_mode).name} to {BoxMode(to_mode).name}: "
                "minid2 converts between XYXY_ABS and XYWH_ABS. Multiply relative boxes by the "
                "image's size first; rotated boxes need the real Detectron2"
            )
        rows = torch.as_tensor(box)  # single precision for a list of floats, as Detectron2
        corner, extent = rows[..., :2], rows[..., 2:]
        second = extent + corner if to_mode == BoxMode.XYXY_ABS else extent - corner
        result = torch.cat([corner, second], dim=-1)
        if isinstance(box, torch.Tensor):
            return result
        return result.numpy() if isinstance(box, np.ndarray) else type(box)(result.tolist())


class Rows:
    """N things as the rows of a ``tensor``, with its length, indexing, iteration and ``device``."""

    def __init__(self, tensor: torch.Tensor):
        self.tensor = tensor

    @property
    def device(self) -> torch.device:
        """Where the tensor lies."""
        return self.tensor.device

    def __getitem__(self: R, item: int | slice | torch.Tensor) -> R:
        """Those of a row, a slice, a mask or indices; may share memory as tensors do."""
        rows = self.tensor[item]
        return type(self)(rows.unsqueeze(0) if isinstance(item, int) else rows)

    def __len__(self) -> int:
        return len(self.tensor)

    def __iter__(self) -> Iterator[torch.Tensor]:
        yield from self.tensor


class Boxes(Rows):
    """N boxes as a float32 matrix ``tensor`` of shape (N, 4)."""

    def __init__(self, tensor: torch.Tensor):
        """Keep ``tensor``, or what ``torch.as_tensor`` takes, as float32; empty becomes (0, 4)."""
        rows = torch.as_tensor(tensor).to(dtype=torch.float32)
        if not rows.numel():
            rows = rows.reshape(-1, 4)
        assert rows.dim() == 2 and rows.shape[-1] == 4, f"boxes are (N, 4), got {rows.shape}"
        self.tensor = rows

    @classmethod
    def cat(cls, boxes_list: Sequence["Boxes"]) -> "Boxes":
        """All boxes of the list, one after the other; no boxes from an empty list."""
        if not boxes_list:
            return cls(torch.empty(0))
        return cls(torch.cat([boxes.tensor for boxes in boxes_list]))

    def clone(self) -> "Boxes":
        """A copy that shares no memory."""
        return Boxes(self.tensor.clone())

    def to(self, device: torch.device) -> "Boxes":
        """The same boxes on ``device``."""
        return Boxes(self.tensor.to(device=device))

    def area(self) -> torch.Tensor:
        """(N,) areas; negative extents are not corrected."""
        sides = self.tensor[:, 2:] - self.tensor[:, :2]
        return sides[:, 0] * sides[:, 1]

    def get_centers(self) -> torch.Tensor:
        """(N, 2) centres as (x, y)."""
        return (self.tensor[:, 2:] + self.tensor[:, :2]) / 2

    def clip(self, box_size: tuple[int, int]) -> None:
        """Clip in place to x in [0, width] and y in [0, height]; ``box_size`` is (height, width).

        ``tensor`` becomes a new tensor: autograd and tracing forbid writing into a view.
        """
        assert torch.isfinite(self.tensor).all(), "boxes hold infinite or NaN coordinates"
        height, width = box_size
        x, y = self.tensor[:, 0::2], self.tensor[:, 1::2]
        columns = torch.stack([x.clamp(min=0, max=width), y.clamp(min=0, max=height)], dim=-1)
        self.tensor = columns.flatten(start_dim=1)

    def nonempty(self, threshold: float = 0.0) -> torch.Tensor:
        """(N,) bool: both sides are longer than ``threshold``."""
        return (self.tensor[:, 2:] - self.tensor[:, :2] > threshold).all(dim=1)

    def inside_box(self, box_size: tuple[int, int], boundary_threshold: float = 0) -> torch.Tensor:
        """(N,) bool: the box reaches out of (height, width) by no more than the threshold."""
        height, width = box_size
        limit = self.tensor.new_tensor([width, height]) + boundary_threshold
        starts_in = (self.tensor[:, :2] >= -boundary_threshold).all(dim=1)
        return starts_in & (self.tensor[:, 2:] < limit).all(dim=1)

    def scale(self, scale_x: float, scale_y: float) -> None:
        """Multiply x and y coordinates in place."""
        self.tensor[:, 0::2] *= scale_x
        self.tensor[:, 1::2] *= scale_y

    def __repr__(self) -> str:
        return f"Boxes({self.tensor})"


def pairwise_intersection(boxes1: Boxes, boxes2: Boxes) -> torch.Tensor:
    """(N, M) areas of the intersections.

    One side at a time and in place: with many objects and anchors this is the peak of a training
    step, and both sides at once would double it.
    """
    first, second = boxes1.tensor[:, None], boxes2.tensor

    def overlap(axis: int) -> torch.Tensor:
        end = torch.minimum(first[..., axis + 2], second[..., axis + 2])
        return end.sub_(torch.maximum(first[..., axis], second[..., axis])).clamp_(min=0)

    return overlap(0).mul_(overlap(1))


def pairwise_iou(boxes1: Boxes, boxes2: Boxes) -> torch.Tensor:
    """(N, M) intersection over union, in [0, 1]; 0 where boxes do not meet."""
    shared = pairwise_intersection(boxes1, boxes2)
    return _ratio(shared, (boxes1.area()[:, None] + boxes2.area()).sub_(shared))


def pairwise_ioa(boxes1: Boxes, boxes2: Boxes) -> torch.Tensor:
    """(N, M) intersection over the area of the second box, in [0, 1]."""
    return _ratio(pairwise_intersection(boxes1, boxes2), boxes2.area())


def pairwise_point_box_distance(points: torch.Tensor, boxes: Boxes) -> torch.Tensor:
    """(N, M, 4) signed distances of ``points`` (N, 2) to the left, top, right and bottom edges.

    All four are positive where the point lies inside the box.
    """
    centre = points[:, None]
    return torch.cat([centre - boxes.tensor[:, :2], boxes.tensor[:, 2:] - centre], dim=-1)


def _ratio(part: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """``part / whole``, and 0 instead of 0 / 0 for boxes without area."""
    return (part / whole).masked_fill_((part > 0).logical_not_(), 0.0)
