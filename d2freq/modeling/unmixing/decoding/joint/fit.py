"""Levenberg-Marquardt of joint fits: all windows of all trajectories, and all starts, in a batch.

Shape shorthand: N fits, W frames of each, K slots, P numbers that all frames share: 2 K of the
shape (rows, columns), 2 D of the motion, the expansion, and K intensities unless they flicker.

A frame's normal equations in its own 3 K numbers are those of a fit of one frame
(d2freq.modeling.unmixing.decoding.levenberg_marquardt). What is shared moves these numbers
linearly, but for the expansion, by a design (3 K, P); its products add up over the frames. Where
intensities flicker they are eliminated from each frame first (Schur's complement), so that P stays
small whatever W is.

The objective is that of one frame, with all pixels of the window under one noise.
"""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from d2freq.modeling.unmixing.decoding.confidence import PLANE, posterior, seen_share
from d2freq.modeling.unmixing.decoding.descent import descend
from d2freq.modeling.unmixing.decoding.joint.state import JointFit, Knowledge
from d2freq.modeling.unmixing.decoding.levenberg_marquardt import (
    SETTLED,
    STEP,
    light,
    normal_equations,
    residuals,
)

__all__ = ["Known", "covariances", "fit", "known_numbers", "left_over"]

CHUNK = 16384  # frames at a time: which bounds the memory


class _Equations(NamedTuple):
    """Linearised fit: what the frames and the priors say of the P shared numbers."""

    normal: Tensor  # (N, P, P), of the pixels alone, divided by the noise's variance
    pull: Tensor  # (N, P), of pixels and priors
    stiff: Tensor  # (N, P), diagonal that the priors add
    design: Tensor  # (N, W, 2 K or 3 K, P)
    levels: Tensor  # (N * W, K, K), inverse of the flickering intensities' block; else empty
    across: Tensor  # (N * W, K, 2 K), how flickering intensities answer positions; else empty
    level_pull: Tensor  # (N * W, K); else empty


def left_over(frames: Tensor, fits: JointFit, knowledge: Knowledge) -> Tensor:
    """Residuals (N, W, m, m), the plane of each frame taken off.

    Args:
        frames: (N, W, m, m) float64.
    """
    flat = residuals(frames.flatten(0, 1), fits.single(knowledge), knowledge.prior)
    return flat.view_as(frames)


