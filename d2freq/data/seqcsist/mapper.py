"""From a trajectory's dataset dict to what unmixing models take.

Shape shorthand: T frames of m x m pixels, K targets, g = factor * m grid cells a side.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from d2freq.data.seqcsist.frames import add_noise
from d2freq.data.seqcsist.grid import grid_targets
from d2freq.errors import DatasetError, UserError
from d2freq.utils.numbers import in_range, pair_in_range

NOISIEST = 1e6  # grey levels


class SequenceMapper:
    """One trajectory with its ground truth, for Detectron2's train and test loaders.

    Noise is drawn here and not by the generator, so that one data set serves all levels of noise.
    In training it is new each time, from torch's generator, which the configuration's seed sets; in
    evaluation a trajectory has the same noise every time.

    Args:
        is_train: add the target on the grid.
        size: pixels a side that the model expects.
        factor: grid cells per pixel and axis.
        noise: standard deviation in grey levels.
        noise_range: least and largest standard deviation in training, in the place of ``noise``:
            each trajectory draws its own, anew each time. () for ``noise``.
        window: frames that a model looks at together.

    Raises:
        UserError: the window is even, or the noise or its range are none.
    """

    def __init__(
        self,
        is_train: bool,
        *,
        size: int = 11,
        factor: int = 3,
        noise: float = 0.0,
        noise_range: Sequence[float] = (),
        window: int = 5,
    ) -> None:
        if window < 1 or window % 2 == 0:
            raise UserError(
                f"window={window}: a window has a centre frame, take an odd number such as 5"
            )
        what = "standard deviation in grey levels"
        in_range(noise, 0, NOISIEST, key="INPUT.UNMIXING.NOISE is", what=what)
        if len(noise_range):
            what = "least and largest noise in grey levels, or () for one level"
            pair_in_range(noise_range, 0, NOISIEST, key="INPUT.UNMIXING.NOISE_RANGE is", what=what)
        self.is_train = is_train
        self.noise_range = tuple(noise_range)
        self.size = size
        self.factor = factor
        self.noise = noise
        self.window = window

    def __call__(self, record: dict[str, Any]) -> dict[str, Any]:
        """Map one dataset dict.

        Returns:
            ``trajectory_id``, ``file_name``, ``height`` and ``width``, ``frames`` float32
            (T, 1, m, m), ``positions`` float64 (T, K, 2), ``intensities`` float64 (T, K), and in
            training ``target`` float32 (T, 1, g, g).

        Raises:
            DatasetError: the trajectory does not fit; the message names its file.
        """
        frames = torch.as_tensor(record["frames"], dtype=torch.float32)
        where = f"{record['file_name']}, trajectory {record['trajectory_id']}"
        if tuple(frames.shape[1:]) != (self.size, self.size):
            raise DatasetError(
                f"{where}: frames of the shape {tuple(frames.shape[1:])}, the model expects "
                f"{self.size} x {self.size} pixels; set its size, or generate others (--size)"
            )
        if len(frames) < self.window:
            raise DatasetError(
                f"{where}: {len(frames)} frames, a window has {self.window}; take a smaller window "
                "or longer trajectories (--frames)"
            )
        positions = torch.as_tensor(record["positions"], dtype=torch.float64)
        intensities = torch.as_tensor(record["intensities"], dtype=torch.float64)
        mapped = {
            "trajectory_id": record["trajectory_id"],
            "file_name": record["file_name"],
            "height": self.size,  # the train loader groups by shape
            "width": self.size,
            "frames": add_noise(frames, self._level(), self._numbers(record))[:, None],
            "positions": positions,
            "intensities": intensities,
        }
        if self.is_train:
            try:
                grid = grid_targets(positions, intensities, size=self.size, factor=self.factor)
            except DatasetError as error:
                raise DatasetError(f"{where}: {error}") from error
            mapped["target"] = grid[:, None].float()
        return mapped

    def _level(self) -> float:
        if not (self.is_train and self.noise_range):
            return self.noise
        least, largest = self.noise_range
        return least + (largest - least) * float(torch.rand(()))

    def _numbers(self, record: dict[str, Any]) -> torch.Generator | None:
        """Where noise comes from: in evaluation the trajectory alone decides."""
        if self.is_train:
            return None
        name = f"{Path(record['file_name']).name} {record['trajectory_id']}"
        return torch.Generator().manual_seed(zlib.crc32(name.encode()))
