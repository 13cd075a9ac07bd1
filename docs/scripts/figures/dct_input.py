"""The picture of methods/dct-input.md: from pixels to channels."""

from figures.drawing import AMBER, BLUE, GREY, Drawing

__all__ = ["FIGURES"]


def stem() -> Drawing:
    """A block becomes 64 coefficients, some of which become channels."""
    draw = Drawing(800, 280, "DCT input: blocks of 8 x 8 pixels become channels of coefficients")
    draw.rect(20, 50, 130, 130, fill="#eff6ff", stroke=BLUE)
    for number in range(1, 8):
        place = number * 130 / 8
        draw.arrow((20 + place, 50), (20 + place, 180), colour=GREY, head=False)
        draw.arrow((20, 50 + place), (150, 50 + place), colour=GREY, head=False)
    draw.rect(20 + 130 / 8 * 2, 50 + 130 / 8 * 3, 130 / 8, 130 / 8, fill=AMBER, opacity=0.8)
    draw.words(85, 34, "pixels, as Y, Cb, Cr", bold=True)
    draw.words(85, 200, "blocks of 8 x 8", size=12)
    draw.arrow((70, 107), (230, 80), colour=AMBER)
    for row in range(8):
        for column in range(8):
            chosen = row < 4 and column < 4
            draw.rect(
                230 + 16 * column, 50 + 16 * row, 16, 16,
                fill=AMBER if chosen else "#ffffff", opacity=0.6 if chosen else 1,
                stroke=GREY, line=0.8,
            )  # fmt: skip
    draw.words(294, 34, "64 coefficients", bold=True)
    draw.words(294, 200, "a set is chosen: 16 of Y,\n4 of Cb, 4 of Cr make 24", size=12)
    draw.arrow((362, 115), (420, 115))
    draw.words(480, 34, "channels", bold=True)
    for number in range(6):
        offset = 7 * number
        draw.rect(425 + offset, 60 + offset, 75, 75, fill="#fffbeb", stroke=AMBER)
    draw.words(480, 200, "one map a coefficient,\none cell a block", size=12)
    draw.arrow((540, 115), (590, 115))
    draw.box(590, 90, 90, 50, "res2", "step")
    draw.arrow((680, 115), (710, 115))
    draw.box(710, 90, 70, 50, "res3 ...", "step")
    draw.words(665, 200, "the network's first layers\nare left out", size=12)
    draw.words(
        400, 262, "the transform is a fixed convolution on the device; the loader stays in pixels",
        size=12, colour=GREY,
    )  # fmt: skip
    return draw


FIGURES = {"dct_stem": stem}
