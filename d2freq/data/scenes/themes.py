"""Five kinds of places: what is built in each, and which objects are put where."""

import numpy as np

from d2freq.data.scenes import ground
from d2freq.data.scenes.canvas import (
    BLOCKED,
    GROUND,
    PAVED,
    ROAD,
    SUPERSAMPLE,
    WATER,
    Canvas,
    rectangle,
)
from d2freq.data.scenes.objects import DRAW, LENGTHS, ROOM

MAX_HIDDEN = 0.55  # a tree may cover at most this share of an object,
MIN_SEEN = 16.0  # and has to leave this many square pixels of it in view


class Population:
    """Puts objects on a canvas and remembers which is which."""

    def __init__(self, canvas: Canvas):
        self.canvas = canvas
        self.kinds: list[str] = []  # object k of the owner map is kinds[k - 1]
        self.scale = canvas.rng.uniform(0.85, 1.15)  # the flying height of this picture

    def add(self, kind: str, centre, angle: float, zones: tuple[int, ...], *, gap=1.0) -> bool:
        """Draw one object where there is room for it on these zones."""
        canvas, (shortest, longest) = self.canvas, LENGTHS[kind]
        length = np.exp(canvas.rng.uniform(np.log(shortest), np.log(longest))) * self.scale
        length = float(np.clip(length, shortest, longest))
        along, across = ROOM[kind]
        room = rectangle(centre, along * length + gap, across * length + gap, angle)
        if not canvas.is_free(room, zones):
            return False
        self.kinds.append(kind)
        for shape in DRAW[kind](canvas, centre, angle, length):
            patch = canvas.polygon(shape)
            if patch is not None:
                canvas.owner[patch.window][patch.mask] = len(self.kinds)
        canvas.mark(room, BLOCKED)
        return True

    def scatter(self, kind: str, count: int, zones: tuple[int, ...], **options) -> None:
        """Try to put ``count`` objects anywhere on the given zones."""
        rng = self.canvas.rng
        for _ in range(count * 25):
            if count <= 0:
                return
            spot = rng.uniform(0, self.canvas.size, 2)
            count -= self.add(kind, spot, rng.uniform(0, 2 * np.pi), zones, **options)

    def line_up(self, kind: str, posts: list[tuple], share: float, zones: tuple[int, ...]) -> None:
        """Put objects on posts (x, y, angle), each tried with probability ``share``."""
        for x, y, angle in posts:
            if self.canvas.rng.random() < share:
                self.add(kind, (x, y), angle + self.canvas.rng.normal(0, 0.04), zones, gap=0.4)

    def plant_trees(self, count: int) -> None:
        """Trees anywhere but on water and roofs; they may hide a part of an object."""
        canvas, rng = self.canvas, self.canvas.rng
        area = np.bincount(canvas.owner.ravel(), minlength=len(self.kinds) + 1)
        seen = area.copy()
        grove = rng.uniform(0, canvas.size, 2)
        for _ in range(count):
            if rng.random() < 0.5:
                grove = rng.uniform(0, canvas.size, 2)
            outline = ground.crown(canvas, grove + rng.normal(0, 9, 2), rng.uniform(5, 15))
            patch = canvas.polygon(outline)
            if patch is None or (canvas.zone[patch.window][patch.mask] == WATER).any():
                continue
            owner = canvas.owner[patch.window]
            left = seen - np.bincount(owner[patch.mask], minlength=len(seen))
            touched = (left < seen)[1:]
            too_small = left < np.maximum((1 - MAX_HIDDEN) * area, MIN_SEEN * SUPERSAMPLE**2)
            if (touched & too_small[1:]).any():
                continue
            ground.plant_tree(canvas, outline)
            owner[patch.mask] = 0
            seen = left


def _through_road(canvas: Canvas, width: float, angle: float | None = None) -> list[tuple]:
    rng, size = canvas.rng, canvas.size
    angle = rng.uniform(0, np.pi) if angle is None else angle
    middle = rng.uniform(0.25, 0.75, 2) * size
    reach = size * np.array([np.cos(angle), np.sin(angle)])
    bend = rng.uniform(-0.12, 0.12) * size
    return ground.lay_road(canvas, middle - reach, middle + reach, width, bend=bend)


