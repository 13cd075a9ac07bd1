"""``d2freq unmix``: from frames to targets in each of them, with errors and tracks.

Shape shorthand: T frames, m pixels a side of the window that is looked at, n targets of a frame.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from d2freq.errors import DatasetError, UserError
from d2freq.inference.unmixing.frames import Frames, read_frames
from d2freq.inference.unmixing.tracks import follow
from d2freq.inference.unmixing.width import spot_width
from d2freq.modeling.unmixing.decoding.decode import FLOOR, MOST, REACH, normal_of
from d2freq.modeling.unmixing.decoding.joint.decode import decode_windows
from d2freq.modeling.unmixing.decoding.state import Prior
from d2freq.utils.numbers import in_range, pair_in_range

__all__ = ["UnmixOptions", "Unmixed", "unmix"]

SCALE = 255.0  # the brightest pixel in the decoder's units, which its floors are made for
LARGEST = 33  # pixels a side up to which frames are looked at whole
FAINT = 0.02  # of the brightest target
LEAST = 3  # pixels a side, of which a plane leaves some for targets
LARGE = 1e150  # in the frames' numbers: its square is a number still
WIDE = 1e6  # largest over least intensity, from which on a range says nothing
CUT = 21  # pixels a side of the window that is cut out of larger ones


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
        frames: how many were explained together, "5" or "all".
        points: of each frame (n, 3) row and column in the whole frame, intensity.
        covariances: of each frame (n, 2, 2), of row and column in square pixels.
        tracks: of each frame (n,) int64, from 1 on.
        saturated: pixels at the sensor's largest number, of all frames.
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
        if blank and many and self.frames != "1":
            lines.append(
                f"blank frames: {len(blank)}, the first is {blank[0]}; what was found beside them "
                "is wrong, so take them away, or --frames 1"
            )
        if self.saturated:
            lines.append(f"{self.saturated} saturated pixels are taken as lower bounds")
        return lines


def unmix(options: UnmixOptions) -> Unmixed:
    """Find the targets of every frame.

    Raises:
        UserError: an option that does not fit.
        DatasetError: frames that are missing or unfit; it names the frame.
    """
    _check(options)
    frames = read_frames(options.source, saturation=options.saturation)
    images, origin = _window(frames, options.crop)
    base = float(np.median(images))
    # radiances may be 1e-13 watts
    span = float(images.max()) - base
    scale = SCALE / span if span > 1e-290 else 1.0
    level = None if frames.saturation is None else (frames.saturation - base) * scale
    # float32 would make another number of the level: pixels are compared with it
    pixels = torch.from_numpy((images - base) * scale)
    brightness = tuple(value * scale for value in options.brightness)
    sigma = options.sigma
    if sigma is None:
        sigma = spot_width(pixels, Prior(1.0, normal_of(brightness), REACH, FLOOR, level))
    found = decode_windows(
        None,
        pixels[None],
        window=None if options.frames == "all" else int(options.frames),
        sigma=sigma,
        threshold=1e-6,
        brightness=brightness,
        saturation=level,
        flicker=options.flicker,
    )[0]
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
        frames=str(options.frames),
        points=points,
        covariances=covariances,
        tracks=follow([own[:, :2] for own in points], spread),
        saturated=saturated,
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


def _window(frames: Frames, crop: Sequence[int] | None) -> tuple[np.ndarray, tuple[int, int]]:
    """The square that is looked at, and the row and column of its first pixel."""
    height, width = frames.values.shape[1:]
    if min(height, width) < LEAST:
        raise DatasetError(
            f"{frames.names[0]} has {width} x {height} pixels; a window has at least {LEAST} a side"
        )
    if crop is None:
        if height == width <= LARGEST:
            return frames.values, (0, 0)
        bright = np.abs(frames.values - np.median(frames.values, (1, 2), keepdims=True)).mean(0)
        row, column = divmod(int(bright.argmax()), width)
        side = min(CUT, height, width)
    else:
        row, column, side = crop
        if not (LEAST <= side <= min(height, width) and 0 <= row < height and 0 <= column < width):
            raise UserError(
                f"--crop {row} {column} {side}: the row and column of its middle and its side, "
                f"{LEAST} to {min(height, width)} pixels, within frames of {width} x {height}"
            )
    top = min(max(row - side // 2, 0), height - side)
    left = min(max(column - side // 2, 0), width - side)
    return frames.values[:, top : top + side, left : left + side], (top, left)
