"""How sure a fit is: the covariance of its numbers, with the noise that the residual shows.

Shape shorthand: N fits, K slots, m pixels a side, P numbers of a fit.

About its minimum a fit's objective is a parabola whose curvature is the Fisher information plus
what was known before; the covariance is the inverse. It needs the noise, which no one tells: that
is the residual over the pixels that the fitted numbers leave over.

A sensor that writes no number below its least cuts off half of the noise of a dark background, and
what is left of that would pass for all: :func:`seen_share` says how much it is.
"""

import math

import torch
from torch import Tensor

from d2freq.modeling.unmixing.decoding.levenberg_marquardt import CHUNK, light, residuals
from d2freq.modeling.unmixing.decoding.state import Fit, Prior
from d2freq.ops.fisher import covariance, position_covariances, target_information

__all__ = ["posterior", "seen_share", "single_frame_covariances"]

ROUNDS = 2  # in which the noise and the numbers that it leaves open agree
PLANE = 3  # numbers of a frame's background
CUT = 0.05  # share of dark pixels that have the least number from which on it is a sensor's least
LIT = 2.0  # standard deviations of the residual that a pixel's targets have where it is not dark


def posterior(
    information: Tensor, before: Tensor, squares: Tensor, pixels: float | Tensor, floor: float
) -> Tensor:
    """Covariance of fitted numbers where the noise is not known.

    A number that the data alone decide takes one pixel of the residual's freedom, one that is held
    by what was known before takes less: together trace(F (F + B)^-1).

    Args:
        information: (N, P, P) at a noise of 1 grey level, background taken off.
        before: (N, P) or (P,), 1 / variance of what is known before; 0 for nothing.
        squares: (N,) sum of the squared residuals, in square grey levels.
        pixels: those that the residual has, less the numbers of the background.
        floor: rounding in grey levels, below which no residual says anything.

    Returns:
        (N, P, P).
    """
    diagonal = torch.diag_embed(before.expand(information.shape[:-1]))
    used = torch.as_tensor(information.shape[-1], dtype=squares.dtype, device=squares.device)
    for turn in range(ROUNDS + 1):
        variance = (floor**2 + squares / (pixels - used).clamp(min=1))[:, None, None]
        known = covariance(information / variance + diagonal)
        if turn < ROUNDS:
            used = (information / variance * known).sum((1, 2))  # both are symmetric
    return known


def seen_share(frames: Tensor, model: Tensor, squares: Tensor) -> Tensor:
    """Share of the noise's variance that residuals have left where the sensor cuts off the dark.

    A dark pixel is max(b + noise, least). How often it is the least tells b, and that the variance.

    Args:
        frames: (N, P) pixels of each fit.
        model: (N, P), the light of the targets in them.
        squares: (N,), sum of the squared residuals.

    Returns:
        (N,) in (0, 1]; 1 where nothing is cut off.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.unmixing.decoding.confidence import seen_share
        >>> draw = torch.Generator().manual_seed(0)
        >>> frames = torch.randn(1, 9999, generator=draw).double().clamp(min=0)
        >>> left = frames - frames.mean()
        >>> share = seen_share(frames, torch.zeros_like(frames), left.square().sum(1))
        >>> round(float(share), 1)  # 1 / 2 - 1 / (2 pi) = 0.34
        0.3
    """
    number = frames.shape[1]
    dark = model < LIT * (squares / number).sqrt()[:, None]
    least = dark & (frames == frames.amin(1, keepdim=True))
    many = dark.sum(1).clamp(min=1)
    cut = (least.sum(1) / many).clamp(1e-6, 1 - 1e-6)
    z = -torch.special.ndtri(cut.to(frames))  # of b above the least, in standard deviations
    above, density = torch.special.ndtr(z), torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    mean = z * above + density
    variance = (z.square() + 1) * above + z * density - mean.square()
    share = 1 + (variance.clamp(0, 1) - 1) * dark.sum(1) / number
    return torch.where(cut < CUT, 1.0, share.clamp(min=1 / number))


@torch.no_grad()
def single_frame_covariances(frames: Tensor, fits: Fit, prior: Prior) -> Tensor:
    """Of the positions of fits to single frames.

    Errors are those of a normal distribution where they are small beside the distance of the
    targets. Three or more in one noisy frame err less than the bound of such a distribution says,
    since their light holds them together: there the figures are on the safe side.

    Args:
        frames: (N, m, m) float64.
        fits: of each frame.

    Returns:
        (N, K, 2, 2) float64 in square pixels; of slots that are not active without a meaning.
    """
    parts = [
        _covariances(frames[own], fits[own], prior)
        for own in torch.arange(len(frames), device=frames.device).split(CHUNK)
    ]
    slots = fits.active.shape[1]
    return torch.cat(parts) if parts else frames.new_zeros(0, slots, 2, 2)


def _covariances(frames: Tensor, fits: Fit, prior: Prior) -> Tensor:
    left = residuals(frames, fits, prior)
    share = None
    if prior.saturation is not None:
        mute = (frames == prior.saturation) & (left <= 0)
        share = (~mute).double() if bool(mute.any()) else None
    information = target_information(
        fits.positions,
        fits.intensities,
        size=frames.shape[-1],
        sigma=prior.sigma,
        share=share,
        active=fits.active,
    )
    held = (fits.anchored & fits.active) / prior.reach**2
    bright = torch.zeros_like(held)
    if prior.intensity is not None:
        bright = fits.active / held.new_tensor(prior.intensity[1]) ** 2
    before = torch.cat([held, held, bright], 1)
    pixels = left.shape[-2:].numel() if share is None else share.sum((1, 2))
    squares = left.square().sum((1, 2))
    model = light(frames.shape[-1], fits, prior)
    squares = squares / seen_share(frames.flatten(1), model.flatten(1), squares)
    known = posterior(information, before, squares, pixels - PLANE, prior.floor)
    return position_covariances(known)