def _parking(canvas: Canvas, people: Population, angle: float) -> None:
    rng = canvas.rng
    centre = rng.uniform(0.2, 0.8, 2) * canvas.size
    length, rows = rng.uniform(50, 90), rng.integers(1, 3)
    if not canvas.is_free(rectangle(centre, length, 26 * rows, angle), (GROUND,)):
        return
    ground.lay_paved(canvas, centre, length, 26 * rows, angle, np.array(ground.ASPHALT) + 12)
    axis = np.array([np.cos(angle), np.sin(angle)])
    side = np.array([-axis[1], axis[0]])
    for row in range(rows):
        for shift in np.arange(-length / 2 + 7, length / 2 - 7, 9.0):
            spot = centre + shift * axis + (26 * (row - (rows - 1) / 2)) * side
            canvas.paint(rectangle(spot + 4.5 * axis, 0.5, 17, angle), (190, 190, 190), opacity=0.7)
            if rng.random() < 0.55:
                turn = angle + np.pi / 2 + (np.pi if rng.random() < 0.5 else 0)
                people.add("vehicle", spot, turn, (PAVED,), gap=0.2)


def _houses(canvas: Canvas, count: int, angle: float, longest: float = 46) -> None:
    rng = canvas.rng
    for _ in range(count):
        length = rng.uniform(16, longest)
        spot = rng.uniform(0, canvas.size, 2)
        turn = angle + (np.pi / 2 if rng.random() < 0.5 else 0)
        ground.build_house(canvas, spot, length, length * rng.uniform(0.45, 0.8), turn)


def town(canvas: Canvas, people: Population) -> None:
    """Streets that cross, houses along them, parked cars, passers-by."""
    rng = canvas.rng
    ground.lay_ground(canvas, ("urban", "grass", "dry")[rng.integers(3)])
    angle = rng.uniform(0, np.pi / 2)
    posts = _through_road(canvas, rng.uniform(17, 24), angle)
    posts += _through_road(canvas, rng.uniform(15, 20), angle + np.pi / 2)
    _parking(canvas, people, angle)
    _houses(canvas, 90, angle)
    people.line_up("vehicle", posts, rng.uniform(0.05, 0.16), (ROAD,))
    people.scatter("person", canvas.some(0, 7), (GROUND, ROAD, PAVED))
    people.plant_trees(canvas.some(8, 40))


def harbour(canvas: Canvas, people: Population) -> None:
    """A coast or a river with ships, piers, a quay road and some tanks."""
    rng = canvas.rng
    ground.lay_ground(canvas, ("urban", "grass", "dry", "sand")[rng.integers(4)])
    river = rng.random() < 0.3
    ground.lay_water(
        canvas, rng.uniform(0.3, 0.45) if river else rng.uniform(0.4, 0.8), river=river
    )
    people.scatter("ship", canvas.some(5, 14), (WATER,))
    people.scatter("storage-tank", canvas.some(0, 6), (GROUND,))
    _houses(canvas, 18, rng.uniform(0, np.pi))
    people.scatter("vehicle", canvas.some(0, 6), (GROUND,))
    people.scatter("person", canvas.some(0, 8), (GROUND,))
    people.plant_trees(canvas.some(0, 24))


