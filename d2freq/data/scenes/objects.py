"""The five kinds of tiny objects, drawn from above: hull, details and shadow.

Each ``draw_*`` paints one object on the canvas and returns its silhouette: polygons in final
pixels that make up its mask. ``length`` is the longest side in pixels.
"""

import numpy as np

from d2freq.data.scenes.canvas import Canvas, ellipse, place, rectangle

KINDS = ("vehicle", "ship", "aircraft", "storage-tank", "person")

# BGR. Mid greys are left out: they are the colour of the road.
CAR_PAINT = [(236, 238, 240), (222, 224, 226), (205, 205, 200), (28, 28, 30), (40, 34, 32)] + [
    (42, 38, 168),
    (150, 72, 34),
    (60, 180, 214),
    (52, 92, 40),
    (198, 168, 120),
]
CLOTHES = [(235, 235, 240), (40, 40, 200), (190, 80, 30), (30, 200, 230), (25, 25, 25)]


def _pick(rng: np.random.Generator, colours) -> np.ndarray:
    return np.array(colours[rng.integers(len(colours))], np.float32) + rng.normal(0, 8)


def draw_vehicle(canvas: Canvas, centre, angle: float, length: float) -> list[np.ndarray]:
    """A car: body, roof, windscreens. One in six is a lorry: cab and box."""
    rng = canvas.rng
    lorry = length > 9 and rng.random() < 0.17
    width = length * (rng.uniform(0.3, 0.36) if lorry else rng.uniform(0.42, 0.5))
    chamfer = 0.12 if not lorry else 0.03
    outline = np.array(
        [[-0.5, -0.5 + chamfer], [-0.5 + chamfer / 2, -0.5], [0.5 - chamfer, -0.5]]
        + [[0.5, -0.5 + 2 * chamfer], [0.5, 0.5 - 2 * chamfer], [0.5 - chamfer, 0.5]]
        + [[-0.5 + chamfer / 2, 0.5], [-0.5, 0.5 - chamfer]]
    )
    body = place(outline * [length, width], centre, angle)
    paint = _pick(rng, CAR_PAINT)
    canvas.shadow(body, (0.5 if lorry else 0.3) * width, 0.5)
    canvas.paint(body, paint)

    def part(start: float, stop: float, breadth: float, colour) -> None:
        middle = place(np.array([[(start + stop) / 2 * length, 0.0]]), centre, angle)[0]
        canvas.paint(rectangle(middle, (stop - start) * length, breadth * width, angle), colour)

    if lorry:
        part(-0.5, 0.24, 1.0, _pick(rng, [(232, 234, 236), (180, 120, 60), (70, 110, 180)]))
        part(0.24, 0.29, 1.0, (45, 45, 45))
    else:
        part(0.12, 0.26, 0.8, (62, 54, 48))
        part(-0.38, -0.28, 0.75, (62, 54, 48))
        part(-0.27, 0.11, 0.72, np.clip(paint * 1.1 + 8, 0, 255))
    return [body]


def draw_ship(canvas: Canvas, centre, angle: float, length: float) -> list[np.ndarray]:
    """A hull with a pointed bow, deck and superstructure; under way it leaves a wake."""
    rng = canvas.rng
    width = length * rng.uniform(0.26, 0.38)
    unit = np.array(
        [[-0.5, -0.36], [-0.44, -0.46], [0.1, -0.5], [0.34, -0.32], [0.5, 0.0]]
        + [[0.34, 0.32], [0.1, 0.5], [-0.44, 0.46], [-0.5, 0.36]]
    )
    hull = place(unit * [length, width], centre, angle)
    if rng.random() < 0.5:
        reach = length * rng.uniform(0.6, 1.6)
        wake = np.array(
            [[-0.45 * length, -0.3 * width], [-0.45 * length, 0.3 * width]]
            + [[-0.45 * length - reach, 0.9 * width], [-0.45 * length - reach, -0.9 * width]]
        )
        canvas.paint(place(wake, centre, angle), (214, 208, 196), grain=16, opacity=0.3)
        wash = wake * [0.75, 0.55]
        canvas.paint(place(wash, centre, angle), (226, 222, 214), grain=18, opacity=0.4)
    canvas.shadow(hull, 0.15 * width, 0.6)
    canvas.paint(hull, _pick(rng, [(240, 240, 240), (216, 214, 208), (58, 48, 130), (120, 70, 40)]))
    deck = place(unit * [0.84 * length, 0.68 * width], centre, angle)
    canvas.paint(deck, _pick(rng, [(216, 220, 224), (150, 176, 196), (88, 120, 160)]))
    bridge = place(np.array([[rng.uniform(-0.32, 0.0) * length, 0.0]]), centre, angle)[0]
    canvas.paint(rectangle(bridge, 0.2 * length, 0.6 * width, angle), (246, 246, 246))
    canvas.paint(rectangle(bridge, 0.06 * length, 0.5 * width, angle), (70, 62, 56))
    return [hull]


