"""Frames must be in grey levels: what else they could be is told, since nothing fails.

Frames scaled to 0..1 stay below every threshold, so that no target is found; frames of 16 bits are
explained by hundreds of them.
"""

import warnings

from torch import Tensor

__all__ = ["INTENSITY", "noise_level", "warn_of_units"]

INTENSITY = 235.0  # grey levels of a target, the middle of SeqCSIST's 220 to 250

SCALED = 1.0  # the brightest of frames divided by 255, or by their maximum
DEEP = 4096.0  # ten times what targets that share a pixel reach


def warn_of_units(frames: Tensor, *, threshold: float, stacklevel: int = 3) -> None:
    """Warn, once for each place that calls, where frames cannot be in grey levels.

    Args:
        frames: any shape; without a number above 0 there is nothing to tell.
        threshold: grey levels from which on a target counts; at 1 and below it may be that
            everything is scaled, and nothing is said.
        stacklevel: which caller the warning names, as of warnings.warn.
    """
    brightest = float(frames.max()) if frames.numel() else 0.0
    if 0 < brightest <= SCALED < threshold:
        warnings.warn(
            "frames reach 1 at most: they are scaled to 0..1, where grey levels of 0 to 255 are "
            f"expected; nothing reaches the threshold of {threshold:g} (MODEL.UNMIXING.THRESHOLD), "
            "so that no target is found. Multiply them by 255",
            stacklevel=stacklevel,
        )
    elif brightest > DEEP:
        warnings.warn(
            f"frames reach more than {DEEP:g}: they have more than 8 bits, where grey levels of 0 "
            "to 255 are expected. Scale them, so that a target is as bright as "
            "MODEL.UNMIXING.BRIGHTNESS says",
            stacklevel=stacklevel,
        )


def noise_level(frames: Tensor) -> Tensor:
    """Standard deviation of a frame's noise, by the median distance from its median pixel.

    Targets light some 20 of 121 pixels, which hardly moves a median. A smooth background, or many
    targets, count as noise.

    Args:
        frames: (N, 1, m, m).

    Returns:
        (N, 1, 1, 1) in the units and dtype of ``frames``.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.unmixing.units import noise_level
        >>> draw = torch.Generator().manual_seed(0)
        >>> 2.6 < float(noise_level(3 * torch.randn(1, 1, 11, 11, generator=draw))) < 3.4
        True
    """
    flat = frames.flatten(1)
    distance = (flat - flat.median(dim=1, keepdim=True).values).abs()
    # of a normal distribution half lies within 0.6745 standard deviations
    return distance.median(dim=1).values[:, None, None, None] / 0.6745
