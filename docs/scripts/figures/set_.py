"""The picture of methods/set.md: a training step with two passes."""

from figures.drawing import AMBER, GREY, RED, Drawing

__all__ = ["FIGURES"]


def step() -> Drawing:
    """What a training step does, and what is left of it at inference."""
    draw = Drawing(800, 360, "A training step with SET: a second pass over enhanced features")
    draw.box(10, 60, 80, 50, "picture", "data")
    draw.arrow((90, 85), (120, 85))
    draw.box(120, 60, 110, 50, "backbone\nand neck", "step")
    draw.arrow((230, 85), (270, 85))
    draw.box(270, 60, 80, 50, "P_i", "data")
    draw.arrow((350, 85), (560, 85))
    draw.box(560, 60, 90, 50, "heads", "step")
    draw.arrow((650, 85), (690, 85))
    draw.box(690, 60, 100, 50, "losses\nL_m", "step")
    draw.words(740, 40, "first pass", size=12, colour=GREY)

    draw.arrow((310, 110), (310, 230), colour=AMBER)
    draw.box(240, 230, 140, 60, "HBS: smooth the\nbackground", "new")
    draw.box(90, 235, 110, 50, "boxes as a\nmask", "data")
    draw.arrow((200, 260), (240, 260))
    draw.arrow((380, 260), (469, 260), colour=AMBER)
    draw.plus(480, 260)
    draw.arrow((491, 260), (560, 260), colour=AMBER)
    draw.box(560, 235, 90, 50, "the same\nheads", "step")
    draw.arrow((650, 260), (690, 260))
    draw.box(690, 235, 100, 50, "losses\ntimes λ", "step")
    draw.words(740, 305, "second pass", size=12, colour=GREY)

    draw.arrow((740, 110), (740, 165), (560, 165), colour=RED, dashed=True)
    draw.words(650, 155, "gradient at P_i", size=11, colour=RED)
    draw.box(400, 140, 160, 50, "API: ρ g / ‖g‖ of each\nbranch, their mean", "new")
    draw.arrow((480, 190), (480, 248), colour=AMBER)
    draw.words(500, 216, "a constant", size=11, colour=GREY, anchor="start")
    draw.rect(2, 22, 796, 100, stroke=GREY, dashed=True, round_=8)
    draw.words(14, 12, "at inference this row is all there is", anchor="start", size=12)
    draw.words(400, 345, "amber: what SET adds to a training step", size=12, colour=GREY)
    return draw


FIGURES = {"set_step": step}
