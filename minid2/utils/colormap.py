"""Colours that are easy to tell apart."""

import colorsys

import numpy as np

__all__ = ["colormap", "random_color", "random_colors"]

_GOLDEN = 0.618034  # steps of the golden ratio around the circle of hues never come close
_TONES = ((0.95, 1.0), (0.6, 1.0), (0.95, 0.7))  # saturation and value, in turn
_PALETTE = np.array(
    [colorsys.hsv_to_rgb(i * _GOLDEN % 1.0, *_TONES[i % 3]) for i in range(60)], dtype=np.float32
)


def colormap(rgb: bool = False, maximum: float = 255) -> np.ndarray:
    """The palette.

    Args:
        rgb: order of the channels; False is BGR.
        maximum: 255 or 1.

    Returns:
        (N, 3) float32 in [0, maximum].
    """
    assert maximum in (255, 1), f"maximum is 255 or 1, got {maximum}"
    return (_PALETTE if rgb else _PALETTE[:, ::-1]) * np.float32(maximum)


def random_color(rgb: bool = False, maximum: float = 255) -> np.ndarray:
    """One colour of the palette, (3,); arguments as for :func:`colormap`."""
    return random_colors(1, rgb, maximum)[0]


def random_colors(N: int, rgb: bool = False, maximum: float = 255) -> list[np.ndarray]:
    """N colours of the palette, different ones as long as they last."""
    palette = colormap(rgb, maximum)
    # An unseeded generator: drawing pictures must not move the one that augments data.
    order = np.random.default_rng().permutation(len(palette))
    return [palette[order[i % len(order)]] for i in range(N)]
