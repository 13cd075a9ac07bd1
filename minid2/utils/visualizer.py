"""Boxes and their labels on images, made for objects of a few pixels.

Lines run just outside the box and are thin on small ones, and labels stand above the box: a tiny
object stays visible. Images are (H, W, 3) RGB, boxes (N, 4) as x1, y1, x2, y2.
"""

from collections.abc import Sequence
from enum import Enum, unique
from typing import Any

import numpy as np
import torch

from ..data.catalog import Metadata, MetadataCatalog
from ..structures import Boxes, BoxMode, Instances
from .colormap import colormap, random_color
from .vis_image import DPI, VisImage

__all__ = ["ColorMode", "VisImage", "Visualizer", "random_color"]

_FONT_DPI = 100  # a font of size 72 is this many pixels high, times the scale


@unique
class ColorMode(Enum):
    """How instances are coloured."""

    IMAGE = 0  # each instance its own colour
    SEGMENTATION = 1  # each class its colour, from ``thing_colors`` of the metadata
    IMAGE_BW = 2  # as IMAGE, upon the image in grey


def _create_text_labels(
    classes: Sequence[int] | None,
    scores: Sequence[float] | None,
    class_names: Sequence[str] | None,
    is_crowd: Sequence[bool] | None = None,
) -> list[str] | None:
    """Texts such as "car 93%", "car|crowd", "3 20%" (no names) or "20%" (no classes)."""
    if classes is None and scores is None:
        return None
    labels = [""] * len(scores or ())
    if classes is not None:
        labels = [class_names[int(c)] if class_names else str(int(c)) for c in classes]
    if scores is not None:
        percent = [f"{score * 100:.0f}%" for score in scores]
        labels = [f"{label} {p}".strip() for label, p in zip(labels, percent, strict=True)]
    if is_crowd is not None:
        labels = [x + "|crowd" * bool(c) for x, c in zip(labels, is_crowd, strict=True)]
    return labels


