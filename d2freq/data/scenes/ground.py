"""What lies under the objects: ground, fields, water, roads, paved areas, houses, trees."""

import cv2
import numpy as np

from d2freq.data.scenes.canvas import (
    BLOCKED,
    GROUND,
    PAVED,
    ROAD,
    SUPERSAMPLE,
    WATER,
    Canvas,
    ellipse,
    place,
    rectangle,
)

# BGR pairs between which the texture swings.
PALETTES = {
    "grass": ((46, 82, 74), (74, 116, 112)),
    "dry": ((96, 128, 142), (124, 152, 170)),
    "urban": ((84, 96, 100), (122, 132, 136)),
    "sand": ((150, 184, 204), (176, 206, 222)),
    "gravel": ((112, 122, 128), (142, 150, 156)),
}
CROPS = [(52, 96, 84), (70, 122, 116), (96, 146, 158), (66, 92, 108), (104, 150, 176), (44, 74, 62)]
ROOFS = [
    (60, 74, 128),
    (70, 92, 148),
    (96, 96, 100),
    (140, 142, 146),
    (74, 80, 92),
    (112, 130, 150),
]
ASPHALT = (98, 98, 96)


def fractal(rng: np.random.Generator, side: int, coarse: int = 3, octaves: int = 5) -> np.ndarray:
    """Cloud-like noise (side, side) float32 of about zero mean and unit deviation."""
    total, weight, norm = np.zeros((side, side), np.float32), 1.0, 0.0
    for octave in range(octaves):
        cells = min(coarse * 2**octave, side)
        grid = rng.standard_normal((cells, cells)).astype(np.float32)
        total += weight * cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
        norm += weight**2
        weight *= 0.6
    return total / np.float32(np.sqrt(norm) * 0.8)


