"""The picture of methods/assignment.md: how three measures fall with distance."""

import math
from collections.abc import Callable

from figures.drawing import AMBER, BLUE, GREEN, GREY, INK, Drawing

__all__ = ["FIGURES"]

SIDE = 8.0  # pixels of the object and of the anchor
FARTHEST = 20


def iou(shift: float) -> float:
    """Of two equal squares, one shifted along a row."""
    common = max(0.0, SIDE - shift) * SIDE
    return common / (2 * SIDE**2 - common)


def nwd(shift: float, constant: float = 12.7) -> float:
    """exp(-W2 / C); of equal boxes W2 is the distance of their centres (NWD, AI-TOD's constant)."""
    return math.exp(-shift / constant)


def rfla(shift: float) -> float:
    """1 / (1 + KL) of two equal Gaussians whose deviations are half a side."""
    deviation = SIDE / 2
    return 1 / (1 + shift**2 / (2 * deviation**2))


CURVES: dict[str, tuple[Callable[[float], float], str]] = {
    "IoU: 0 from 8 pixels on": (iou, INK),
    "NWD: never 0": (nwd, BLUE),
    "RFLA's score: never 0": (rfla, AMBER),
}


def measures() -> Drawing:
    """Overlap ends where the boxes part; the distances of Gaussians do not."""
    draw = Drawing(760, 330, "IoU, NWD and RFLA's score of an 8-pixel object and a shifted anchor")
    x0, y0, width, height = 60, 260, 440, 220
    draw.arrow((x0, y0), (x0 + width + 15, y0))
    draw.arrow((x0, y0), (x0, y0 - height - 15))
    for shift in range(0, FARTHEST + 1, 4):
        draw.words(x0 + width * shift / FARTHEST, y0 + 16, str(shift), size=11)
    for share in (0, 0.5, 1):
        draw.words(x0 - 10, y0 - height * share, f"{share:g}", anchor="end", size=11)
    for number, (name, (measure, colour)) in enumerate(CURVES.items()):
        points = [(s / 4, measure(s / 4)) for s in range(4 * FARTHEST + 1)]
        draw.arrow(
            *((x0 + width * s / FARTHEST, y0 - height * value) for s, value in points),
            colour=colour,
            head=False,
        )
        draw.rect(540, 60 + 30 * number, 14, 14, fill=colour, stroke=colour)
        draw.words(562, 67 + 30 * number, name, anchor="start")
    draw.words(x0 + width / 2, y0 + 42, "pixels between object and anchor, both 8 pixels wide")
    draw.rect(560, 190, 32, 32, stroke=GREEN, line=2)
    draw.rect(600, 190, 32, 32, stroke=GREY, line=2, dashed=True)
    draw.words(596, 244, "10 pixels apart: no overlap,\nand yet the nearest anchor", size=12)
    return draw


FIGURES = {"assignment_measures": measures}
