"""Point targets fitted to frames through the known spot: Levenberg-Marquardt, batched over frames.

Shapes as in state.py: N fits, K slots for targets, m pixels a side, n = m*m.

The noise of a frame is not told. With normal noise of unknown sigma, the best sigma for a given
residual is put in, so that a fit minimises

    n ln(floor^2 + RSS / n) + sum ((a - mean) / sd)^2 + sum (|x - anchor| / reach)^2

The first term is the likelihood; ``floor`` is the rounding below which a residual says nothing. The
second is what is known of intensities, the third what the grid says of positions. Both hardly count
where the frame is clean, and hold the fit where noise leaves positions open: four targets in
SeqCSIST's geometry are known to 0.9 px at a noise of one grey level if their intensities are free,
to 0.35 px if they lie between 220 and 250.

A background that is a plane is part of every fit: the least-squares plane is taken off the residual
and off the derivatives (variable projection), so it needs no unknowns of its own.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from d2freq.modeling.unmixing.decoding.state import Fit, Prior
from d2freq.ops.psf import pixel_response

__all__ = ["criterion", "fit", "residuals"]

DAMPING, EASIER, HARDER = 1e-2, 0.2, 6.0  # Marquardt's, at the start and after a step
STEP = 0.5  # pixels that a position may move at once
CHUNK = 4096  # fits at a time: which bounds the memory
SETTLED = 1e-4  # change of the objective of a fit that is done: a hundredth of sigma of a number
STUCK = 1e8  # damping from which on a step is too short to matter


def residuals(frames: Tensor, fits: Fit, prior: Prior) -> Tensor:
    """Frame minus targets, less the plane that fits it best, (N, m, m).

    Before the plane is taken off, a saturated pixel has 0 where its model is bright enough.

    Args:
        frames: (N, m, m) float64.
    """
    rows, columns = _profiles(fits.positions, frames.shape[-1], prior.sigma)
    model = (rows * fits.intensities[..., None]).mT @ columns
    left = frames - model
    if prior.saturation is not None:
        left = torch.where(frames == prior.saturation, left.clamp(min=0), left)
    for row, column in _plane(left):
        left = left - (row @ left @ column)[:, None, None] * torch.outer(row, column)
    return left


def criterion(fits: Fit, pixels: int) -> Tensor:
    """Bayesian information criterion (N,): the objective plus ln(n) for each number fitted."""
    return fits.objective + 3 * math.log(pixels) * fits.active.sum(1)


@torch.no_grad()
def fit(frames: Tensor, start: Fit, prior: Prior, *, steps: int, settled: float = SETTLED) -> Fit:
    """Move targets until the objective settles, at most ``steps`` times; slots may change places.

    Args:
        frames: (N, m, m) float64.
        start: where to begin; its objective is not read.
        settled: change of the objective at which a fit is done.
    """
    slots = start.active.shape[1]
    start, used = start.packed()
    parts = []
    for place in range(0, len(frames), CHUNK):
        own = torch.arange(place, min(place + CHUNK, len(frames)), device=frames.device)
        parts.append(_fit(frames[own], start[own], prior, steps, settled))
    return (Fit.cat(parts) if parts else start).padded(slots - used)


def _fit(frames: Tensor, start: Fit, prior: Prior, steps: int, settled: float) -> Fit:
    left = residuals(frames, start, prior)
    fits = replace(start, objective=_objective(left, start, prior))
    damping = frames.new_full((len(frames),), DAMPING)
    busy = torch.arange(len(frames), device=frames.device)
    for _ in range(steps):
        if not len(busy):
            break
        own, pixels = fits[busy], frames[busy]
        moved = _step(pixels, own, left[busy], prior, damping[busy])
        new_left = residuals(pixels, moved, prior)
        moved = replace(moved, objective=_objective(new_left, moved, prior))
        gain = own.objective - moved.objective
        better = gain > 0
        fits = fits.put(busy[better], moved[better])
        left[busy[better]] = new_left[better]
        damping[busy] *= torch.where(better, EASIER, HARDER)
        busy = busy[(gain.abs() > settled) & (damping[busy] < STUCK)]
    return fits


def _objective(left: Tensor, fits: Fit, prior: Prior) -> Tensor:
    pixels = left[0].numel()
    value = pixels * torch.log(prior.floor**2 + left.square().mean((1, 2)))
    if prior.intensity is not None:
        mean, sd = prior.intensity
        value = value + (((fits.intensities - mean) / sd).square() * fits.active).sum(1)
    away = (fits.positions - fits.anchors).square().sum(2) / prior.reach**2
    return value + (away * (fits.anchored & fits.active)).sum(1)


def _step(frames: Tensor, fits: Fit, left: Tensor, prior: Prior, damping: Tensor) -> Fit:
    """One damped Gauss-Newton step of all unknowns: rows, columns and intensities, (N, 3K).

    A column of the Jacobian is an outer product of a row and a column profile, so products of
    columns are products of profiles, and no (N, m*m, 3K) is formed.
    """
    size, slots = frames.shape[-1], fits.active.shape[1]
    rows, columns = _profiles(fits.positions, size, prior.sigma)
    d_rows, d_columns = _slopes(fits.positions, size, prior.sigma)
    bright, use = fits.intensities[..., None], fits.active[..., None]
    along = torch.cat([d_rows * bright, rows * bright, rows * use], 1)
    across = torch.cat([columns, d_columns, columns], 1)
    normal = (along @ along.mT) * (across @ across.mT)
    if prior.saturation is not None:
        normal = normal - _silent(frames, left, along, across, prior.saturation)
    for row, column in _plane(left):  # what the background would take of each number
        taken = (along @ row) * (across @ column)
        normal = normal - taken[:, :, None] * taken[:, None, :]
    pull = ((along @ left) * across).sum(2)
    weight = 1 / (prior.floor**2 + left.square().mean((1, 2)))
    normal, pull = normal * weight[:, None, None], pull * weight[:, None]
    stiff, back = _prior_terms(fits, prior)
    diagonal = normal.diagonal(dim1=1, dim2=2) + stiff
    # an unused slot has an empty row: 1 on its diagonal keeps the system regular, its step 0
    extra = stiff + damping[:, None] * diagonal + (diagonal <= 0).to(diagonal)
    step = torch.linalg.solve_ex(normal + torch.diag_embed(extra), pull + back)[0]
    step = torch.nan_to_num(step, nan=0.0, posinf=0.0, neginf=0.0)
    step = step.reshape(len(left), 3, slots)
    positions = fits.positions + step[:, :2].mT.clamp(-STEP, STEP)
    intensities = (fits.intensities + step[:, 2]).clamp(min=0)
    return replace(
        fits,
        positions=positions.clamp(-0.5, size - 0.5),
        intensities=torch.where(fits.active, intensities, 0),
    )


def _silent(frames: Tensor, left: Tensor, along: Tensor, across: Tensor, value: float) -> Tensor:
    """Part of the normal matrix (N, 3K, 3K) that saturated pixels have when they do not pull."""
    mute = ((frames == value) & (left <= 0)).flatten(1)
    most = int(mute.sum(1).max())
    if not most:
        return along.new_zeros(())
    marks, pixel = mute.to(along).topk(most, dim=1)
    size = frames.shape[-1]
    shape = (-1, along.shape[1], -1)
    row = (pixel // size)[:, None].expand(*shape)
    column = (pixel % size)[:, None].expand(*shape)
    share = along.gather(2, row) * across.gather(2, column) * marks[:, None]
    return share @ share.mT


def _plane(like: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Orthonormal pictures that span the planes, each as a profile of rows and one of columns."""
    size = like.shape[-1]
    flat = like.new_full((size,), size**-0.5)
    slope = torch.arange(size, dtype=like.dtype, device=like.device) - (size - 1) / 2
    slope = slope / slope.norm().clamp(min=1e-9)
    return [(flat, flat), (slope, flat), (flat, slope)]


