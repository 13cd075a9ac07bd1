"""The optics of an unmixing model by axes, as a module that goes with it from device to device.

Shapes: m pixels a side, g grid cells a side; (...) any leading dimensions. Everything is float32
also inside autocast: frames and what a grid would show nearly cancel.
"""

import torch
from torch import Tensor, nn

from d2freq.ops.psf import sampling_factor
from d2freq.ops.separable import measure, modes, nearest_consistent, spread

__all__ = ["Optics"]


class Optics(nn.Module):
    """Phi, Phi^T and the exact data step of d2freq.ops.separable; nothing is trained or saved.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.unmixing.optics import Optics
        >>> optics = Optics(size=11, factor=3, sigma=0.5)
        >>> tuple(optics.measure(torch.zeros(2, 1, 33, 33)).shape), round(float(optics.norm), 3)
        ((2, 1, 11, 11), 8.587)
    """

    axis: Tensor
    values: Tensor
    vectors: Tensor
    norm: Tensor

    def __init__(self, size: int, factor: int, sigma: float) -> None:
        """Set up the factors; arguments as of :class:`UnmixingModel`."""
        super().__init__()
        axis = sampling_factor(size, factor, sigma)
        values, vectors = modes(axis)
        for name, value in {
            "axis": axis,
            "values": values,
            "vectors": vectors,
            "norm": values[-1].square(),  # |Phi|^2, the largest eigenvalue of Phi Phi^T
        }.items():
            self.register_buffer(name, value.float(), persistent=False)

    def measure(self, grids: Tensor) -> Tensor:
        """Phi x: (..., g, g) -> (..., m, m) float32."""
        with torch.autocast(grids.device.type, enabled=False):
            return measure(grids.float(), self.axis)

    def spread(self, frames: Tensor) -> Tensor:
        """Phi^T y: (..., m, m) -> (..., g, g) float32."""
        with torch.autocast(frames.device.type, enabled=False):
            return spread(frames.float(), self.axis)

    def descend(self, grids: Tensor, frames: Tensor, step: Tensor | float) -> Tensor:
        """A step down, x - step * Phi^T (Phi x - y): (..., g, g), (..., m, m) -> (..., g, g)."""
        return grids.float() + step * self.spread(frames - self.measure(grids))

    def nearest(self, grids: Tensor, frames: Tensor, weight: Tensor | float) -> Tensor:
        """The minimum of ``|y - Phi x|^2 + weight * |x - z|^2``, (..., g, g) float32.

        Args:
            grids: (..., g, g), z.
            frames: (..., m, m), y.
            weight: above 0; a tensor has to broadcast against ``frames``.
        """
        with torch.autocast(grids.device.type, enabled=False):
            return nearest_consistent(
                grids.float(), frames.float(), self.axis, self.values, self.vectors, weight
            )