def airfield(canvas: Canvas, people: Population) -> None:
    """A runway and aprons of pale concrete with parked aircraft and a few cars."""
    rng, size = canvas.rng, canvas.size
    ground.lay_ground(canvas, ("grass", "dry")[rng.integers(2)])
    angle = rng.uniform(0, np.pi)
    concrete = np.array((150, 156, 158), np.float32) + rng.normal(0, 10)
    centre = rng.uniform(0.3, 0.7, 2) * size
    ground.lay_paved(canvas, centre, 1.2 * size, rng.uniform(0.3, 0.5) * size, angle, concrete)
    side = np.array([-np.sin(angle), np.cos(angle)])
    runway = centre + rng.choice([-1, 1]) * rng.uniform(0.4, 0.55) * size * side
    ground.lay_paved(canvas, runway, 3 * size, 24, angle, np.array(ground.ASPHALT) + 4)
    canvas.paint(rectangle(runway, 3 * size, 0.8, angle), (205, 205, 205), opacity=0.8)
    nose = angle + rng.choice([0, np.pi / 2, np.pi, -np.pi / 2])
    for _ in range(rng.integers(60, 160)):
        if people.kinds.count("aircraft") > 11:
            break
        turn = nose + rng.normal(0, 0.25)
        people.add("aircraft", rng.uniform(0, size, 2), turn, (PAVED,), gap=3)
    people.scatter("vehicle", canvas.some(0, 7), (PAVED, GROUND))
    people.scatter("storage-tank", canvas.some(0, 4), (GROUND,))
    people.scatter("person", canvas.some(0, 6), (PAVED,))
    _houses(canvas, 12, angle, 60)
    people.plant_trees(canvas.some(0, 20))


def industry(canvas: Canvas, people: Population) -> None:
    """A tank farm: rows of tanks on gravel, sheds, a road with lorries."""
    rng, size = canvas.rng, canvas.size
    ground.lay_ground(canvas, ("gravel", "urban", "dry")[rng.integers(3)])
    angle = rng.uniform(0, np.pi)
    posts = _through_road(canvas, rng.uniform(16, 22), angle)
    for _ in range(rng.integers(1, 4)):
        step, corner = rng.uniform(17, 36), rng.uniform(0.05, 0.6, 2) * size
        axis = np.array([np.cos(angle), np.sin(angle)])
        for i, j in np.ndindex(*rng.integers(2, 5, 2)):
            spot = corner + step * (i * axis + j * np.array([-axis[1], axis[0]]))
            people.add("storage-tank", spot, rng.uniform(0, 6.28), (GROUND,), gap=2)
    _houses(canvas, 16, angle, 70)
    people.line_up("vehicle", posts, rng.uniform(0.04, 0.12), (ROAD,))
    people.scatter("vehicle", canvas.some(0, 6), (GROUND,))
    people.scatter("person", canvas.some(0, 7), (GROUND, ROAD))
    people.plant_trees(canvas.some(0, 14))


def countryside(canvas: Canvas, people: Population) -> None:
    """Fields, a lane, woods and sometimes a pond; few objects."""
    rng = canvas.rng
    ground.lay_ground(canvas, ("grass", "dry")[rng.integers(2)])
    ground.lay_fields(canvas)
    if rng.random() < 0.3:
        ground.lay_water(canvas, rng.uniform(0.14, 0.22), river=True)
        people.scatter("ship", canvas.some(0, 4), (WATER,))
    posts = _through_road(canvas, rng.uniform(13, 17))
    _houses(canvas, canvas.some(0, 6), rng.uniform(0, np.pi), 30)
    people.line_up("vehicle", posts, rng.uniform(0.03, 0.1), (ROAD,))
    people.scatter("vehicle", canvas.some(0, 4), (GROUND,))
    people.scatter("person", canvas.some(2, 9), (GROUND, ROAD))
    people.plant_trees(canvas.some(15, 60))


def wasteland(canvas: Canvas, people: Population) -> None:
    """No object at all: fields and woods, or open water."""
    ground.lay_ground(canvas, "grass")
    if canvas.rng.random() < 0.5:
        ground.lay_fields(canvas)
    else:
        ground.lay_water(canvas, canvas.rng.uniform(0.3, 0.9))
    people.plant_trees(canvas.some(20, 70))


# Theme and its share of the pictures.
THEMES = {
    town: 0.26,
    harbour: 0.23,
    airfield: 0.18,
    industry: 0.17,
    countryside: 0.09,
    wasteland: 0.07,
}