def draw_aircraft(canvas: Canvas, centre, angle: float, length: float) -> list[np.ndarray]:
    """Fuselage, swept wings with engines and a tailplane, nose along ``angle``."""
    rng = canvas.rng
    span, sweep = rng.uniform(0.42, 0.5), rng.uniform(0.1, 0.24)
    fuselage = np.array(
        [[0.5, 0.0], [0.44, 0.05], [0.3, 0.065], [-0.3, 0.06], [-0.5, 0.015]]
        + [[-0.5, -0.015], [-0.3, -0.06], [0.3, -0.065], [0.44, -0.05]]
    )

    def wing(root: float, chord: float, reach: float, side: int) -> np.ndarray:
        tip = root - sweep * reach / span
        return np.array(
            [[root + chord / 2, 0.0], [tip + chord / 5, side * reach]]
            + [[tip - chord / 5, side * reach], [root - chord / 2, 0.0]]
        )

    parts = [wing(0.06, 0.22, span, side) for side in (-1, 1)]
    parts += [wing(-0.42, 0.13, 0.2, side) for side in (-1, 1)]
    shapes = [place(part * length, centre, angle) for part in [*parts, fuselage]]
    for shape in shapes:
        canvas.shade(shape + 0.1 * length * canvas.sun, 0.68)
    metal = _pick(rng, [(238, 238, 238), (226, 222, 218), (204, 200, 194)])
    for shape in shapes[:-1]:
        canvas.paint(shape, 0.94 * metal)
    for side in (-1, 1):
        engine = place(np.array([[0.07, side * 0.19]]) * length, centre, angle)[0]
        canvas.paint(ellipse(engine, 0.13 * length, 0.055 * length, angle), 0.7 * metal)
    canvas.paint(shapes[-1], metal)
    livery = _pick(rng, [(150, 70, 30), (40, 40, 170), (60, 130, 50), (90, 90, 90)])
    fin = place(np.array([[-0.42, 0.0]]) * length, centre, angle)[0]
    canvas.paint(rectangle(fin, 0.14 * length, 0.04 * length, angle), livery)
    return shapes


def draw_storage_tank(canvas: Canvas, centre, angle: float, length: float) -> list[np.ndarray]:
    """A cylinder: rim, roof, the lit side of a floating roof, a stair as a dark stroke."""
    rng = canvas.rng
    rim = ellipse(centre, length, length)
    canvas.shadow(rim, length * rng.uniform(0.25, 0.5), 0.5)
    roof = _pick(rng, [(236, 238, 240), (224, 222, 216), (196, 204, 210), (150, 172, 186)])
    canvas.paint(rim, 0.82 * roof)
    canvas.paint(ellipse(centre, 0.88 * length, 0.88 * length), roof)
    toward_sun = -canvas.sun / np.linalg.norm(canvas.sun)
    if rng.random() < 0.5:  # floating roof: sunk, so the wall throws a crescent onto it
        canvas.paint(ellipse(centre, 0.84 * length, 0.84 * length), 0.72 * roof)
        lit = np.asarray(centre) - 0.08 * length * toward_sun
        canvas.paint(ellipse(lit, 0.7 * length, 0.7 * length), roof)
    else:
        canvas.paint(ellipse(centre, 0.16 * length, 0.16 * length), 0.8 * roof)
    stair = np.asarray(centre) + place(np.array([[0.36 * length, 0.0]]), (0, 0), angle)[0]
    canvas.paint(rectangle(stair, 0.2 * length, 0.05 * length, angle), 0.55 * roof)
    return [rim]


def draw_person(canvas: Canvas, centre, angle: float, length: float) -> list[np.ndarray]:
    """Shoulders and head from above, with a long shadow."""
    rng = canvas.rng
    body = ellipse(centre, length, 0.72 * length, angle)
    canvas.shadow(ellipse(centre, 0.6 * length, 0.5 * length, angle), 1.3 * length, 0.5)
    canvas.paint(body, _pick(rng, CLOTHES))
    head = _pick(rng, [(50, 60, 90), (130, 160, 205), (40, 50, 60)])
    canvas.paint(ellipse(centre, 0.42 * length, 0.42 * length), head)
    return [body]


DRAW = {
    "vehicle": draw_vehicle,
    "ship": draw_ship,
    "aircraft": draw_aircraft,
    "storage-tank": draw_storage_tank,
    "person": draw_person,
}
# Longest side in pixels (low, high); drawn log-uniformly. Rotation makes the box smaller.
LENGTHS = {
    "vehicle": (9.0, 20.0),
    "ship": (11.0, 31.0),
    "aircraft": (13.0, 29.0),
    "storage-tank": (8.0, 30.0),
    "person": (2.8, 7.0),
}
# The room a silhouette needs, (along, across) the object's axis as a share of its length.
ROOM = {
    "vehicle": (1.15, 0.62),
    "ship": (1.1, 0.5),
    "aircraft": (1.08, 1.08),
    "storage-tank": (1.2, 1.2),
    "person": (1.4, 1.4),
}
