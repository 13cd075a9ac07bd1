"""Pictures of methods/hs-fpn.md: the neck, HFP inside, and SDP's windows."""

from figures.drawing import AMBER, BLUE, GREY, INK, Drawing

__all__ = ["FIGURES"]

LEVELS = (5, 4, 3, 2)
TOP, STEP = 30, 92  # of the rows of the neck


def neck() -> Drawing:
    """From the backbone's maps to the pyramid, level by level."""
    draw = Drawing(800, 400, "HS-FPN: each lateral map passes HFP, and SDP below the top level")
    for row, level in enumerate(LEVELS):
        y = TOP + STEP * row
        middle = y + 24
        draw.box(10, y, 70, 48, f"res{level}", "data")
        draw.arrow((80, middle), (110, middle))
        draw.box(110, y, 90, 48, "1x1 conv\nC" + str(level), "step")
        draw.arrow((200, middle), (240, middle))
        draw.box(240, y, 90, 48, "HFP", "new")
        if row == 0:
            draw.arrow((330, middle), (590, middle))
            draw.circle(530, middle, 3, fill=INK)
        else:
            draw.arrow((330, middle), (370, middle))
            draw.box(370, y, 90, 48, "SDP", "new")
            draw.arrow((460, middle), (519, middle))
            draw.plus(530, middle)
            draw.arrow((541, middle), (590, middle))
        draw.box(590, y, 90, 48, "3x3 conv", "step")
        draw.arrow((680, middle), (710, middle))
        draw.box(710, y, 70, 48, f"P{level}", "data")
        if row:
            above = middle - STEP
            draw.arrow((530, above + (11 if row > 1 else 3)), (530, middle - 12))
            draw.arrow((530, middle - 42), (415, middle - 42), (415, y), colour=AMBER)
            if row == 1:
                draw.words(596, middle - 44, "twice as large", size=11, colour=GREY)
    draw.words(
        400,
        388,
        "grey: a plain FPN; amber: what HS-FPN adds; drawn in the order of preset paper",
        size=12,
        colour=GREY,
    )
    return draw


def hfp() -> Drawing:
    """High frequency perception: a filter, a weight a channel, a weight a pixel."""
    draw = Drawing(800, 330, "HFP: a high-pass filter, and attention by channel and by pixel")
    draw.box(10, 140, 70, 50, "C_i", "data")
    draw.arrow((80, 165), (120, 165))
    # the DCT plane, whose lowest quarter of rows and columns is removed
    draw.rect(120, 115, 100, 100, fill="#fffbeb", stroke=AMBER)
    draw.rect(120, 115, 25, 25, fill=INK, stroke=AMBER)
    draw.words(170, 232, "DCT, the lowest\nquarter removed", size=11)
    draw.words(178, 172, "F_i", bold=True)
    draw.arrow((220, 140), (250, 140), (250, 70), (270, 70))
    draw.arrow((220, 190), (250, 190), (250, 260), (270, 260))
    draw.box(270, 40, 150, 60, "mean and maximum\nover k x k cells, sum", "new")
    draw.arrow((420, 70), (440, 70))
    draw.box(440, 40, 130, 60, "two grouped\n1x1 conv, sigmoid", "new")
    draw.arrow((570, 70), (609, 70))
    draw.words(590, 56, "u_CP", size=11)
    draw.box(270, 235, 150, 50, "1x1 conv to 1\nchannel, sigmoid", "new")
    draw.arrow((420, 260), (609, 260))
    draw.words(590, 246, "u_SP", size=11)
    draw.plus(620, 70, "×")
    draw.plus(620, 260, "×")
    draw.arrow((45, 140), (45, 15), (620, 15), (620, 58), colour=BLUE)
    draw.arrow((45, 190), (45, 315), (620, 315), (620, 272), colour=BLUE)
    draw.words(420, 165, "channel path above, spatial path below", size=11, colour=GREY)
    draw.plus(660, 165)
    draw.arrow((631, 70), (660, 70), (660, 153))
    draw.arrow((631, 260), (660, 260), (660, 177))
    draw.arrow((671, 165), (700, 165))
    draw.box(700, 140, 90, 50, "3x3 conv", "new")
    return draw


def sdp() -> Drawing:
    """Each window of a level asks the same window of the level above."""
    draw = Drawing(760, 250, "SDP: the pixels of a window attend to those of the level above")
    for x, words in ((30, "this level: queries"), (290, "level above, enlarged: keys and values")):
        draw.words(x + 88, 18, words, size=12)
        for row in range(4):
            for column in range(4):
                chosen = (row, column) == (1, 2)
                draw.rect(
                    x + 44 * column,
                    34 + 44 * row,
                    44,
                    44,
                    fill=AMBER if chosen else "#eff6ff",
                    stroke=BLUE,
                    opacity=0.5 if chosen else 1,
                )
    draw.arrow((162, 100), (375, 100), colour=AMBER)
    draw.words(560, 90, "softmax of q·k over\nthe pixels of one window", anchor="start", size=12)
    draw.words(560, 160, "plus what the level\nhad before (residual)", anchor="start", size=12)
    draw.words(
        250, 234, "4, 16 or 64 windows at P4, P3, P2: each as large as the map of P5", size=12
    )
    return draw


FIGURES = {"hs_fpn_hfp": hfp, "hs_fpn_neck": neck, "hs_fpn_sdp": sdp}
