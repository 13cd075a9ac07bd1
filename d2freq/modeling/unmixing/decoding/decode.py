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

import torch
from torch import Tensor
from torch.nn import functional as F

from d2freq.errors import UserError
from d2freq.modeling.unmixing.decoding.hypotheses import grown, shrunk
from d2freq.modeling.unmixing.decoding.levenberg_marquardt import criterion, fit, residuals
from d2freq.modeling.unmixing.decoding.state import Fit, Prior
from d2freq.modeling.unmixing.units import warn_of_units
from d2freq.ops.psf import grid_to_pixel

__all__ = ["decode"]

BRIGHTNESS = (220.0, 250.0)  # grey levels, even in between (DeRefNet, Sec. 3)
MOST = 8  # targets of a frame to begin with
# standard deviation of a target about the grid's peak
REACH = 0.15  # pixels; even over a cell of a third is 0.1, and a network's cell may be the next
FLOOR = 1e-3  # grey levels: float32 rounds 400 to 3e-5, which leaves room for unfinished fits
STEPS, TRIAL_STEPS = 60, 15
HOPELESS = 50.0  # what a trial may be worse after its steps and still be finished


@torch.no_grad()
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
    """Sub-pixel targets of each frame.

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
        F tensors (n, 3) float32: row, column, intensity, the brightest first.

    Raises:
        UserError: shapes that do not fit, or a frame or a grid that is not finite.

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
    size = frames.shape[-1]
    if frames.dim() != 3 or grid.shape != (len(frames), factor * size, factor * size):
        raise UserError(
            f"grid {tuple(grid.shape)} does not fit frames {tuple(frames.shape)}: expected "
            f"(F, {factor} m, {factor} m) and (F, m, m)"
        )
    if not (torch.isfinite(grid).all() and torch.isfinite(frames).all()):
        raise UserError("grid or frames have NaN or infinite values: the model diverged")
    warn_of_units(frames, threshold=threshold)
    prior = Prior(sigma, _normal(brightness), REACH, FLOOR, saturation)
    pixels = frames.detach().double()
    start = _peaks(grid.detach().double(), factor, threshold, MOST)
    fits = _search(pixels, fit(pixels, start, prior, steps=STEPS), prior)
    keep = fits.active & (fits.intensities >= threshold)
    points = torch.cat([fits.positions, fits.intensities[..., None]], 2).float()
    order = torch.where(keep, fits.intensities, -1).argsort(1, descending=True)
    points = points.gather(1, order[..., None].expand(-1, -1, 3))
    numbers = keep.sum(1).tolist()
    return [own[:number] for own, number in zip(points, numbers, strict=True)]


def _normal(brightness: Sequence[float]) -> tuple[float, float] | None:
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


def _search(frames: Tensor, fits: Fit, prior: Prior) -> Fit:
    """Try neighbouring numbers of targets until no frame's criterion falls."""
    pixels = frames[0].numel() if len(frames) else 1
    busy = torch.arange(len(frames), device=frames.device)
    for _ in range(2 * fits.active.shape[1]):
        if not len(busy):
            break
        own, images = fits[busy], frames[busy]
        left = residuals(images, own, prior)
        # a clean frame that is explained down to rounding cannot pay for another target
        open_ = own.objective > pixels * 2 * math.log(prior.floor) + 3 * math.log(pixels)
        trials = [grown(own, left, prior, where=open_), shrunk(own)]
        owner = torch.cat([trial.owner for trial in trials])
        tried = Fit.cat([trial.start for trial in trials])
        if not len(owner):
            break
        tried = fit(images[owner], tried, prior, steps=TRIAL_STEPS, settled=0.01)
        value = criterion(tried, pixels)
        best = _best(value, owner)
        best = best[value[best] < criterion(own, pixels)[owner[best]] + HOPELESS]
        owner, tried = owner[best], tried[best]
        tried = fit(images[owner], tried, prior, steps=STEPS)
        better = criterion(tried, pixels) < criterion(own, pixels)[owner] - 1e-6
        busy = busy[owner[better]]
        fits = fits.put(busy, tried[better])
    return fits


def _best(values: Tensor, owner: Tensor) -> Tensor:
    """Indices of the lowest value of each owner."""
    order = values.argsort(dim=0, stable=True)
    order = order[owner[order].argsort(dim=0, stable=True)]
    sorted_owner = owner[order]
    first = torch.ones_like(sorted_owner, dtype=torch.bool)
    first[1:] = sorted_owner[1:] != sorted_owner[:-1]
    return order[first]
