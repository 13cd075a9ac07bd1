"""Other numbers of targets that are worth a try: one more, or one less.

Shape shorthand: N fits, W frames of each (1 for a fit of one frame), K slots for targets, M trials
in all.
"""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch
from torch import Tensor

from d2freq.modeling.unmixing.decoding.state import Fit
from d2freq.ops.psf import grid_to_pixel, pixel_response, sampling_factor

__all__ = ["Trials", "grown", "shrunk"]

APART = 0.25  # pixels that the halves of a split target start from where it stood
PROBE = 0.05  # pixels of the finite difference that measures the pull of a residual
RESOLUTION = 3  # places a pixel and axis where a new target may start

Own = TypeVar("Own", bound=Fit)


@dataclass(frozen=True)
class Trials(Generic[Own]):
    """Starts ``start`` of M fits; ``owner`` (M,) int64 says which of the N they would replace."""

    owner: Tensor
    start: Own


def grown(
    fits: Own, left: Tensor, sigma: float, *, where: Tensor, path: Tensor | None = None
) -> Trials[Own]:
    """Each target split, and one added, in those fits (N,) bool that have a slot free.

    A target is split along the direction in which the residual pulls it apart most: moving its
    halves by +-d changes the model by a d^2/2 times its second derivative, so the direction is the
    first eigenvector of the residual's product with the second derivatives.

    Args:
        left: (N, W, m, m), the residual.
        sigma: standard deviation of the spot in pixels.
        where: (N,) bool.
        path: (N, W, 2), where a target of each frame is, less the fit's position; None for 0.
    """
    free = ~fits.active
    room = free.any(1) & where
    slot = free.int().argmax(1)
    owner, target = (fits.active & room[:, None]).nonzero(as_tuple=True)
    split = fits[owner]
    row = torch.arange(len(owner), device=owner.device)
    place = split.positions[row, target]
    shift = left.new_zeros(1, 1, 2) if path is None else path[owner]
    direction = _pull(left[owner], place[:, None] + shift, sigma) * APART
    half = split.intensities[row, target] / 2
    split = _set(split, target, place + direction, half)
    split = _set(split, slot[owner], place - direction, half)
    alone = room.nonzero()[:, 0]
    spot, size = _brightest(left[alone], sigma, None if path is None else path[alone])
    added = _set(fits[alone], slot[alone], spot, size)
    return Trials(torch.cat([owner, alone]), Fit.cat([split, added]))


def shrunk(fits: Own) -> Trials[Own]:
    """The two closest targets merged, and the weakest dropped, where there are such."""
    several = (fits.active.sum(1) > 1).nonzero()[:, 0]
    merged = fits[several]
    distance = torch.cdist(merged.positions, merged.positions)
    pairs = merged.active[:, :, None] & merged.active[:, None, :]
    pairs = pairs & ~torch.eye(pairs.shape[1], dtype=torch.bool, device=pairs.device)
    closest = torch.where(pairs, distance, torch.inf).flatten(1).argmin(1)
    one, other = closest // pairs.shape[1], closest % pairs.shape[1]
    row = torch.arange(len(several), device=several.device)
    a, b = merged.intensities[row, one], merged.intensities[row, other]
    share = (a / (a + b).clamp(min=1e-9))[:, None]
    place = share * merged.positions[row, one] + (1 - share) * merged.positions[row, other]
    merged = _drop(_set(merged, one, place, a + b), other)
    some = fits.active.any(1).nonzero()[:, 0]
    dropped = fits[some]
    weakest = torch.where(dropped.active, dropped.intensities, torch.inf).argmin(1)
    return Trials(torch.cat([several, some]), Fit.cat([merged, _drop(dropped, weakest)]))


def _set(fits: Own, slot: Tensor, place: Tensor, intensity: Tensor) -> Own:
    """A target of its own, without an anchor, in one slot of each fit."""
    row = torch.arange(len(slot), device=slot.device)
    positions, intensities = fits.positions.clone(), fits.intensities.clone()
    active, anchored = fits.active.clone(), fits.anchored.clone()
    positions[row, slot], intensities[row, slot] = place, intensity
    active[row, slot], anchored[row, slot] = True, False
    return replace(
        fits, positions=positions, intensities=intensities, active=active, anchored=anchored
    )


def _drop(fits: Own, slot: Tensor) -> Own:
    row = torch.arange(len(slot), device=slot.device)
    active = fits.active.clone()
    active[row, slot] = False
    return replace(fits, active=active, intensities=torch.where(active, fits.intensities, 0))


def _pull(left: Tensor, place: Tensor, sigma: float) -> Tensor:
    """Unit direction (M, 2) in which the residual pulls a target at (M, W, 2) apart."""
    steps = place.new_tensor([-PROBE, 0.0, PROBE])
    shares = pixel_response(place[..., None, :] + steps[:, None], left.shape[-1], sigma)
    rows, columns = shares[..., 0, :], shares[..., 1, :]  # (M, W, 3, m)
    score = (rows @ left @ columns.mT).sum(1)  # (M, 3, 3): the product as a function of the place
    along = score[:, 0, 1] - 2 * score[:, 1, 1] + score[:, 2, 1]
    across = score[:, 1, 0] - 2 * score[:, 1, 1] + score[:, 1, 2]
    mixed = (score[:, 0, 0] + score[:, 2, 2] - score[:, 0, 2] - score[:, 2, 0]) / 4
    # eigenvector of [[along, mixed], [mixed, across]] for the larger eigenvalue
    angle = torch.atan2(2 * mixed, along - across) / 2
    return torch.stack([angle.cos(), angle.sin()], 1)


def _brightest(left: Tensor, sigma: float, path: Tensor | None) -> tuple[Tensor, Tensor]:
    """Where one target would lower the residual most, (M, 2), and its intensity (M,)."""
    size = left.shape[-1]
    if path is None:
        rows = columns = sampling_factor(size, RESOLUTION, sigma, left.dtype).to(left.device)
    else:
        cells = torch.arange(RESOLUTION * size, dtype=left.dtype, device=left.device)
        places = grid_to_pixel(cells, RESOLUTION)[:, None] + path[..., None, :]  # (M, W, g, 2)
        shares = pixel_response(places, size, sigma)
        rows, columns = shares[..., 0, :].mT, shares[..., 1, :].mT  # (M, W, m, g)
    score = (rows.mT @ left @ columns).sum(1).clamp(min=0)
    heights, widths = rows.square().sum(-2), columns.square().sum(-2)
    energy = heights[..., None] * widths[..., None, :]
    if path is not None:
        energy = energy.sum(1)
    cell = (score.square() / energy).flatten(1).argmax(1)
    side = rows.shape[-1]
    index = torch.stack([cell // side, cell % side], 1).to(left)
    row = torch.arange(len(left), device=left.device)
    return grid_to_pixel(index, RESOLUTION), (score / energy).flatten(1)[row, cell]
