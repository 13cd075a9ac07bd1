"""Alignment by the shift between two frames, measured on the frames themselves.

Table 3's row "optical flow" is unpublished. All targets of a trajectory move together, by some
hundredths of a pixel a frame, so that the flow between two frames is one vector. It is found by
Gauss-Newton steps on what the optics' transpose makes of both frames, which is smooth and finer
than a pixel; nothing is learned. What deformable alignment adds shows beside this.

Shape shorthand: B trajectories, T frames, N neighbours on either side, F = T - 2N centre frames,
M = B*F*2N pairs as in alignment.py, C channels, m x m pixels, g x g grid.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2freq.modeling.derefnet.alignment import neighbour_pairs
from d2freq.modeling.unmixing.blocks import relu_conv3x3
from d2freq.ops.dct import working_dtype

__all__ = ["TranslationAlignment", "shift_between", "shifted"]

STEPS = 4
FARTHEST = 3.0  # cells: targets move by less, so that a larger shift is noise


def shifted(maps: Tensor, shifts: Tensor) -> Tensor:
    """The maps read at every cell's place plus a shift; 0 outside.

    Args:
        maps: (M, C, g, g).
        shifts: (M, 2), rows and columns, in cells.

    Returns:
        (M, C, g, g).
    """
    side = maps.shape[-1]
    cells = torch.arange(side, dtype=maps.dtype, device=maps.device)
    rows = (cells + shifts[:, :1])[:, :, None].expand(-1, side, side)
    columns = (cells + shifts[:, 1:])[:, None].expand(-1, side, side)
    # grid_sample speaks of (column, row), and of -1 to 1 from the first cell's centre to the last's
    where = torch.stack([columns, rows], dim=-1) * (2 / (side - 1)) - 1
    return F.grid_sample(maps, where, padding_mode="zeros", align_corners=True)


@torch.no_grad()
def shift_between(centres: Tensor, others: Tensor) -> Tensor:
    """By how many cells the second image of each pair lies from the first.

    Args:
        centres, others: (M, 1, g, g), smooth images of the same targets.

    Returns:
        (M, 2): rows and columns, so that ``shifted(others, shift)`` is like ``centres``.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.derefnet.translation import shift_between
        >>> from d2freq.ops.psf import render
        >>> places = torch.tensor([[[14.0, 15.0]], [[14.5, 14.8]]])
        >>> image = render(places, torch.full((2, 1), 200.0), size=30, sigma=2.0)[:, None]
        >>> found = shift_between(image[:1], image[1:])
        >>> [round(float(value), 2) for value in found[0]]
        [0.5, -0.2]
    """
    found = centres.new_zeros(len(centres), 2)
    spectrum = torch.fft.fft2(others.to(working_dtype(others)))
    for _ in range(STEPS):
        moved = _read_between(spectrum, found).to(others.dtype)
        down = (moved[:, 0].roll(-1, 1) - moved[:, 0].roll(1, 1)) / 2
        right = (moved[:, 0].roll(-1, 2) - moved[:, 0].roll(1, 2)) / 2
        slopes = torch.stack([down, right], dim=1)[..., 1:-1, 1:-1].flatten(2)
        missing = (centres - moved)[..., 1:-1, 1:-1].flatten(2)
        normal = slopes @ slopes.mT
        # an empty frame has no slopes, and stays where it is
        normal = normal + 1e-6 * torch.eye(2, dtype=normal.dtype, device=normal.device)
        step = torch.linalg.solve(normal, slopes @ missing.mT)
        found = (found + step[..., 0]).clamp(-FARTHEST, FARTHEST)
    return found


def _read_between(spectrum: Tensor, shifts: Tensor) -> Tensor:
    """Images (M, 1, g, g) of these Fourier coefficients, read at every cell's place plus a shift.

    torch's bicubic interpolation takes 0.16 cells for 0.2; this is exact where the spot is smooth.
    """
    waves = torch.fft.fftfreq(spectrum.shape[-1], dtype=shifts.dtype, device=shifts.device)
    rows, columns = (2 * torch.pi * waves * shifts[:, axis, None] for axis in (0, 1))
    angle = (rows[:, :, None] + columns[:, None])[:, None].to(spectrum.real.dtype)
    return torch.fft.ifft2(spectrum * torch.polar(torch.ones_like(angle), angle)).real


class TranslationAlignment(nn.Module):
    """Brings every neighbour of every centre frame to that centre by one shift each.

    609 parameters at 32 channels: a convolution into the features and one out of them, as in
    :class:`TemporalAlignment`; the shift itself has none.
    """

    def __init__(self, channels: int = 32, *, neighbours: int = 2) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.features = relu_conv3x3(1, channels)
        self.project = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, encoded: Tensor, images: Tensor) -> Tensor:
        """Aligned maps H'' of the neighbours.

        Args:
            encoded: (B, T, 1, g, g), H' of every frame.
            images: (B, T, 1, g, g), what shifts are measured on: Phi^T y of every frame.

        Returns:
            (B, F, 2N, g, g), in temporal order.
        """
        batch, count = encoded.shape[:2]
        with torch.autocast(encoded.device.type, enabled=False):
            shifts = shift_between(
                *neighbour_pairs(images.float(), images.float(), self.neighbours)
            )
        features = torch.relu(self.features(encoded.flatten(0, 1))).unflatten(0, (batch, count))
        _, others = neighbour_pairs(features[:, :, :0], features, self.neighbours)
        aligned = self.project(shifted(others, shifts.to(others.dtype)))
        centres, around = count - 2 * self.neighbours, 2 * self.neighbours
        return aligned.reshape(batch, centres, around, *encoded.shape[-2:])