def _coordinates(canvas: Canvas, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Final-pixel coordinates along and across ``angle``, one value a canvas pixel."""
    axis = (np.arange(canvas.image.shape[0], dtype=np.float32) + 0.5) / SUPERSAMPLE
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return axis[None] * cos + axis[:, None] * sin, axis[:, None] * cos - axis[None] * sin


def lay_ground(canvas: Canvas, palette: str) -> None:
    """Cover everything with a texture: large patches, then the grain of grass or gravel."""
    low, high = (np.array(colour, np.float32) for colour in PALETTES[palette])
    side = 2 * canvas.size
    mix = 0.5 + 0.28 * fractal(canvas.rng, side, 3, 6)
    grain = 6 * canvas.rng.standard_normal((side, side), np.float32)
    texture = low + mix[..., None] * (high - low) + grain[..., None]
    cv2.resize(np.clip(texture, 0, 255).astype(np.uint8), canvas.owner.shape, dst=canvas.image)


def lay_fields(canvas: Canvas) -> None:
    """Strips and blocks of crops with furrows, parted by darker hedges."""
    rng = canvas.rng
    along, across = _coordinates(canvas, rng.uniform(0, np.pi))
    cuts = [np.cumsum(rng.uniform(0.22, 0.5, 12)) * canvas.size - canvas.size * 1.2 for _ in "uv"]
    column, row = np.searchsorted(cuts[0], along), np.searchsorted(cuts[1], across)
    cell = column * 13 + row
    colours = np.array(CROPS, np.float32)[rng.integers(len(CROPS), size=13 * 13)]
    colours += rng.normal(0, 6, (13 * 13, 1)).astype(np.float32)
    period = rng.uniform(2.5, 5.0, 13 * 13).astype(np.float32)
    depth = rng.uniform(0, 7, 13 * 13).astype(np.float32)
    sideways = rng.random(13 * 13) < 0.5
    position = np.where(sideways[cell], along, across)
    furrow = depth[cell] * np.sin(2 * np.pi * position / period[cell])
    uneven = 6 * fractal(rng, canvas.image.shape[0], 4, 5)
    field = colours[cell] + (furrow + uneven)[..., None]
    for edges, position in zip(cuts, (along, across), strict=True):
        index = np.clip(np.searchsorted(edges, position), 1, len(edges) - 1)
        gap = np.minimum(np.abs(position - edges[index]), np.abs(position - edges[index - 1]))
        field *= np.where(gap < 0.9, 0.72, 1.0)[..., None].astype(np.float32)
    canvas.image[:] = np.clip(0.8 * field + 0.2 * canvas.image, 0, 255).astype(np.uint8)


def lay_water(canvas: Canvas, share: float, *, river: bool = False) -> None:
    """A coast (``share`` of the picture is water) or a river across it, with a pale shore."""
    rng = canvas.rng
    _, across = _coordinates(canvas, rng.uniform(0, 2 * np.pi))
    rough = fractal(rng, canvas.image.shape[0], 2, 5) * canvas.size * 0.045
    if river:
        distance = np.abs(across - np.median(across) + rough) - share * canvas.size / 2
    else:
        distance = across + rough
        distance = distance - np.quantile(distance[::16, ::16], share)
    water = distance < 0
    shore = (distance >= 0) & (distance < rng.uniform(2, 7))
    deep = np.array(
        ((92, 72, 40), (84, 86, 52), (110, 92, 54), (66, 60, 42))[rng.integers(4)], np.float32
    )
    along, slope = _coordinates(canvas, rng.uniform(0, np.pi))
    phase = 2 * np.pi * slope / rng.uniform(3.0, 6.0) + 1.5 * fractal(rng, len(along), 8, 3)
    ripple = 3.0 * np.sin(phase) + 5.0 * fractal(rng, len(along), 6, 6)
    shallow = np.clip(1 + distance / 14, 0, 1) * 26
    surface = deep + (ripple + shallow)[..., None]
    sand = np.array((150, 176, 190), np.float32) + 6 * ripple[..., None] / 5
    canvas.image[water] = np.clip(surface[water], 0, 255).astype(np.uint8)
    canvas.image[shore] = np.clip(sand[shore], 0, 255).astype(np.uint8)
    canvas.zone[water] = WATER


def lay_road(canvas: Canvas, start, stop, width: float, *, bend: float = 0.0) -> list[tuple]:
    """Asphalt from ``start`` to ``stop``; returns lane posts (x, y, angle) every three pixels."""
    start, stop = np.asarray(start, float), np.asarray(stop, float)
    run = stop - start
    normal = np.array([-run[1], run[0]]) / np.linalg.norm(run)
    t = np.linspace(0, 1, max(int(np.linalg.norm(run) / 3), 8))
    middle = start + t[:, None] * run + (bend * np.sin(np.pi * t))[:, None] * normal
    tangent = np.gradient(middle, axis=0)
    angle = np.arctan2(tangent[:, 1], tangent[:, 0])
    across = np.stack([-np.sin(angle), np.cos(angle)], 1)

    def ribbon(offset: float, breadth: float) -> np.ndarray:
        one, two = offset - breadth / 2, offset + breadth / 2
        return np.concatenate([middle + one * across, (middle + two * across)[::-1]])

    tint = np.array(ASPHALT, np.float32) + canvas.rng.normal(0, 9)
    canvas.paint(ribbon(0, width + 3.5), tint + 38, grain=6)
    canvas.paint(ribbon(0, width), tint, grain=4)
    for offset in (-0.25, 0.25):  # worn wheel tracks
        canvas.paint(ribbon(offset * width, 0.16 * width), tint - 8, grain=4, opacity=0.5)
    canvas.mark(ribbon(0, width), ROAD)
    for first in range(0, len(middle) - 1, 2):
        dash = np.stack([middle[first] - 0.3 * across[first], middle[first] + 0.3 * across[first]])
        dash = np.concatenate([dash, dash[::-1] + (middle[first + 1] - middle[first])])
        canvas.paint(dash, tint + 96, opacity=0.8)
    posts = []
    for side in (-1, 1):
        lane = middle + side * 0.25 * width * across
        heading = angle + (np.pi if side < 0 else 0.0)
        posts += [(x, y, a) for (x, y), a in zip(lane, heading, strict=True)]
    return posts


def lay_paved(canvas: Canvas, centre, length: float, width: float, angle: float, colour) -> None:
    """A slab of concrete or asphalt with joints."""
    corners = rectangle(centre, length, width, angle)
    canvas.paint(corners, colour, grain=4)
    canvas.mark(corners, PAVED)
    for shift in np.arange(-length / 2, length / 2, canvas.rng.uniform(9, 15)):
        joint = place(np.array([[shift, 0.0]]), centre, angle)[0]
        canvas.paint(rectangle(joint, 0.5, width, angle), np.asarray(colour) - 16, opacity=0.6)


def build_house(canvas: Canvas, centre, length: float, width: float, angle: float) -> bool:
    """A building with its shadow and a ridge or flat roof, where the ground is free."""
    rng = canvas.rng
    corners = rectangle(centre, length, width, angle)
    if not canvas.is_free(rectangle(centre, length + 4, width + 4, angle), (GROUND,)):
        return False
    canvas.shadow(corners, rng.uniform(4, 11), 0.45)
    roof = np.array(ROOFS[rng.integers(len(ROOFS))], np.float32) + rng.normal(0, 8)
    canvas.paint(corners, roof, grain=5)
    if rng.random() < 0.6:  # ridge roof: the side away from the sun is darker
        half = place(np.array([[0.0, width / 4]]), centre, angle)[0]
        darker = 0.78 if (half - centre) @ canvas.sun > 0 else 1.14
        canvas.paint(rectangle(half, length, width / 2, angle), roof * darker, grain=5)
    else:
        canvas.paint(rectangle(centre, length - 2, width - 2, angle), roof * 1.08, grain=5)
        for _ in range(rng.integers(0, 4)):
            spot = place(rng.uniform(-0.35, 0.35, (1, 2)) * [length, width], centre, angle)[0]
            canvas.shadow(rectangle(spot, 2.4, 2, angle), 1.5, 0.6)
            canvas.paint(rectangle(spot, 2.4, 2, angle), roof * 1.2)
    canvas.mark(rectangle(centre, length + 3, width + 3, angle), BLOCKED)
    return True


def crown(canvas: Canvas, centre, diameter: float) -> np.ndarray:
    """Ragged outline of a tree's crown."""
    wobble = 1 + 0.16 * canvas.rng.standard_normal(14)
    return ellipse(centre, diameter, diameter, wobble=np.clip(wobble, 0.6, 1.4))


def plant_tree(canvas: Canvas, outline: np.ndarray) -> None:
    """A crown of leaves: a shadow, a dark body and brighter tufts on the sunny side."""
    rng = canvas.rng
    centre, diameter = outline.mean(0), np.ptp(outline, axis=0).mean()
    green = np.array([34, 66, 52], np.float32) * rng.uniform(0.75, 1.25)
    canvas.shade(outline + 0.45 * diameter * canvas.sun, 0.55)
    canvas.paint(outline, green, grain=8)
    for _ in range(int(3 + diameter)):
        tuft = centre + rng.normal(0, 0.22, 2) * diameter - 0.12 * diameter * canvas.sun
        canvas.paint(
            crown(canvas, tuft, diameter * rng.uniform(0.12, 0.28)),
            green * rng.uniform(1.1, 1.6),
            grain=8,
            opacity=0.7,
        )