def _prior_terms(fits: Fit, prior: Prior) -> tuple[Tensor, Tensor]:
    """What the priors add to the diagonal and to the right side, (N, 3K) each."""
    held = (fits.anchored & fits.active) / prior.reach**2
    away = (fits.anchors - fits.positions) * held[..., None]
    stiff, back = [held, held], [away[..., 0], away[..., 1]]
    if prior.intensity is None:
        stiff.append(torch.zeros_like(held))
        back.append(torch.zeros_like(held))
    else:
        mean, sd = prior.intensity
        stiff.append(fits.active / held.new_tensor(sd) ** 2)
        back.append((mean - fits.intensities) * stiff[-1])
    return torch.cat(stiff, 1), torch.cat(back, 1)


def _profiles(positions: Tensor, size: int, sigma: float) -> tuple[Tensor, Tensor]:
    """Energy share along rows and along columns, (N, K, m) each."""
    shares = pixel_response(positions, size, sigma)
    return shares[:, :, 0], shares[:, :, 1]


def _slopes(positions: Tensor, size: int, sigma: float) -> tuple[Tensor, Tensor]:
    """Derivatives of the profiles by position, (N, K, m) each: of erf, the normal density."""
    borders = torch.arange(size + 1, dtype=positions.dtype, device=positions.device) - 0.5
    away = (borders - positions[..., None]) / sigma
    density = torch.exp(-away.square() / 2) / (sigma * (2 * torch.pi) ** 0.5)
    slope = density[..., :-1] - density[..., 1:]
    return slope[:, :, 0], slope[:, :, 1]
