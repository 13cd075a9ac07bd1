"""Pictures of methods/derefnet.md: the problem, and the network."""

import math

from figures.drawing import AMBER, BLUE, GREY, RED, Drawing

__all__ = ["FIGURES"]


def problem() -> Drawing:
    """Two targets within a pixel, the frame that they make, and the grid to be found."""
    draw = Drawing(760, 270, "Two targets less than a pixel apart, their frame, and the grid")
    side, pixel = 5, 40.0
    targets = [(2.0, 1.85), (2.0, 2.4)]  # row, column
    for panel, title in enumerate(("a frame of 5 x 5 pixels", "the grid: 3 x 3 cells a pixel")):
        x0, y0 = 40 + 380 * panel, 40
        draw.words(x0 + 100, 20, title, bold=True)
        cells = side if panel == 0 else 3 * side
        width = side * pixel / cells
        for row in range(cells):
            for column in range(cells):
                if panel == 0:
                    light = sum(_share(row, r) * _share(column, c) for r, c in targets)
                    fill, opacity = BLUE, min(1.0, 0.04 + light)
                else:
                    hit = any(
                        (row, column) == (round(3 * r + 1), round(3 * c + 1)) for r, c in targets
                    )
                    fill, opacity = (AMBER, 0.8) if hit else ("#f8fafc", 1.0)
                draw.rect(
                    x0 + column * width, y0 + row * width, width, width,
                    fill=fill, stroke="#cbd5e1", opacity=opacity, line=0.6,
                )  # fmt: skip
        for down, across in targets:
            draw.circle(x0 + (across + 0.5) * pixel, y0 + (down + 0.5) * pixel, 3.5, fill=RED)
    draw.arrow((262, 140), (400, 140))
    draw.words(331, 124, "unmixing", size=12)
    draw.words(380, 258, "red: where the targets are, between the pixels", size=12, colour=GREY)
    return draw


def network() -> Drawing:
    """Unfolding, time encoding, alignment, refinement."""
    draw = Drawing(800, 300, "DeRefNet: unfolding of each frame, alignment, refinement")
    for number in range(5):
        y = 20 + 46 * number
        centre = number == 2
        draw.box(10, y, 90, 34, f"frame t{number - 2:+d}" if not centre else "frame t", "data")
        draw.arrow((100, y + 17), (130, y + 17))
        draw.box(130, y, 150, 34, "Q_init, K stages", "new")
        draw.arrow((280, y + 17), (310, y + 17))
        draw.box(310, y, 90, 34, "× time", "new")
        if centre:
            draw.arrow((400, y + 17), (620, y + 17))
        else:
            draw.arrow((400, y + 17), (440, y + 17))
            draw.box(440, y, 130, 34, "align to frame t", "new")
            draw.arrow((570, y + 17), (595, y + 17), (595, 129), (620, 129))
    draw.box(620, 99, 80, 60, "refine\nall five", "new")
    draw.arrow((700, 129), (725, 129))
    draw.box(725, 99, 68, 60, "grid of\nframe t", "data")
    draw.words(
        400,
        280,
        "K stages: a gradient step, then a learned transform, a soft threshold and its inverse",
        size=12,
        colour=GREY,
    )
    return draw


def _share(pixel: int, position: float) -> float:
    """Of a spot's light that falls into a pixel of one axis; sigma is half a pixel."""
    edges = (pixel - 0.5 - position, pixel + 0.5 - position)
    low, high = (math.erf(edge / (0.5 * math.sqrt(2))) for edge in edges)
    return (high - low) / 2


FIGURES = {"derefnet_network": network, "derefnet_problem": problem}
