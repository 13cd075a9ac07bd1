"""How large the boxes of a COCO file are, by the size ranges of a protocol: a table and a picture.

Size is the square root of the area in pixels: the side of a square box. N boxes that count, C
classes, R ranges.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tabulate import tabulate

from d2freq.analysis.figures import new_figure, save_figure
from d2freq.data.coco.areas import as_taken
from d2freq.data.coco.faults_of_records import is_solid, record_ills
from d2freq.errors import UserError
from d2freq.evaluation.protocols import AreaRange, Protocol


@dataclass(frozen=True)
class Sizes:
    """The areas of the boxes that count, and how many do not.

    ``area`` (N,) float64 in square pixels; ``label`` (N,) int64, positions in ``names``;
    ``ignored`` (C,) int64 crowd boxes; ``left_out`` annotations with a fault.
    """

    names: tuple[str, ...]
    area: np.ndarray
    label: np.ndarray
    ignored: np.ndarray
    left_out: int

    def counts(self, ranges: tuple[AreaRange, ...]) -> np.ndarray:
        """(C, R) int64: boxes of each class and range; a box on a shared end is in both."""
        inside = [(self.area >= r.low) & (self.area <= r.high) for r in ranges]
        each = [np.bincount(self.label[mask], minlength=len(self.names)) for mask in inside]
        return np.array(each, np.int64).reshape(len(ranges), len(self.names)).T


def read_sizes(data: dict, *, sound: bool = False) -> Sizes:
    """The sizes in a loaded COCO file; faulty annotations and unknown classes are counted.

    Args:
        sound: every record is known to be whole, which saves looking at each again.
    """
    whole = [c for c in data["categories"] if sound or not record_ills("categories", c)]
    classes = {c["id"]: c["name"] for c in sorted(whole, key=lambda c: c["id"])}
    labels = {number: label for label, number in enumerate(classes)}
    ignored = np.zeros(len(labels), np.int64)
    counted, label = [], []
    left_out = 0
    for annotation in data["annotations"]:
        solid = (sound or not record_ills("annotations", annotation)) and is_solid(
            annotation["bbox"]
        )
        if not solid or annotation["category_id"] not in labels:
            left_out += 1
            continue
        place = labels[annotation["category_id"]]
        if annotation.get("iscrowd") or annotation.get("ignore"):
            ignored[place] += 1
            continue
        counted.append(annotation)
        label.append(place)
    names = tuple(classes.values())
    xywh = np.array([a["bbox"] for a in counted], np.float64).reshape(-1, 4)
    area, _ = as_taken(counted, xywh, np.ones(len(counted), bool))
    return Sizes(names, area, np.array(label, np.int64), ignored, left_out)


def size_table(sizes: Sizes, protocol: Protocol) -> str:
    """Boxes of each class in each range, as text."""
    counts = sizes.counts(protocol.all_areas)
    rows = []
    for label, name in enumerate(sizes.names):
        own = np.sqrt(sizes.area[sizes.label == label])
        rows.append([name, *counts[label], sizes.ignored[label], _mean(own)])
    every = np.sqrt(sizes.area)
    rows.append(["all classes", *counts.sum(0), sizes.ignored.sum(), _mean(every)])
    total = max(len(sizes.area), 1)
    share = [f"{100 * count / total:.1f} %" for count in counts.sum(0)]
    rows.append(["share", *share, "", ""])
    headers = ["class", *map(range_name, protocol.all_areas), "ignored", "mean size (px)"]
    align = ["left", *["right"] * (len(headers) - 1)]
    lines = [tabulate(rows, headers, tablefmt="simple", colalign=align, disable_numparse=True)]
    lines.append("a box on a limit counts in both ranges: shares may add up to more than 100 %")
    if sizes.left_out:
        lines.append(f"{sizes.left_out} annotations with a fault are not counted")
    return "\n".join(lines)


def plot_sizes(
    sizes: Sizes, protocol: Protocol, output: str | os.PathLike, *, title: str = ""
) -> Path:
    """Draw the sizes as a PNG: a bar a quarter of an octave, classes stacked, ranges on top.

    Raises:
        UserError: there is no box to draw.
    """
    from matplotlib import colormaps

    if not len(sizes.area):
        raise UserError(f"{output}: not drawn, no annotation counts")
    side = np.log2(np.sqrt(sizes.area))
    # half an octave for the labels of the ranges at both ends
    low, high = np.floor(side.min()) - 0.5, np.ceil(side.max()) + 0.5
    edges = 2.0 ** np.arange(low, high + 0.25, 0.25)
    present = [label for label in range(len(sizes.names)) if (sizes.label == label).any()]
    figure = new_figure(10, 5.4)
    rows = _rows(protocol.areas)
    strip, panel = figure.subplots(
        2, 1, sharex=True, height_ratios=[0.6 * (max(rows) + 1), 4], squeeze=True
    )
    palette = colormaps["tab20" if len(present) > 10 else "tab10"]
    panel.hist(
        [2.0 ** side[sizes.label == label] for label in present],
        bins=edges,
        stacked=True,
        color=[palette(k % palette.N) for k in range(len(present))],
        label=[f"{sizes.names[k]} ({(sizes.label == k).sum()})" for k in present],
    )
    panel.set_xscale("log", base=2)
    panel.set_xlim(edges[0], edges[-1])
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.set(xlabel="size: square root of the area (pixels, log axis)", ylabel="boxes")
    panel.grid(axis="y", alpha=0.3)
    figure.legend(fontsize=8, loc="outside right upper")
    counts = sizes.counts(protocol.areas).sum(0)
    shades = colormaps["Blues"](np.linspace(0.15, 0.55, len(protocol.areas)))
    labels = []
    for area, row, number, shade in zip(protocol.areas, rows, counts, shades, strict=True):
        left = max(np.sqrt(area.low), edges[0])
        right = min(np.sqrt(area.high), edges[-1])
        if left >= right:
            continue
        bar = strip.barh(row, right - left, left=left, height=0.9, color=shade, edgecolor="white")
        name = range_name(area).replace(" ", "\n", 1)
        text = f"{name}\n{number} ({100 * number / len(side):.1f} %)"
        middle = np.sqrt(left * right)
        label = strip.text(middle, row, text, ha="center", va="center", fontsize=7)
        labels.append((label, bar[0]))
        for edge in (left, right):
            panel.axvline(edge, color="grey", linewidth=0.8, linestyle=":")
        if row == 0:
            panel.axvspan(left, right, color=shade, alpha=0.25, linewidth=0, zorder=0)
    strip.set_title(title or f"Box sizes by the ranges of {protocol.name}")
    strip.axis("off")
    figure.draw_without_rendering()  # extents are known once the layout is made
    for label, bar in labels:
        room = 0.9 * bar.get_window_extent().width / label.get_window_extent().width
        label.set_fontsize(7 * min(1, room))
    return save_figure(figure, output)


def range_name(area: AreaRange) -> str:
    """A range by the sides of square boxes at its ends: ``t 8..16 px``."""
    low, high = np.sqrt(area.low), np.sqrt(area.high)
    if area.high >= 1e10:
        return f"{area.label} from {low:g} px" if low else area.label
    return f"{area.label} {low:g}..{high:g} px"


def _mean(size: np.ndarray) -> str:
    return f"{size.mean():.1f}" if len(size) else "-"


def _rows(ranges: tuple[AreaRange, ...]) -> list[int]:
    """A row for each range, so that those of one row do not overlap."""
    ends: list[float] = []
    rows = []
    for area in ranges:
        free = [row for row, end in enumerate(ends) if end <= area.low]
        row = free[0] if free else len(ends)
        ends[row : row + 1] = [area.high]
        rows.append(row)
    return rows
