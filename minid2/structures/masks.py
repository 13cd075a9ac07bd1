"""The masks of one image: as polygons, as bitmaps, or each within its region.

Shapes: N objects, H x W the image, M x M a mask within a region. Polygons are x0, y0, x1, y1, ...
in pixels, where pixel (0, 0) covers [0, 1) x [0, 1).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask

from ..layers import ROIAlign
from ..layers.mask_ops import paste_masks_in_image
from .boxes import Boxes, Rows

Index = int | slice | list[int] | torch.Tensor


def polygon_area(x: np.ndarray, y: np.ndarray) -> float:
    """Area inside the corners ``x`` (P,) and ``y`` (P,) by the shoelace formula."""
    return 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))


def polygons_to_bitmask(polygons: list[np.ndarray], height: int, width: int) -> np.ndarray:
    """Rasterize the polygons of one object by COCO's rule: (H, W) bool, their union."""
    if not polygons:
        return np.zeros((height, width), dtype=bool)
    parts = coco_mask.frPyObjects([np.asarray(p).tolist() for p in polygons], height, width)
    return coco_mask.decode(coco_mask.merge(parts)).astype(bool)


def rasterize_polygons_within_box(
    polygons: list[np.ndarray], box: np.ndarray, mask_size: int
) -> torch.Tensor:
    """(mask_size, mask_size) bool: what the polygons cover of a box (x1, y1, x2, y2).

    A box narrower than a tenth of a pixel counts as that wide.
    """
    scale = mask_size / np.maximum(box[2:] - box[:2], 0.1)
    moved = [((p.reshape(-1, 2) - box[:2]) * scale).ravel() for p in polygons]
    return torch.from_numpy(polygons_to_bitmask(moved, mask_size, mask_size))


class BitMasks(Rows):
    """N masks as a bool ``tensor`` (N, H, W)."""

    def __init__(self, tensor: torch.Tensor | np.ndarray):
        """Keep the masks; what is not zero belongs to the object."""
        masks = torch.as_tensor(tensor).to(torch.bool)
        assert masks.dim() == 3, f"masks are (N, H, W), got {tuple(masks.shape)}"
        self.image_size = masks.shape[1:]
        self.tensor = masks

    @staticmethod
    def from_polygon_masks(
        polygon_masks: "PolygonMasks | list[list[np.ndarray]]", height: int, width: int
    ) -> "BitMasks":
        """Rasterize the polygons of N objects."""
        masks = [polygons_to_bitmask(polygons, height, width) for polygons in polygon_masks]
        return BitMasks(np.array(masks, dtype=bool).reshape(-1, height, width))

    @staticmethod
    def cat(bitmasks_list: "Sequence[BitMasks]") -> "BitMasks":
        """All masks of the list, which is not empty, one after the other."""
        return BitMasks(torch.cat([masks.tensor for masks in bitmasks_list]))

    def to(self, *args: Any, **kwargs: Any) -> "BitMasks":
        """The same masks after ``tensor.to(...)``."""
        return BitMasks(self.tensor.to(*args, **kwargs))

    def nonempty(self) -> torch.Tensor:
        """(N,) bool: the mask covers at least one pixel."""
        return self.tensor.flatten(1).any(dim=1)

    def get_bounding_boxes(self) -> Boxes:
        """The smallest boxes around the masks; zeros for an empty mask."""
        sides = []
        for covered in (self.tensor.any(dim=1), self.tensor.any(dim=2)):  # columns, rows
            flags = covered.to(torch.uint8)  # argmax takes no bool, and finds the first
            last = flags.shape[1] - flags.flip(1).argmax(dim=1)
            sides.append((flags.argmax(dim=1), last))
        (left, right), (top, bottom) = sides
        boxes = torch.stack([left, top, right, bottom], dim=1)
        return Boxes(boxes * self.nonempty().unsqueeze(1))

    def crop_and_resize(self, boxes: torch.Tensor, mask_size: int) -> torch.Tensor:
        """(N, mask_size, mask_size) bool: each mask within its box (N, 4), by RoIAlign."""
        assert len(boxes) == len(self), f"{len(boxes)} boxes for {len(self)} masks"
        boxes = boxes.to(self.device)
        rows = torch.arange(len(boxes), device=self.device, dtype=boxes.dtype)
        regions = torch.cat([rows.unsqueeze(1), boxes], dim=1)
        align = ROIAlign((mask_size, mask_size), 1.0, 0, aligned=True)
        return align(self.tensor.unsqueeze(1).to(torch.float32), regions).squeeze(1) >= 0.5

    def __repr__(self) -> str:
        return f"BitMasks(num_instances={len(self)})"


