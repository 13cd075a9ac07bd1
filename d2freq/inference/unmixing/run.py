"""``d2freq unmix``: from frames to targets in each of them, with errors and tracks.

Shape shorthand: T frames, m pixels a side of the window that is looked at, n targets of a frame.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from d2freq.errors import UserError
from d2freq.inference.unmixing.black import find_black, put_back
from d2freq.inference.unmixing.frames import read_frames
from d2freq.inference.unmixing.tracks import follow
from d2freq.inference.unmixing.width import contradicting_width, spot_width
from d2freq.inference.unmixing.window import elsewhere, window_of
from d2freq.modeling.unmixing.decoding.decode import FLOOR, MOST, REACH, normal_of
from d2freq.modeling.unmixing.decoding.joint.decode import decode_windows
from d2freq.modeling.unmixing.decoding.state import Prior
from d2freq.modeling.unmixing.decoding.targets import Targets
from d2freq.ops.psf import render
from d2freq.utils.numbers import in_range, pair_in_range

__all__ = ["UnmixOptions", "Unmixed", "unmix"]

SCALE = 255.0  # the brightest pixel in the decoder's units, which its floors are made for
FAINT = 0.02  # of the brightest target
LARGE = 1e150  # in the frames' numbers: its square is a number still
WIDE = 1e6  # largest over least intensity, from which on a range says nothing


@dataclass(frozen=True, kw_only=True)
class UnmixOptions:
    """What is to be done; the command's options.

    Attributes:
        source: see :func:`d2freq.inference.unmixing.frames.read_frames`.
        sigma: standard deviation of the spot in pixels; None estimates it.
        frames: odd number of frames that are explained together, or "all".
        brightness: least and largest intensity of a target, in the frames' numbers; () unknown.
        saturation: the largest number that the sensor writes; None goes by the files.
        flicker: whether targets change their intensity from frame to frame.
        least: intensity below which a target is not reported, in the frames' numbers; None: a
            fiftieth of the brightest, for what noise makes now and then is fainter.
        crop: row, column and side of the window that is looked at; None chooses.
    """

    source: str | os.PathLike
    sigma: float | None = None
    frames: int | str = 5
    brightness: Sequence[float] = ()
    saturation: float | None = None
    flicker: bool = False
    least: float | None = None
    crop: Sequence[int] | None = None


@dataclass(frozen=True)
class Unmixed:
    """What was found.

    Attributes:
        names: of the frames.
        images: (T, m, m) float64, the window in the frames' numbers.
        origin: row and column of its first pixel.
        sigma: of the spot, in pixels; ``estimated`` where it was not given.
        frames: how many were explained together, "5", or "all" where that is the whole sequence.
        points: of each frame (n, 3) row and column in the whole frame, intensity.
        covariances: of each frame (n, 2, 2), of row and column in square pixels.
        tracks: of each frame (n,) int64, from 1 on.
        saturated: pixels at the sensor's largest number, of all frames.
        notes: what else is to be known of the frames.
    """

    names: tuple[str, ...]
    images: np.ndarray
    origin: tuple[int, int]
    sigma: float
    estimated: bool
    frames: str
    points: list[np.ndarray]
    covariances: list[np.ndarray]
    tracks: list[np.ndarray]
    saturated: int
    notes: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """What the command says."""
        counts = [len(own) for own in self.points]
        few, many = min(counts), max(counts)
        number = f"{few}" if few == many else f"{few} to {many}"
        length = len({track for own in self.tracks for track in own.tolist()})
        side, (row, column) = self.images.shape[1], self.origin
        how = "estimated" if self.estimated else "given"
        together = "the whole sequence" if self.frames == "all" else f"windows of {self.frames}"
        frames = "1 frame" if len(self.names) == 1 else f"{len(self.names)} frames"
        lines = [
            f"{frames}, {side} x {side} pixels from row {row}, column {column}; "
            f"spot of {self.sigma:.3f} pixels ({how}); {together}",
            f"{number} targets a frame, {length} tracks",
        ]
        if many >= MOST:
            lines.append(f"{MOST} targets are the most that is looked for; --crop a smaller window")
        blank = [
            name
            for name, image in zip(self.names, self.images, strict=True)
            if image.min() == image.max()
        ]
        if blank and self.frames != "1":
            wrong = "what was found beside them is wrong, so take them away, or --frames 1"
            cure = wrong if many else "nothing is seen in them"
            lines.append(f"blank frames: {len(blank)}, the first is {blank[0]}; {cure}")
        if self.saturated:
            lines.append(f"{self.saturated} saturated pixels are taken as lower bounds")
        return [*lines, *self.notes]


def unmix(options: UnmixOptions) -> Unmixed:
    """Find the targets of every frame.

    Raises:
        UserError: an option that does not fit.
        DatasetError: frames that are missing or unfit; it names the frame.
    """
    _check(options)
    frames = read_frames(options.source, saturation=options.saturation)
    images, origin = window_of(frames, options.crop)
    notes = [*frames.notes, *elsewhere(frames.values, images.shape[1], origin, options.crop)]
    base = float(np.median(images))
    # radiances may be 1e-13 watts
    span = float(images.max()) - base
    scale = SCALE / span if span > 1e-290 else 1.0
    level = None if frames.saturation is None else (frames.saturation - base) * scale
    # float32 would make another number of the level: pixels are compared with it
    pixels = torch.from_numpy((images - base) * scale)
    brightness = tuple(value * scale for value in options.brightness)
    together = len(images) if options.frames == "all" else min(int(options.frames), len(images))
    prior = Prior(options.sigma or 1.0, normal_of(brightness), REACH, FLOOR, level)

    def decoded(pixels: Tensor) -> tuple[float, list[Targets]]:
        sigma = spot_width(pixels, prior) if options.sigma is None else options.sigma
        found = decode_windows(
            None,
            pixels[None],
            window=None if options.frames == "all" else int(options.frames),
            sigma=sigma,
            threshold=1e-6,
            brightness=brightness,
            saturation=level,
            flicker=options.flicker,
        )
        return sigma, found[0]

    sigma, found = decoded(pixels)
    light = _light(found, images.shape[1], sigma)
    black = find_black(pixels, light, step=scale if frames.whole else 0.0)
    if black is not None:
        pixels = put_back(pixels, light, black)
        sigma, found = decoded(pixels)
        notes.append(
            f"the background is cut off: {black.share:.1%} of its pixels have the least number "
            f"{images.min():g}. It is taken as {black.mean / scale + base:.4g} with noise of "
            f"{black.deviation / scale:.3g}; frames with an offset are better"
        )
    if options.sigma is not None and not options.flicker:
        seen = contradicting_width(pixels, prior, frames_together=min(together, 5))
        if seen is not None:
            notes.append(
                f"--sigma {sigma:g} contradicts the frames, whose spots have {seen:.3f} pixels; "
                "positions and numbers of targets suffer, so correct it, or leave it out"
            )
    points = [targets.points.double().numpy() for targets in found]
    points = [own * (1, 1, 1 / scale) + (*origin, 0) for own in points]
    covariances = [targets.covariances.double().numpy() for targets in found]
    least = options.least
    if least is None:
        least = FAINT * max((own[:, 2].max(initial=0) for own in points), default=0)
    bright = [own[:, 2] >= least for own in points]
    points = [own[keep] for own, keep in zip(points, bright, strict=True)]
    covariances = [own[keep] for own, keep in zip(covariances, bright, strict=True)]
    spread = [np.sqrt(np.trace(own, axis1=1, axis2=2) / 2) for own in covariances]
    saturated = 0 if frames.saturation is None else int((images >= frames.saturation).sum())
    return Unmixed(
        names=frames.names,
        images=images,
        origin=origin,
        sigma=sigma,
        estimated=options.sigma is None,
        frames="all" if together == len(images) > 1 else str(together),
        points=points,
        covariances=covariances,
        tracks=follow([own[:, :2] for own in points], spread),
        saturated=saturated,
        notes=tuple(notes),
    )


def _check(options: UnmixOptions) -> None:
    if options.sigma is not None:
        what = "pixels, a spot's standard deviation"
        in_range(options.sigma, 0.1, 10, key="--sigma", what=what)
    number = options.frames
    if number != "all" and not (isinstance(number, int) and number > 0 and number % 2):
        raise UserError(f"--frames {number}: an odd number above 0, such as 5, or all")
    bright = tuple(options.brightness)
    if bright:
        what = "the least and the largest intensity of a target in the frames' numbers"
        pair_in_range(bright, 1 / LARGE, LARGE, key="--brightness", what=what)
        if bright[1] > WIDE * bright[0]:
            raise UserError(
                f"--brightness {bright[0]:g} {bright[1]:g}: the largest is more than {WIDE:g} "
                "times the least, which says nothing; give a narrower range, or leave it out"
            )
    for name in ("saturation", "least"):
        value = getattr(options, name)
        if value is not None:
            what = "a number in the frames' units"
            in_range(value, -LARGE, LARGE, key=f"--{name}", what=what)


def _light(found: Sequence[Targets], size: int, sigma: float) -> Tensor:
    """(T, m, m) float64 of the targets of each frame."""
    points = [targets.points.double() for targets in found]
    frames = [render(own[:, :2], own[:, 2], size=size, sigma=sigma) for own in points]
    return torch.stack(frames)
