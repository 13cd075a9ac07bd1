"""A colour for each class, the same in pictures and in the report."""

import colorsys

__all__ = ["colour_of", "luminance"]

TURN, START = 137.508, 205.0  # degrees: the golden angle keeps neighbours apart
LIGHT, STEP, SATURATION = 0.62, 0.02, 0.9  # of HLS: where it starts, what it rises by
LUMINANCE = 0.35  # at least, of 1, so that letters of the colour are read on a dark ground


def colour_of(kind: int) -> tuple[int, int, int]:
    """Bright RGB, 0 to 255, of a class that is numbered from 0."""
    hue, light = (kind * TURN + START) % 360 / 360, LIGHT
    while luminance(*colorsys.hls_to_rgb(hue, light, SATURATION)) < LUMINANCE:
        light += STEP  # blue and purple are darker to the eye than others of their lightness
    red, green, blue = colorsys.hls_to_rgb(hue, light, SATURATION)
    return round(red * 255), round(green * 255), round(blue * 255)


def luminance(red: float, green: float, blue: float) -> float:
    """Relative luminance of a colour of sRGB, each channel 0 to 1, as WCAG 2.1 defines it."""
    channels = (red, green, blue)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
