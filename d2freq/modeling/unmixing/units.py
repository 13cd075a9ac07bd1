"""Frames must be in grey levels: what else they could be is told, since nothing fails.

Frames scaled to 0..1 stay below every threshold, so that no target is found; frames of 16 bits are
explained by hundreds of them.
"""

import warnings

from torch import Tensor

__all__ = ["warn_of_units"]

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
