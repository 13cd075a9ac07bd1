"""Colours that are easy to tell apart."""

import colorsys

import numpy as np

_GOLDEN = 0.618034  # steps of the golden ratio around the circle of hues never come close
_TONES = ((0.95, 1.0), (0.6, 1.0), (0.95, 0.7))  # saturation and value, in turn
_PALETTE = np.array(
    [colorsys.hsv_to_rgb(i * _GOLDEN % 1.0, *_TONES[i % 3]) for i in range(60)], dtype=np.float32
)


def colormap(rgb: bool = False, maximum: float = 255) -> np.ndarray:
    """The palette, (N, 3) float32 in [0, maximum]; RGB or BGR."""
    return (_PALETTE if rgb else _PALETTE[:, ::-1]) * np.float32(maximum)
