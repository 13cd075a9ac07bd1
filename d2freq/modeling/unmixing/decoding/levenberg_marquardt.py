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

from d2freq.modeling.unmixing.decoding.descent import descend
from d2freq.modeling.unmixing.decoding.state import Fit, Prior
from d2freq.ops.fisher import derivatives, planes
from d2freq.ops.psf import pixel_response

__all__ = ["criterion", "fit", "light", "normal_equations", "residuals"]

STEP = 0.5  # pixels that a position may move at once
CHUNK = 4096  # fits at a time: which bounds the memory
SETTLED = 1e-4  # change of the objective of a fit that is done: a hundredth of sigma of a number


def light(size: int, fits: Fit, prior: Prior) -> Tensor:
    """Frames (N, m, m) of the targets alone, without a background."""
    rows, columns = _profiles(fits.positions, size, prior.sigma)
    return (rows * fits.intensities[..., None]).mT @ columns


def residuals(frames: Tensor, fits: Fit, prior: Prior) -> Tensor:
    """Frame minus targets, less the plane that fits it best, (N, m, m).

    A saturated pixel has 0 where targets and plane together are bright enough, and no say in the
    plane there.

    Args:
        frames: (N, m, m) float64.
    """
    left = frames - light(frames.shape[-1], fits, prior)
    full = None if prior.saturation is None else frames == prior.saturation
    if full is None or not bool(full.any()):
        return _without_plane(left)
    behind = _plane_of_others(left, full)
    bright_enough = full & (left <= behind)
    filled = torch.where(bright_enough, behind, left)
    return torch.where(bright_enough, 0.0, _without_plane(filled))


def _without_plane(left: Tensor) -> Tensor:
    """(N, m, m) less the plane that fits it best."""
    for row, column in planes(left.shape[-1], left):
        left = left - (row @ left @ column)[:, None, None] * torch.outer(row, column)
    return left


def _plane_of_others(left: Tensor, full: Tensor) -> Tensor:
    """The plane that fits the pixels of (N, m, m) best that are not ``full``."""
    basis = torch.stack(
        [torch.outer(row, column).flatten() for row, column in planes(left.shape[-1], left)]
    )
    seen = (~full).to(left).flatten(1)[:, None] * basis  # (N, 3, m m)
    # nothing is known of the plane of a frame that is saturated all over
    normal = seen @ basis.T + 1e-9 * torch.eye(len(basis), dtype=left.dtype, device=left.device)
    weights = torch.linalg.solve(normal, seen @ left.flatten(1)[..., None])
    return (weights.mT @ basis).view_as(left)


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
    return descend(
        frames,
        start,
        left_over=lambda frames, fits: residuals(frames, fits, prior),
        objective=lambda left, fits: _objective(left, fits, prior),
        step=lambda frames, fits, left, damping: _step(frames, fits, left, prior, damping),
        steps=steps,
        settled=settled,
    )


def _objective(left: Tensor, fits: Fit, prior: Prior) -> Tensor:
    pixels = left[0].numel()
    value = pixels * torch.log(prior.floor**2 + left.square().mean((1, 2)))
    if prior.intensity is not None:
        mean, sd = prior.intensity
        value = value + (((fits.intensities - mean) / sd).square() * fits.active).sum(1)
    away = (fits.positions - fits.anchors).square().sum(2) / prior.reach**2
    return value + (away * (fits.anchored & fits.active)).sum(1)


def _step(frames: Tensor, fits: Fit, left: Tensor, prior: Prior, damping: Tensor) -> Fit:
    """One damped Gauss-Newton step of all unknowns: rows, columns and intensities, (N, 3K)."""
    size, slots = frames.shape[-1], fits.active.shape[1]
    normal, pull = normal_equations(frames, fits, left, prior)
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


def normal_equations(
    frames: Tensor, fits: Fit, left: Tensor, prior: Prior
) -> tuple[Tensor, Tensor]:
    """What the pixels say of all unknowns of a frame: rows, columns and intensities.

    A column of the Jacobian J is an outer product of a row and a column profile, so products of
    columns are products of profiles, and no (N, m*m, 3K) is formed.

    Args:
        frames: (N, m, m) float64.
        left: (N, m, m), see :func:`residuals`.

    Returns:
        J^T J (N, 3K, 3K) and J^T left (N, 3K), the plane taken off, neither divided by the noise
        nor with priors; 0 in the rows of slots that are not active.
    """
    size = frames.shape[-1]
    along, across = derivatives(fits.positions, fits.intensities, size, prior.sigma, fits.active)
    normal = (along @ along.mT) * (across @ across.mT)
    if prior.saturation is not None:
        normal = normal - _silent(frames, left, along, across, prior.saturation)
    for row, column in planes(size, left):  # what the background would take of each number
        taken = (along @ row) * (across @ column)
        normal = normal - taken[:, :, None] * taken[:, None, :]
    pull = ((along @ left) * across).sum(2)
    return normal, pull


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
