"""Pictures of tutorials/protocols.md: overlap, size classes, AP, and what is not counted."""

from figures.drawing import AMBER, BLUE, GREEN, GREY, INK, RED, Drawing

__all__ = ["FIGURES"]

SIDE = 8  # pixels of the drawing for a pixel of the picture


def iou_shift() -> Drawing:
    """The same shift costs a tiny object more."""
    draw = Drawing(720, 330, "A shift by one pixel of objects of 32, 16 and 8 pixels")
    x = 30.0
    for side in (32, 16, 8):
        width = side * SIDE
        y = 290 - width - SIDE
        draw.rect(x, y, width, width, fill=GREEN, stroke=GREEN, opacity=0.15)
        draw.rect(x + SIDE, y + SIDE, width, width, fill=BLUE, stroke=BLUE, opacity=0.15)
        common = (side - 1) ** 2
        iou = common / (2 * side**2 - common)
        draw.words(x + width / 2, 312, f"{side} px: IoU {iou:.2f}", bold=True)
        x += width + 60
    draw.rect(560, 30, 14, 14, fill=GREEN, stroke=GREEN, opacity=0.15)
    draw.words(582, 37, "object", anchor="start")
    draw.rect(560, 54, 14, 14, fill=BLUE, stroke=BLUE, opacity=0.15)
    draw.words(582, 61, "detection", anchor="start")
    return draw


# protocol: limits of the side in pixels, and the class up to each
CLASSES: dict[str, list[tuple[float, str]]] = {
    "AI-TOD": [(8, "verytiny"), (16, "tiny"), (32, "small"), (100, "medium")],
    "COCO": [(32, "small"), (96, "medium"), (100, "large")],
    "TinyPerson": [(8, "tiny1"), (12, "tiny2"), (20, "tiny3"), (32, "small")],
    "SODA-D": [(12, "eS"), (20, "rS"), (32, "gS"), (44.7, "N")],
}


def size_classes() -> Drawing:
    """Size classes of four protocols on one axis."""
    draw = Drawing(760, 250, "Size classes of AI-TOD, COCO, TinyPerson and SODA-D")
    left, scale = 100, 6.3
    colours = [BLUE, GREEN, AMBER, GREY]
    for row, (name, classes) in enumerate(CLASSES.items()):
        y = 20 + 46 * row
        draw.words(left - 10, y + 15, name, anchor="end", bold=True)
        begin = 1.0 if name == "TinyPerson" else 0.0
        for number, (end, label) in enumerate(classes):
            colour = colours[number]
            width = (end - begin) * scale
            draw.rect(left + begin * scale, y, width, 30, fill=colour, stroke=colour, opacity=0.18)
            draw.words(left + (begin + end) / 2 * scale, y + 15, label, size=11)
            begin = end
    for side in (0, 8, 16, 32, 48, 64, 96):
        x = left + side * scale
        draw.arrow((x, 204), (x, 210), head=False)
        draw.words(x, 222, str(side), size=11)
    draw.arrow((left, 204), (left + 101 * scale, 204))
    draw.words(left + 50 * scale, 240, "side of the box in pixels (the root of its area)", size=12)
    return draw


def average_precision() -> Drawing:
    """Hits and false alarms of four detections, and the curve that they make."""
    draw = Drawing(760, 330, "Detections on a picture, and precision over recall")
    left, top, scale = 20, 30, 2.6
    draw.rect(left, top, 260, 260, fill="#f8fafc", stroke=GREY)

    def square(x: float, y: float, colour: str, words: str = "", dashed: bool = False) -> None:
        draw.rect(
            left + x * scale, top + y * scale, 12 * scale, 12 * scale,
            stroke=colour, line=2, dashed=dashed,
        )  # fmt: skip
        draw.words(left + (x + 6) * scale, top + (y - 3) * scale, words, colour=colour, size=11)

    for x, y in ((10, 10), (40, 40)):
        square(x, y, GREEN, dashed=True)
    square(70, 20, RED, "missed", dashed=True)
    square(10, 10, GREEN, "0.9 hit")
    square(40, 41, GREEN, "0.7 hit")
    square(80, 80, AMBER, "0.8 false alarm")
    square(12, 70, AMBER, "0.6 false alarm")
    draw.words(left + 130, 312, "dashed: objects; solid: detections with their scores", size=11)

    x0, y0, width, height = 380, 270, 340, 220
    draw.arrow((x0, y0), (x0 + width + 12, y0))
    draw.arrow((x0, y0), (x0, y0 - height - 12))
    third = width / 3
    curve = [
        (x0, y0 - height),
        (x0 + third, y0 - height),
        (x0 + third, y0 - height * 2 / 3),
        (x0 + 2 * third, y0 - height * 2 / 3),
        (x0 + 2 * third, y0),
    ]
    draw.area([(x0, y0), *curve], fill=BLUE)
    draw.arrow(*curve, colour=BLUE, head=False)
    for share, words in ((0, "0"), (1, "1/3"), (2, "2/3"), (3, "1")):
        draw.words(x0 + share * third, y0 + 14, words, size=11)
    for part, words in ((2 / 3, "2/3"), (1, "1")):
        draw.words(x0 - 8, y0 - part * height, words, anchor="end", size=11)
    draw.words(x0 + third, y0 - height * 0.35, "AP50 = 55.4", bold=True)
    draw.words(x0 + width / 2, y0 + 34, "recall: the share of objects that are found", size=12)
    draw.words(x0 + 10, y0 - height - 24, "precision: the share of hits", anchor="start", size=12)
    return draw


def ignored() -> Drawing:
    """What excuses a detection, in three benchmarks."""
    draw = Drawing(760, 250, "What excuses a detection in COCO, VisDrone and TinyPerson")
    panels = ("COCO: a crowd", "VisDrone: an ignored region", "TinyPerson: an uncertain box")
    notes = (
        "share of the detection in the crowd\nreaches the threshold of IoU",
        "half of the detection\nlies in the region",
        "share of the detection in the box\nreaches the threshold of IoU",
    )
    inside = ((60, 50), (30, 55), (50, 45))
    for number, (name, note, (dx, dy)) in enumerate(zip(panels, notes, inside, strict=True)):
        x = 20 + 245 * number
        draw.rect(x, 36, 225, 150, fill="#f8fafc", stroke=GREY)
        draw.words(x + 112, 20, name, bold=True)
        region = (x + 50, 66, 130, 90)
        draw.rect(*region, fill=GREY, stroke=GREY, opacity=0.25, dashed=True)
        draw.rect(x + dx, 36 + dy, 40, 40, stroke=AMBER, line=2)
        draw.words(x + 112, 214, note, size=11, colour=INK)
    return draw


FIGURES = {
    "average_precision": average_precision,
    "ignored": ignored,
    "iou_shift": iou_shift,
    "size_classes": size_classes,
}