class PolygonMasks:
    """N masks as a list ``polygons`` of N lists of float64 arrays, each one polygon."""

    def __init__(self, polygons: Sequence[Sequence[torch.Tensor | np.ndarray | list[float]]]):
        """Keep the polygons, which lie on the CPU; they overlap or leave holes as they like.

        Raises:
            ValueError: this is no list of lists, or a polygon has no three corners.
        """
        if not isinstance(polygons, list) or not all(isinstance(p, list) for p in polygons):
            raise ValueError(
                "PolygonMasks takes a list with a list of polygons an instance, got "
                f"{type(polygons).__name__} of {sorted({type(p).__name__ for p in polygons})}"
            )
        self.polygons = [[_corners(polygon) for polygon in instance] for instance in polygons]

    @staticmethod
    def cat(polymasks_list: "Sequence[PolygonMasks]") -> "PolygonMasks":
        """All masks of the list, which is not empty, one after the other."""
        assert polymasks_list, "no PolygonMasks to join"
        return PolygonMasks([instance for masks in polymasks_list for instance in masks])

    def to(self, *args: Any, **kwargs: Any) -> "PolygonMasks":
        """The object itself: polygons stay on the CPU."""
        return self

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    def nonempty(self) -> torch.Tensor:
        """(N,) bool: there is a polygon, of whatever area."""
        return torch.tensor([len(instance) > 0 for instance in self.polygons], dtype=torch.bool)

    def get_bounding_boxes(self) -> Boxes:
        """The smallest boxes around the polygons; for an instance without any, (inf, inf, 0, 0)."""
        boxes = torch.zeros(len(self), 4)
        boxes[:, :2] = float("inf")
        for row, instance in zip(boxes, self.polygons, strict=True):
            if instance:
                points = torch.from_numpy(np.concatenate(instance).reshape(-1, 2)).float()
                # as in Detectron2, which starts from 0: a polygon may reach out of the image
                row[:2], row[2:] = points.amin(dim=0), points.amax(dim=0).clamp(min=0)
        return Boxes(boxes)

    def crop_and_resize(self, boxes: torch.Tensor, mask_size: int) -> torch.Tensor:
        """(N, mask_size, mask_size) bool on the boxes' device: each mask within its box (N, 4)."""
        assert len(boxes) == len(self), f"{len(boxes)} boxes for {len(self)} masks"
        masks = [
            rasterize_polygons_within_box(instance, box, mask_size)
            for instance, box in zip(self.polygons, boxes.cpu().numpy(), strict=True)
        ]
        if not masks:
            return torch.empty(0, mask_size, mask_size, dtype=torch.bool, device=boxes.device)
        return torch.stack(masks).to(boxes.device)

    def area(self) -> torch.Tensor:
        """(N,) float64: the summed areas of the polygons of each instance."""
        areas = [sum(polygon_area(p[0::2], p[1::2]) for p in each) for each in self.polygons]
        return torch.tensor(areas, dtype=torch.float64)

    def __getitem__(self, item: Index) -> "PolygonMasks":
        """Masks of a row, a slice, a list, or a bool or integer vector; shares the polygons."""
        if isinstance(item, torch.Tensor):
            item = (item.nonzero().squeeze(1) if item.dtype == torch.bool else item).tolist()
        if isinstance(item, slice):
            return PolygonMasks(self.polygons[item])
        return PolygonMasks([self.polygons[i] for i in ([item] if isinstance(item, int) else item)])

    def __len__(self) -> int:
        return len(self.polygons)

    def __iter__(self) -> Iterator[list[np.ndarray]]:
        return iter(self.polygons)

    def __repr__(self) -> str:
        return f"PolygonMasks(num_instances={len(self)})"


class ROIMasks(Rows):
    """N masks, each within a region that is known elsewhere, as a ``tensor`` (N, M, M)."""

    def __init__(self, tensor: torch.Tensor):
        """Keep the masks, with values in [0, 1]."""
        if tensor.dim() != 3:
            raise ValueError(f"ROIMasks are (N, M, M), got {tuple(tensor.shape)}")
        self.tensor = tensor

    def to(self, device: torch.device) -> "ROIMasks":
        """The same masks on ``device``."""
        return ROIMasks(self.tensor.to(device))

    def to_bitmasks(
        self, boxes: Boxes, height: int, width: int, threshold: float = 0.5
    ) -> BitMasks:
        """Paste each mask into its box of an image; see :func:`paste_masks_in_image`."""
        return BitMasks(
            paste_masks_in_image(self.tensor, boxes, (height, width), threshold=threshold)
        )

    def __repr__(self) -> str:
        return f"ROIMasks(num_instances={len(self)})"


def _corners(polygon: Any) -> np.ndarray:
    numbers = polygon.cpu().numpy() if isinstance(polygon, torch.Tensor) else np.asarray(polygon)
    if numbers.ndim != 1 or numbers.size < 6 or numbers.size % 2:
        raise ValueError(
            f"a polygon is x0, y0, x1, y1, ... of at least three corners, got an array of shape "
            f"{numbers.shape}: remove or correct it in the annotation file"
        )
    return numbers.astype(np.float64)