@torch.no_grad()
def fit(
    frames: Tensor,
    start: JointFit,
    knowledge: Knowledge,
    *,
    steps: int,
    settled: float = SETTLED,
) -> JointFit:
    """Move targets until the objective settles, at most ``steps`` times; slots may change places.

    Args:
        frames: (N, W, m, m) float64.
        start: where to begin; its objective is not read.
        settled: change of the objective at which a fit is done.
    """
    slots = start.active.shape[1]
    start, used = start.steady().packed()
    many = max(CHUNK // max(frames.shape[1], 1), 1)
    parts = []
    for place in range(0, len(frames), many):
        own = torch.arange(place, min(place + many, len(frames)), device=frames.device)
        parts.append(_fit(frames[own], start[own], knowledge, steps, settled))
    return (JointFit.cat(parts) if parts else start).padded(slots - used)


class Known(NamedTuple):
    """How well the P shared numbers of fits are known.

    Attributes:
        covariance: (N, P, P). Numbers that nothing is known of, those of unused slots, have 1e13.
        design: (N, W, K, 2, P), how a target's row and column in a frame follow from the numbers.
    """

    covariance: Tensor
    design: Tensor

    @property
    def positions(self) -> Tensor:
        """Covariances in each frame, (N, W, K, 2, 2) in square pixels."""
        return self.design @ self.covariance[:, None, None] @ self.design.mT


@torch.no_grad()
def known_numbers(frames: Tensor, fits: JointFit, knowledge: Knowledge) -> Known:
    """Of the numbers that all frames of a window share.

    Args:
        frames: (N, W, m, m) float64.
        fits: of each window.
    """
    many = max(CHUNK // max(frames.shape[1], 1), 1)
    index = torch.arange(len(frames), device=frames.device)
    parts = [_known(frames[own], fits[own], knowledge) for own in index.split(many)]
    if not parts:
        return _known(frames, fits, knowledge)
    return Known(*(torch.cat(part) for part in zip(*parts, strict=True)))


def covariances(frames: Tensor, fits: JointFit, knowledge: Knowledge) -> Tensor:
    """Of the positions in each frame, (N, W, K, 2, 2) float64 in square pixels.

    Args:
        frames: (N, W, m, m) float64.
        fits: of each window; of slots that are not active the covariance has no meaning.
    """
    return known_numbers(frames, fits, knowledge).positions


def _known(frames: Tensor, fits: JointFit, knowledge: Knowledge) -> Known:
    left = left_over(frames, fits, knowledge)
    squares = left.square().sum((1, 2, 3))
    model = light(frames.shape[-1], fits.single(knowledge), knowledge.prior).view_as(frames)
    squares = squares / seen_share(frames.flatten(1), model.flatten(1), squares)
    saturation = knowledge.prior.saturation
    mute = (frames == saturation) & (left <= 0) if saturation is not None else left == torch.inf
    pixels = (~mute).sum((1, 2, 3)) - PLANE * frames.shape[1]
    noise = knowledge.prior.floor**2 + squares / pixels
    if not knowledge.flicker:  # else intensities are eliminated under that noise
        noise = torch.ones_like(noise)
    own = _equations(frames, fits, left, knowledge, noise)
    information = own.normal * noise[:, None, None]
    known = posterior(information, own.stiff, squares, pixels, knowledge.prior.floor)
    slots = fits.active.shape[1]
    # rows and columns of each target by themselves
    design = own.design[:, :, : 2 * slots].unflatten(2, (2, slots)).transpose(2, 3)
    return Known(known, design)


def _fit(
    frames: Tensor, start: JointFit, knowledge: Knowledge, steps: int, settled: float
) -> JointFit:
    return descend(
        frames,
        start,
        left_over=lambda frames, fits: left_over(frames, fits, knowledge),
        objective=lambda left, fits: _objective(left, fits, knowledge),
        step=lambda frames, fits, left, damping: _step(frames, fits, left, knowledge, damping),
        steps=steps,
        settled=settled,
    )


def _objective(left: Tensor, fits: JointFit, knowledge: Knowledge) -> Tensor:
    """Twice the negative log posterior but for a constant, (N,); ``left`` is (N, W, m, m)."""
    prior = knowledge.prior
    value = left[0].numel() * torch.log(prior.floor**2 + left.square().mean((1, 2, 3)))
    if prior.intensity is not None:
        mean, sd = prior.intensity
        levels = fits.levels if knowledge.flicker else fits.intensities[:, None]
        off = ((levels - mean) / sd).square() * fits.active[:, None]
        value = value + off.sum((1, 2))
    return value + (fits.expansion / knowledge.widening).square()


def _equations(
    frames: Tensor, fits: JointFit, left: Tensor, knowledge: Knowledge, noise: Tensor
) -> _Equations:
    """The equations of one Gauss-Newton step.

    Args:
        frames: (N, W, m, m) float64.
        left: (N, W, m, m), see :func:`left_over`.
        noise: (N,) variance of a pixel.
    """
    many, length = frames.shape[:2]
    slots = fits.active.shape[1]
    normal, pull = normal_equations(
        frames.flatten(0, 1), fits.single(knowledge), left.flatten(0, 1), knowledge.prior
    )
    weight = (1 / noise).repeat_interleave(length)
    normal, pull = normal * weight[:, None, None], pull * weight[:, None]
    empty = normal.new_zeros(0)
    block, answer, level_pull = empty, empty, empty
    if knowledge.flicker:
        two = 2 * slots
        own, level_pull = normal[:, two:, two:], pull[:, two:]
        active = fits.active.repeat_interleave(length, 0)
        extra = (~active).to(own)
        if knowledge.prior.intensity is not None:
            mean, sd = knowledge.prior.intensity
            extra = extra + active / own.new_tensor(sd) ** 2
            level_pull = level_pull + active * (mean - fits.levels.flatten(0, 1)) / sd**2
        # two targets in one place leave their shares open
        extra = extra + 1e-9 * own.diagonal(dim1=1, dim2=2)
        block = torch.linalg.inv_ex(own + torch.diag_embed(extra))[0]
        answer = block @ normal[:, two:, :two]
        pull = pull[:, :two] - (answer.mT @ level_pull[..., None])[..., 0]
        normal = normal[:, :two, :two] - normal[:, :two, two:] @ answer
    design = _design(fits, knowledge)
    wide = design.flatten(1, 2)
    spread = (normal.unflatten(0, (many, length)) @ design).flatten(1, 2)
    shared = wide.mT @ spread
    stiff, back = _prior_terms(fits, knowledge, shared.shape[-1])
    shared_pull = (wide.mT @ pull.reshape(many, -1, 1))[..., 0] + back
    return _Equations(shared, shared_pull, stiff, design, block, answer, level_pull)


def _step(
    frames: Tensor, fits: JointFit, left: Tensor, knowledge: Knowledge, damping: Tensor
) -> JointFit:
    """One damped Gauss-Newton step."""
    many, length = frames.shape[:2]
    slots, degree = fits.active.shape[1], fits.motion.shape[1]
    size = frames.shape[-1]
    noise = knowledge.prior.floor**2 + left.square().mean((1, 2, 3))
    own = _equations(frames, fits, left, knowledge, noise)
    diagonal = own.normal.diagonal(dim1=1, dim2=2) + own.stiff
    # an unused slot has an empty row: 1 on its diagonal keeps the system regular, its step 0
    extra = own.stiff + damping[:, None] * diagonal + (diagonal <= 0).to(diagonal)
    step = torch.linalg.solve_ex(own.normal + torch.diag_embed(extra), own.pull)[0]
    step = torch.nan_to_num(step, nan=0.0, posinf=0.0, neginf=0.0)
    parts = step.split([2 * slots, 2 * degree, 1, step.shape[1] - 2 * slots - 2 * degree - 1], 1)
    shape = parts[0].unflatten(1, (2, slots)).mT.clamp(-STEP, STEP)
    motion = parts[1].unflatten(1, (2, degree)).mT.clamp(-STEP, STEP)
    moved = replace(
        fits,
        positions=(fits.positions + shape).clamp(-0.5, size - 0.5),
        motion=fits.motion + motion,
        expansion=fits.expansion + parts[2][:, 0],
    )
    if knowledge.flicker:
        shifts = (own.design @ step[:, None, :, None])[..., 0].flatten(0, 1)
        answer = (own.levels @ own.level_pull[..., None])[..., 0]
        answer = answer - (own.across @ shifts[..., None])[..., 0]
        levels = (fits.levels + answer.view(many, length, slots)).clamp(min=0)
        levels = levels * fits.active[:, None]
        return replace(moved, levels=levels, intensities=levels.mean(1))
    intensities = (fits.intensities + parts[3]).clamp(min=0) * fits.active
    return replace(moved, intensities=intensities).steady()


def _design(fits: JointFit, knowledge: Knowledge) -> Tensor:
    """Derivative of a frame's numbers by the shared ones, (N, W, 2 K or 3 K, P).

    That the mean of the d moves with each of them is left out: the motion takes it up.
    """
    many, slots = fits.active.shape
    basis, times = knowledge.basis, knowledge.times
    length, degree = basis.shape
    levels = 0 if knowledge.flicker else slots
    design = basis.new_zeros(many, length, 2 * slots + levels, 2 * slots + 2 * degree + 1 + levels)
    wider = 1 + fits.expansion[:, None] * times
    index = torch.arange(slots, device=basis.device)
    offsets = fits.offsets()
    for axis in range(2):
        first = axis * slots
        design[:, :, first + index, first + index] = wider[..., None]
        column = 2 * slots + axis * degree
        design[:, :, first : first + slots, column : column + degree] = basis[:, None]
        spread = times[:, None] * offsets[:, None, :, axis]
        design[:, :, first : first + slots, 2 * slots + 2 * degree] = spread
    if levels:
        last = 2 * slots + 2 * degree + 1
        design[:, :, 2 * slots + index, last + index] = 1
    return design


def _prior_terms(fits: JointFit, knowledge: Knowledge, numbers: int) -> tuple[Tensor, Tensor]:
    """What the priors add to the diagonal and to the right side, (N, P) each."""
    many, slots = fits.active.shape
    stiff = fits.positions.new_zeros(many, numbers)
    back = torch.zeros_like(stiff)
    place = 2 * slots + 2 * fits.motion.shape[1]
    stiff[:, place] = 1 / knowledge.widening**2
    back[:, place] = -fits.expansion * stiff[:, place]
    if not knowledge.flicker and knowledge.prior.intensity is not None:
        mean, sd = knowledge.prior.intensity
        stiff[:, place + 1 :] = fits.active / stiff.new_tensor(sd) ** 2
        back[:, place + 1 :] = (mean - fits.intensities) * stiff[:, place + 1 :]
    return stiff, back