class Visualizer:
    """Draws boxes and texts on one image."""

    def __init__(
        self,
        img_rgb: np.ndarray,
        metadata: Metadata | None = None,
        scale: float = 1.0,
        instance_mode: ColorMode = ColorMode.IMAGE,
        font_size_scale: float = 1.0,
    ):
        """Start a picture.

        Args:
            img_rgb: (H, W, 3) in [0, 255].
            metadata: of the data set; for the names and colours of classes.
            scale: the picture is this much larger than the image.
            instance_mode: how instances are coloured.
            font_size_scale: makes texts larger or smaller.
        """
        self.img = np.asarray(img_rgb).clip(0, 255).astype(np.uint8)
        self.metadata = MetadataCatalog.get("__nonexist__") if metadata is None else metadata
        self.output = VisImage(self.img, scale=scale)
        self._instance_mode = instance_mode
        side = np.sqrt(self.output.height * self.output.width)
        self._default_font_size = max(side // 90, 10 // scale) * font_size_scale

    def draw_instance_predictions(self, predictions: Instances, jittering: bool = True) -> VisImage:
        """Draw detections.

        Args:
            predictions: with ``pred_boxes``, ``pred_classes``, ``scores``, as far as present.
            jittering: vary the colours a little within a class, in mode SEGMENTATION.

        Raises:
            NotImplementedError: there are masks or keypoints.
        """
        for field in ("pred_masks", "pred_masks_rle", "pred_keypoints"):
            _refuse(field, predictions.has(field))
        get = {f: predictions.get(f) for f in predictions.get_fields()}.get
        classes, scores = get("pred_classes"), get("scores")
        classes = None if classes is None else classes.tolist()
        return self.overlay_instances(
            boxes=get("pred_boxes"),
            labels=_create_text_labels(
                classes,
                None if scores is None else scores.tolist(),
                self.metadata.get("thing_classes"),
            ),
            assigned_colors=self._class_colors(classes, jittering),
        )

    def draw_dataset_dict(self, dic: dict) -> VisImage:
        """Draw the annotations of a standard record; masks and keypoints are left out."""
        annos = dic.get("annotations") or []
        classes = [anno["category_id"] for anno in annos]
        corners = [
            BoxMode.convert(list(anno["bbox"]), anno["bbox_mode"], BoxMode.XYXY_ABS)
            for anno in annos
        ]
        return self.overlay_instances(
            boxes=np.array(corners).reshape(-1, 4),
            labels=_create_text_labels(
                classes,
                None,
                self.metadata.get("thing_classes"),
                [anno.get("iscrowd", 0) for anno in annos],
            ),
            assigned_colors=self._class_colors(classes, jittering=True),
        )

    def overlay_instances(
        self,
        *,
        boxes: Boxes | np.ndarray | torch.Tensor | None = None,
        labels: Sequence[str] | None = None,
        masks: Any = None,
        keypoints: Any = None,
        assigned_colors: Sequence[Any] | None = None,
        alpha: float = 0.5,
    ) -> VisImage:
        """Draw boxes with their labels; the largest first, so that small ones lie on top.

        Args:
            boxes: N of them.
            labels: N texts.
            masks: has to be None, and so has ``keypoints``.
            keypoints: see there.
            assigned_colors: N colours in any form that matplotlib takes; None gives each its own.
            alpha: opacity of the lines.

        Raises:
            NotImplementedError: masks, keypoints or rotated boxes are given.
            ValueError: the numbers of boxes, labels and colours differ.
        """
        _refuse("masks", masks is not None)
        _refuse("keypoints", keypoints is not None)
        if self._instance_mode == ColorMode.IMAGE_BW:
            self.output.reset_image(np.repeat(self.img.mean(axis=2, keepdims=True), 3, axis=2))
        corners = _corners(boxes)
        palette = colormap(rgb=True, maximum=1)
        if assigned_colors is None:
            assigned_colors = [palette[i % len(palette)] for i in range(len(corners))]
        for name, given in (("labels", labels), ("assigned_colors", assigned_colors)):
            if given is not None and len(given) != len(corners):
                raise ValueError(f"{len(corners)} boxes, but {len(given)} {name}")

        areas = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
        for i in np.argsort(-areas, kind="stable"):
            self.draw_box(corners[i], alpha=alpha, edge_color=assigned_colors[i])
            if labels is not None and labels[i]:
                self._draw_label(labels[i], corners[i], assigned_colors[i])
        return self.output

    def draw_box(
        self,
        box_coord: Sequence[float],
        alpha: float = 0.5,
        edge_color: Any = "g",
        line_style: str = "-",
    ) -> VisImage:
        """Draw one box.

        Args:
            box_coord: x1, y1, x2, y2.
            alpha: opacity of the line.
            edge_color: its colour, in any form that matplotlib takes.
            line_style: as for matplotlib.
        """
        from matplotlib.patches import Polygon

        x0, y0, x1, y1 = (float(value) * self.output.scale for value in box_coord)
        # In whole pixels of the picture: an eighth of the shorter side, but never too thin to see.
        most = max(self._default_font_size / 4, 1) * self.output.scale
        line = max(int(min((x1 - x0) / 8, (y1 - y0) / 8, most)), 1)
        # The line stands around the box, so that it covers nothing of the object.
        left, top = np.floor([x0, y0]) - line / 2
        right, bottom = np.ceil([x1, y1]) + line / 2
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        rectangle = Polygon(
            corners / self.output.scale,
            fill=False,
            edgecolor=edge_color,
            linewidth=line * 72 / DPI,  # in points
            joinstyle="miter",
            snap=False,
            alpha=alpha,
            linestyle=line_style,
        )
        self.output.ax.add_patch(rectangle)
        return self.output

    def draw_text(
        self,
        text: str,
        position: tuple[float, float],
        *,
        font_size: float | None = None,
        color: Any = "g",
        horizontal_alignment: str = "center",
        rotation: float = 0,
    ) -> VisImage:
        """Write a text on a dark ground.

        Args:
            text: what to write.
            position: x, y of the middle of its upper edge, or of its upper left corner.
            font_size: None is one that suits the image.
            color: in any form that matplotlib takes; lightened where it would be hard to read.
            horizontal_alignment: "center", "left" or "right".
            rotation: in degrees, counter-clockwise.
        """
        from matplotlib.colors import to_rgb

        size = self._default_font_size if font_size is None else font_size
        self.output.ax.text(
            *position,
            text,
            size=size * self.output.scale * _FONT_DPI / DPI,
            family="sans-serif",
            bbox={"facecolor": "black", "alpha": 0.7, "pad": 0.5, "edgecolor": "none"},
            verticalalignment="top",
            horizontalalignment=horizontal_alignment,
            color=np.maximum(to_rgb(color), 0.3),
            rotation=rotation,
            clip_on=True,
            zorder=10,
        )
        return self.output

    def get_output(self) -> VisImage:
        """The picture with all that was drawn."""
        return self.output

    def _draw_label(self, label: str, box: np.ndarray, color: Any) -> None:
        size = self._default_font_size * 0.75
        line_height = size * 1.3 * _FONT_DPI / 72  # with the margin around the text
        x0, y0, _, y1 = box
        top = y0 - line_height if y0 >= line_height else y1 + 1  # above, or below at the border
        position = (float(x0), float(top))
        self.draw_text(label, position, font_size=size, color=color, horizontal_alignment="left")

    def _class_colors(self, classes: list[int] | None, jittering: bool) -> list | None:
        """Colours by class in mode SEGMENTATION, else None."""
        table = self.metadata.get("thing_colors")
        if self._instance_mode != ColorMode.SEGMENTATION or not table or classes is None:
            return None
        rng = np.random.default_rng(0)
        spread = 0.08 if jittering else 0.0
        shift = rng.uniform(-spread, spread, size=(len(classes), 3))
        return list((np.array([table[c] for c in classes]).reshape(-1, 3) / 255 + shift).clip(0, 1))


def _refuse(what: str, given: bool) -> None:
    if given:
        raise NotImplementedError(f"minid2's Visualizer draws boxes only, not {what}")


def _corners(boxes: Any) -> np.ndarray:
    """Boxes of any kind as a float array (N, 4)."""
    if boxes is None:
        return np.zeros((0, 4))
    rows = boxes.tensor if isinstance(boxes, Boxes) else boxes
    rows = rows.detach().cpu().numpy() if isinstance(rows, torch.Tensor) else np.asarray(rows)
    _refuse("rotated boxes", rows.ndim == 2 and rows.shape[1] == 5)
    return rows.astype(np.float64).reshape(-1, 4)
