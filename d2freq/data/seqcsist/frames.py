"""From targets to frames: optics, background, the limits of eight bits, and noise.

Shape shorthand: T frames of m x m pixels, K targets; intensities in grey levels, never normalised.
"""

import numpy as np
import torch
from torch import Tensor

from d2freq.ops.psf import render

WHITE = 255  # the largest number of eight bits


def observe(
    positions: np.ndarray,
    intensities: np.ndarray,
    *,
    size: int = 11,
    sigma: float = 0.5,
    background: np.ndarray | None = None,
) -> np.ndarray:
    """(T, m, m) float32 frames of (T, K, 2) targets, rendered in float64, without noise.

    Args:
        positions: (T, K, 2) in pixels, (row, column).
        intensities: (T, K) in grey levels.
        background: (T, m, m) grey levels that are added.
    """
    frames = render(
        torch.from_numpy(positions), torch.from_numpy(intensities), size=size, sigma=sigma
    ).numpy()
    return (frames if background is None else frames + background).astype(np.float32)


def saturated(frames: np.ndarray) -> np.ndarray:
    """How many pixels of each frame do not fit eight bits. (..., m, m) -> (...) int64."""
    return (np.round(frames) > WHITE).sum((-2, -1))


def quantize(frames: np.ndarray) -> np.ndarray:
    """Frames as a camera of eight bits writes them: rounded, then cut to [0, 255]; uint8."""
    return np.clip(np.round(frames), 0, WHITE).astype(np.uint8)


def add_noise(frames: Tensor, sigma: float, generator: torch.Generator | None = None) -> Tensor:
    """Gaussian noise of mean 0 on every pixel (DeRefNet, Table 5: sigma of 2 to 5 grey levels).

    Args:
        frames: floating, of any shape.
        sigma: standard deviation in grey levels; 0 returns ``frames``.
        generator: where the numbers come from; torch's own without it.
    """
    if sigma == 0:
        return frames
    noise = torch.randn(frames.shape, generator=generator, dtype=frames.dtype)
    return frames + sigma * noise
