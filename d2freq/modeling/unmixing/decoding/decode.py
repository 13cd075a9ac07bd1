"""From a grid to sub-pixel targets: a start from its peaks, then a search over their number.

Shape shorthand: F frames, m pixels a side, g grid cells a side, K slots for targets.

1. Cells that reach the threshold and are no darker than their four neighbours start a target each.
   (Diagonal neighbours are no rivals: targets at 0.3 px up and left lie on diagonal cells.)
2. Their positions and intensities are fitted to the frame, with a plane as background:
   d2freq.modeling.unmixing.decoding.levenberg_marquardt.
3. Other numbers are tried: the target that the residual pulls apart is split, one is added where
   the residual is brightest, the two closest are merged, the weakest is dropped. What lowers the
   Bayesian information criterion is kept, until nothing does. The criterion has the noise as an
   unknown, so that a split needs a strong reason in a noisy frame and a weak one in a clean frame.

All frames, and all that is tried for them, are one batch; no loop runs over frames or targets.

The frame is explained whatever the grid says. Without noise every target comes out from any grid,
an empty one too, so that sub-pixel figures of clean frames tell the decoder and not the method.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from d2freq.errors import UserError
from d2freq.modeling.unmixing.decoding.confidence import single_frame_covariances
from d2freq.modeling.unmixing.decoding.hypotheses import Trials, grown, shrunk
from d2freq.modeling.unmixing.decoding.levenberg_marquardt import (
    SETTLED,
    criterion,
    fit,
    residuals,
)
from d2freq.modeling.unmixing.decoding.search import STEPS, search
from d2freq.modeling.unmixing.decoding.state import Fit, Prior
from d2freq.modeling.unmixing.decoding.targets import Targets
from d2freq.modeling.unmixing.units import warn_of_units
from d2freq.ops.psf import grid_to_pixel

__all__ = ["decode", "decode_targets"]

BRIGHTNESS = (220.0, 250.0)  # grey levels, even in between (DeRefNet, Sec. 3)
MOST = 8  # targets of a frame to begin with
# standard deviation of a target about the grid's peak
REACH = 0.15  # pixels; even over a cell of a third is 0.1, and a network's cell may be the next
FLOOR = 1e-3  # grey levels: float32 rounds 400 to 3e-5, which leaves room for unfinished fits


def decode(
    grid: Tensor,
    frames: Tensor,
    *,
    sigma: float = 0.5,
    factor: int = 3,
    threshold: float = 70.0,
    brightness: Sequence[float] = BRIGHTNESS,
    saturation: float | None = 255.0,
) -> list[Tensor]:
    """Sub-pixel targets of each frame, see :func:`decode_targets`.

    Returns:
        F tensors (n, 3) float32: row, column, intensity, the brightest first.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.unmixing.decoding.decode import decode
        >>> from d2freq.ops.psf import render
        >>> frame = render(torch.tensor([[5.1, 4.8]]), torch.tensor([240.0]))
        >>> grid = torch.zeros(1, 33, 33)
        >>> grid[0, 16, 15] = 240  # the cell nearest to that target
        >>> targets = decode(grid, frame[None])[0]
        >>> [round(value, 2) for value in targets[0].tolist()]
        [5.1, 4.8, 240.0]
    """
    found = decode_targets(
        grid,
        frames,
        sigma=sigma,
        factor=factor,
        threshold=threshold,
        brightness=brightness,
        saturation=saturation,
    )
    return [targets.points for targets in found]


@torch.no_grad()
def decode_targets(
    grid: Tensor,
    frames: Tensor,
    *,
    sigma: float = 0.5,
    factor: int = 3,
    threshold: float = 70.0,
    brightness: Sequence[float] = BRIGHTNESS,
    saturation: float | None = 255.0,
) -> list[Targets]:
    """Sub-pixel targets of each frame, and how sure they are.

    Args:
        grid: (F, g, g), any model's output in grey levels.
        frames: (F, m, m), the frames that it was made from, in grey levels; a warning tells where
            they are scaled to 0..1, or of 16 bits.
        sigma: standard deviation of the spot in pixels.
        factor: grid cells per pixel and axis, g = factor m.
        threshold: grey levels that a cell must have to start a target, and a target to be kept.
        brightness: least and largest intensity of a target; () where unknown. Then close targets
            can be told apart in clean frames alone. With a wrong range noise makes even their
            number come out wrong.
        saturation: pixels of exactly this value may be any brighter one, as uint8 frames have
            them; None where the sensor does not saturate.

    Returns:
        of each frame, the brightest target first.

    Raises:
        UserError: shapes that do not fit, or a frame or a grid that is not finite.
    """
    size = frames.shape[-1]
    if frames.dim() != 3 or grid.shape != (len(frames), factor * size, factor * size):
        raise UserError(
            f"grid {tuple(grid.shape)} does not fit frames {tuple(frames.shape)}: expected "
            f"(F, {factor} m, {factor} m) and (F, m, m)"
        )
    if not (torch.isfinite(grid).all() and torch.isfinite(frames).all()):
        raise UserError("grid or frames have NaN or infinite values: the model diverged")
    warn_of_units(frames, threshold=threshold)
    prior = Prior(sigma, normal_of(brightness), REACH, FLOOR, saturation)
    pixels = frames.detach().double()
    fits = fit_frames(grid.detach().double(), pixels, prior, factor=factor, threshold=threshold)
    covariances = single_frame_covariances(pixels, fits, prior)
    return targets_of(fits, covariances, threshold)


def fit_frames(grid: Tensor, pixels: Tensor, prior: Prior, *, factor: int, threshold: float) -> Fit:
    """Fits of F frames (F, m, m) from the peaks of grids (F, g, g), all float64."""
    start = _peaks(grid, factor, threshold, MOST)
    fits = fit(pixels, start, prior, steps=STEPS)
    return search(_Frames(pixels, prior), fits, settled=SETTLED)


def targets_of(fits: Fit, covariances: Tensor, threshold: float) -> list[Targets]:
    """What is reported of F fits and (F, K, 2, 2): the active ones that reach the threshold."""
    keep = fits.active & (fits.intensities >= threshold)
    points = torch.cat([fits.positions, fits.intensities[..., None]], 2).float()
    order = torch.where(keep, fits.intensities, -1).argsort(1, descending=True)
    frame = torch.arange(len(points), device=points.device)[:, None]
    points, covariances = points[frame, order], covariances.float()[frame, order]
    return [
        Targets(own[:number], spread[:number])
        for own, spread, number in zip(points, covariances, keep.sum(1).tolist(), strict=True)
    ]


@dataclass(frozen=True)
class _Frames:
    """Frames (F, m, m), each with a fit of its own: the problem that :func:`search` solves."""

    frames: Tensor
    prior: Prior

    @property
    def pixels(self) -> int:
        return self.frames[0].numel() if len(self.frames) else 1

    @property
    def floor(self) -> float:
        return self.prior.floor

    def fit(self, which: Tensor, start: Fit, *, steps: int, settled: float) -> Fit:
        return fit(self.frames[which], start, self.prior, steps=steps, settled=settled)

    def criterion(self, fits: Fit) -> Tensor:
        return criterion(fits, self.pixels)

    def trials(self, which: Tensor, fits: Fit, where: Tensor) -> list[Trials[Fit]]:
        left = residuals(self.frames[which], fits, self.prior)
        return [grown(fits, left[:, None], self.prior.sigma, where=where), shrunk(fits)]


def normal_of(brightness: Sequence[float]) -> tuple[float, float] | None:
    """Mean and standard deviation of an even spread; of a single value at least a tenth."""
    if not brightness:
        return None
    low, high = brightness
    return (low + high) / 2, max((high - low) / math.sqrt(12), 0.1)


def _peaks(grid: Tensor, factor: int, threshold: float, slots: int) -> Fit:
    """The brightest peaks as anchored targets; (F, slots)."""
    padded = F.pad(grid, (1, 1, 1, 1), value=-torch.inf)
    rivals = [padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]]
    highest = (grid >= torch.stack(rivals).amax(0)) & (grid >= threshold)
    values = torch.where(highest, grid, -torch.inf).flatten(1)
    values, cells = values.topk(min(slots, values.shape[1]), dim=1)
    side = grid.shape[-1]
    index = torch.stack([cells // side, cells % side], 2).to(grid)
    active = values > -torch.inf
    places = grid_to_pixel(index, factor)
    return Fit(
        positions=places,
        intensities=torch.where(active, values, 0),
        active=active,
        anchors=places,
        anchored=active,
        objective=grid.new_full((len(grid),), torch.inf),
    )
