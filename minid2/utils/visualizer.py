"""Boxes and their labels on images, made for objects of a few pixels.

Lines run just outside the box and are thin on small ones, and labels stand above the box: a tiny
object stays visible. Images are (H, W, 3) RGB, boxes (N, 4) as x1, y1, x2, y2. Colours may be in
any form that matplotlib takes, which is imported when the first picture is made.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np
import torch

from ..data.catalog import Metadata, MetadataCatalog
from ..host import refuse
from ..structures import Boxes, BoxMode, Instances
from .colormap import colormap

_DPI = 128  # a power of two, so that pixels / _DPI * _DPI is exact
_FONT_DPI = 100  # a font of size 72 is this many pixels high, times the scale


class VisImage:
    """An image under a matplotlib ``Axes`` in its own pixel coordinates, at ``self.ax``."""

    def __init__(self, img: np.ndarray, scale: float = 1.0):
        """Set up the canvas, ``scale`` times as large as ``img``, (H, W, 3) in [0, 255]."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.scale = scale
        self.height, self.width = img.shape[:2]
        width, height = (int(side * scale) / _DPI for side in (self.width, self.height))
        self.fig = Figure(figsize=(width, height), dpi=_DPI, frameon=False)
        self.canvas = FigureCanvasAgg(self.fig)
        self.ax = self.fig.add_axes((0.0, 0.0, 1.0, 1.0))
        self.ax.axis("off")
        self.reset_image(img)

    def reset_image(self, img: np.ndarray) -> None:
        """Put another image of the same size under what is drawn."""
        extent = (0, self.width, self.height, 0)
        pixels = np.clip(img, 0, 255).astype(np.uint8)
        self.ax.imshow(pixels, extent=extent, interpolation="nearest")

    def save(self, filepath: str) -> None:
        """Write the picture; the ending of the name says in which format."""
        self.fig.savefig(filepath)

    def get_image(self) -> np.ndarray:
        """The picture, (H * scale, W * scale, 3) uint8 RGB."""
        self.canvas.draw()
        return np.asarray(self.canvas.buffer_rgba())[:, :, :3].copy()


class ColorMode(Enum):
    """How instances are coloured."""

    IMAGE = 0  # each instance its own colour
    SEGMENTATION = 1  # each class its colour, from ``thing_colors`` of the metadata
    IMAGE_BW = 2  # as IMAGE, upon the image in grey


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
        """
        fields = predictions.get_fields()
        classes = fields["pred_classes"].tolist() if "pred_classes" in fields else None
        labels = None if classes is None else self._names(classes)
        if "scores" in fields:
            percent = [f"{score:.0%}" for score in fields["scores"].tolist()]
            labels = labels or [""] * len(percent)
            labels = [f"{name} {p}".strip() for name, p in zip(labels, percent, strict=True)]
        return self.overlay_instances(
            boxes=fields.get("pred_boxes"),
            labels=labels,
            masks=fields.get("pred_masks"),
            keypoints=fields.get("pred_keypoints"),
            assigned_colors=self._class_colors(classes, jittering),
        )

    def draw_dataset_dict(self, dic: dict) -> VisImage:
        """Draw the annotations of a standard record; masks and keypoints are left out."""
        annos = dic.get("annotations") or []
        corners = [
            BoxMode.convert(list(anno["bbox"]), anno["bbox_mode"], BoxMode.XYXY_ABS)
            for anno in annos
        ]
        classes = [anno["category_id"] for anno in annos]
        crowd = ["|crowd" if anno.get("iscrowd", 0) else "" for anno in annos]
        return self.overlay_instances(
            boxes=np.array(corners).reshape(-1, 4),
            labels=[name + c for name, c in zip(self._names(classes), crowd, strict=True)],
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
            assigned_colors: N colours; None gives each its own.
            alpha: opacity of the lines.

        Raises:
            NotImplementedError: masks or keypoints are given.
        """
        refuse("masks of the Visualizer", masks is not None)
        refuse("keypoints of the Visualizer", keypoints is not None)
        if self._instance_mode == ColorMode.IMAGE_BW:
            self.output.reset_image(np.repeat(self.img.mean(axis=2, keepdims=True), 3, axis=2))
        rows: Any = boxes.tensor if isinstance(boxes, Boxes) else boxes
        rows = rows.detach().cpu() if isinstance(rows, torch.Tensor) else rows
        corners = np.zeros((0, 4)) if rows is None else np.asarray(rows, dtype=np.float64)
        palette = colormap(rgb=True, maximum=1)
        if assigned_colors is None:
            assigned_colors = [palette[i % len(palette)] for i in range(len(corners))]

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
        """Draw one box, x1, y1, x2, y2; ``alpha`` is the opacity of its line."""
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
            linewidth=line * 72 / _DPI,  # in points
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
        """Write a text on a dark ground, its upper edge at ``position`` (x, y).

        The default size suits the image; dark colours are lightened; the rotation is in degrees.
        """
        from matplotlib.colors import to_rgb

        size = self._default_font_size if font_size is None else font_size
        self.output.ax.text(
            *position,
            text,
            size=size * self.output.scale * _FONT_DPI / _DPI,
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

    def _names(self, classes: list[int]) -> list[str]:
        names = self.metadata.get("thing_classes")
        return [names[c] if names else str(c) for c in classes]

    def _class_colors(self, classes: list[int] | None, jittering: bool) -> list | None:
        """Colours by class in mode SEGMENTATION, else None."""
        table = self.metadata.get("thing_colors")
        if self._instance_mode != ColorMode.SEGMENTATION or not table or classes is None:
            return None
        spread = 0.08 if jittering else 0.0
        shift = np.random.default_rng(0).uniform(-spread, spread, size=(len(classes), 3))
        return list((np.array([table[c] for c in classes]).reshape(-1, 3) / 255 + shift).clip(0, 1))
