"""A colour for each class, the same in pictures and in the report."""

import colorsys

__all__ = ["colour_of"]

TURN, START = 137.508, 205.0  # degrees: the golden angle keeps neighbours apart


def colour_of(kind: int) -> tuple[int, int, int]:
    """Bright RGB, 0 to 255, of a class that is numbered from 0."""
    hue = (kind * TURN + START) % 360 / 360
    red, green, blue = colorsys.hls_to_rgb(hue, 0.62, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)
