"""From a grid to points: sub-pixel positions and intensities fitted to the frames."""

from d2freq.modeling.unmixing.decoding.decode import decode

__all__ = ["decode"]
