"""Targets of several frames at once: what keeps its shape is seen better by all of them together.

Shape shorthand: B trajectories, T frames, m pixels a side, g grid cells a side, W frames of a
window, V windows of a trajectory, K slots for targets.

Two ways, which are to be told apart wherever figures stand:

* a window of W frames, W odd, about the frame that is asked for: it waits for W // 2 frames. At
  both ends of a trajectory the first and the last window serve.
* the whole trajectory: offline, each frame is explained with all that come after it.

1. Each frame is fitted by itself, from the peaks of its grid (decoding/decode.py).
2. Each of these fits, moved along their common path, starts a fit of the window, and the best of
   them stays. So frames whose noise misled them are outvoted.
3. The search over numbers of targets goes on from there, with the window's own criterion.
4. Noise often leaves two explanations that are nearly as good. Starts that end in another one than
   the best are kept, and what is told of a target is the mean of all explanations, each with its
   posterior probability (joint/mixture.py).

All windows of all trajectories, and all that is tried for them, are one batch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.unmixing.decoding.decode import (
    BRIGHTNESS,
    FLOOR,
    REACH,
    fit_frames,
    normal_of,
    targets_of,
)
from d2freq.modeling.unmixing.decoding.hypotheses import Trials, grown, shrunk
from d2freq.modeling.unmixing.decoding.joint.fit import fit, left_over
from d2freq.modeling.unmixing.decoding.joint.mixture import explanations
from d2freq.modeling.unmixing.decoding.joint.starts import from_frames
from d2freq.modeling.unmixing.decoding.joint.state import JointFit, Knowledge
from d2freq.modeling.unmixing.decoding.search import STEPS, TRIAL_STEPS, best_of_each, search
from d2freq.modeling.unmixing.decoding.state import Fit, Prior
from d2freq.modeling.unmixing.decoding.targets import Targets
from d2freq.modeling.unmixing.units import warn_of_units

__all__ = ["decode_windows"]

ROUGH = 0.05  # change of the objective at which a start is compared with the others
SETTLED = 1e-3  # and at which a fit is done: a thirtieth of sigma of a number
# Grey levels that a rigid group on a smooth path may leave unexplained: some thousandths of a pixel
# on slopes of 200 grey levels a pixel. It is what rounding to 8 bits leaves, too. Below it no
# further target is sought.
RIGID = 0.3


@torch.no_grad()
def decode_windows(
    grid: Tensor | None,
    frames: Tensor,
    *,
    window: int | None,
    sigma: float = 0.5,
    factor: int = 3,
    threshold: float = 70.0,
    brightness: Sequence[float] = BRIGHTNESS,
    saturation: float | None = 255.0,
    flicker: bool = False,
    degree: int | None = None,
) -> list[list[Targets]]:
    """Sub-pixel targets of each frame of each trajectory, and how sure they are.

    Args:
        grid: (B, T, g, g), any model's output in grey levels, 0 where there is none; None for no
            grid at all.
        frames: (B, T, m, m) in grey levels.
        window: frames that are explained together, odd; None for the whole trajectory. Of shorter
            trajectories all frames are one window.
        sigma, factor, threshold, brightness, saturation: see
            d2freq.modeling.unmixing.decoding.decode.decode_targets.
        flicker: a target's intensity is another one in each frame; else it is constant.
        degree: of the polynomials of time that the path has; None goes by the window's length,
            see :func:`motion_degree`.

    Returns:
        of each trajectory and frame, the brightest target first.

    Raises:
        UserError: an even window, shapes that do not fit, or numbers that are not finite.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.unmixing.decoding.joint.decode import decode_windows
        >>> from d2freq.ops.psf import render
        >>> first = torch.tensor([[5.0, 5.0], [5.0, 5.5]])
        >>> places = first + 0.04 * torch.arange(7.0)[:, None, None]
        >>> frames = render(places, torch.tensor([240.0, 230.0]).expand(7, 2))
        >>> found = decode_windows(None, frames[None], window=5)[0]
        >>> len(found), [round(value, 1) for value in found[3].points[:, :2].flatten().tolist()]
        (7, [5.1, 5.1, 5.1, 5.6])
    """
    _check(grid, frames, window, factor)
    trajectories, times, size = frames.shape[:3]
    if not trajectories:
        return []
    warn_of_units(frames, threshold=threshold)
    prior = Prior(sigma, normal_of(brightness), REACH, FLOOR, saturation)
    pixels = frames.detach().double().flatten(0, 1)
    if grid is None:
        grid = pixels.new_zeros(trajectories, times, factor * size, factor * size)
    singles = fit_frames(
        grid.detach().double().flatten(0, 1), pixels, prior, factor=factor, threshold=threshold
    )
    length = min(window or times, times)
    first = torch.arange(times - length + 1, device=frames.device)
    starts = torch.arange(trajectories, device=frames.device)[:, None] * times + first
    index = starts.flatten()[:, None] + torch.arange(length, device=frames.device)  # (B V, W)
    knowledge = Knowledge.of(
        replace(prior, floor=max(FLOOR, RIGID if length > 1 else 0)),
        length,
        degree=degree,
        flicker=flicker,
        device=frames.device,
    )
    problem = Windows(pixels[index], knowledge)
    tried, owner = problem.tried(singles[index.flatten()])
    fits = problem.best(tried, owner)
    # which window serves a frame, and which of its frames that is
    frame = torch.arange(times, device=frames.device)
    serving = (frame - length // 2).clamp(0, times - length)
    within = frame - serving
    window_of = torch.arange(trajectories, device=frames.device)[:, None] * len(first) + serving
    window_of, within = window_of.flatten(), within.repeat(trajectories)
    mixed = explanations(problem.frames, fits, tried, owner, knowledge)
    fits = replace(fits, levels=mixed.levels)
    places, spread = mixed.places[window_of, within], mixed.covariances[window_of, within]
    found = targets_of(fits[window_of].single_frame(places, within), spread, threshold)
    return [found[place : place + times] for place in range(0, len(found), times)]


@dataclass(frozen=True)
class Windows:
    """Windows (N, W, m, m) float64 of frames: the problem that the search solves."""

    frames: Tensor
    knowledge: Knowledge

    @property
    def pixels(self) -> int:
        """Of one window."""
        return self.frames[0].numel()

    @property
    def floor(self) -> float:
        """Residual below which nothing is left to explain, in grey levels."""
        return self.knowledge.prior.floor

    def fit(self, which: Tensor, start: JointFit, *, steps: int, settled: float) -> JointFit:
        """Fits of the windows ``which`` (M,)."""
        return fit(self.frames[which], start, self.knowledge, steps=steps, settled=settled)

    def criterion(self, fits: JointFit) -> Tensor:
        """Bayesian information criterion (M,): ln(n) for each number of a target."""
        numbers = 2 + (len(self.knowledge.times) if self.knowledge.flicker else 1)
        return fits.objective + numbers * math.log(self.pixels) * fits.active.sum(1)

    def trials(self, which: Tensor, fits: JointFit, where: Tensor) -> list[Trials[JointFit]]:
        """One more target ``where`` (M,) bool, and one less."""
        left = left_over(self.frames[which], fits, self.knowledge)
        path = self.knowledge.basis @ fits.motion
        more = grown(fits, left, self.knowledge.prior.sigma, where=where, path=path)
        return [more, shrunk(fits)]

    def explained(self, singles: Fit) -> JointFit:
        """Fits of all N windows, from the N * W fits of their frames."""
        return self.best(*self.tried(singles))

    def tried(self, singles: Fit) -> tuple[JointFit, Tensor]:
        """Rough fits from each of the N * W fits of single frames, and the window of each."""
        many, length = self.frames.shape[:2]
        owner = torch.arange(many, device=self.frames.device).repeat_interleave(length)
        tried = from_frames(singles, self.knowledge)
        return self.fit(owner, tried, steps=TRIAL_STEPS, settled=ROUGH), owner

    def best(self, tried: JointFit, owner: Tensor) -> JointFit:
        """The best fit of each of N windows, from rough ones of the windows ``owner``."""
        best = tried[best_of_each(self.criterion(tried), owner)]
        every = torch.arange(len(self.frames), device=self.frames.device)
        best = self.fit(every, best, steps=STEPS, settled=SETTLED)
        return search(self, best, settled=SETTLED)


def _check(grid: Tensor | None, frames: Tensor, window: int | None, factor: int) -> None:
    if window is not None and (window < 1 or window % 2 == 0):
        raise UserError(
            f"a window of {window} frames: it has a frame in its middle, so take an odd number, or "
            "'all' for the whole trajectory"
        )
    size = frames.shape[-1]
    shape = (*frames.shape[:2], factor * size, factor * size)
    if frames.dim() != 4 or (grid is not None and grid.shape != shape):
        raise UserError(
            f"grid {None if grid is None else tuple(grid.shape)} does not fit frames "
            f"{tuple(frames.shape)}: expected (B, T, {factor} m, {factor} m) and (B, T, m, m)"
        )
    if not (torch.isfinite(frames).all() and (grid is None or torch.isfinite(grid).all())):
        raise UserError("grid or frames have NaN or infinite values: the model diverged")
