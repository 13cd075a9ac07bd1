"""A split of SeqCSIST in one file: written all or nothing, the same bytes for the same content.

An uncompressed ``.npz`` of numpy, N trajectories of T frames of m x m pixels, K targets in all:

* ``info`` - JSON: what made it, ``size``, ``frames`` and ``sigma`` among it.
* ``frames`` - (N, T, m, m) float32 or uint8 in grey levels.
* ``saturated`` - (N, T) int64, pixels of a frame that do not fit, or did not fit, eight bits.
* ``counts`` - (N,) int64, targets of each trajectory.
* ``positions`` - (K, T, 2) float64 in pixels, (row, column), one trajectory after the other.
* ``intensities`` - (K, T) float64 in grey levels.
"""

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from d2freq.errors import DatasetError
from d2freq.utils.files import replacing

CURE = "'d2freq generate seqcsist --overwrite' writes it anew"


@dataclass(frozen=True)
class Split:
    """Trajectories of one split, see the head of this file.

    Attributes:
        info: what the file says of itself.
        frames: (N, T, m, m) float32 or uint8.
        saturated: (N, T) int64.
        positions: of each trajectory (T, K, 2) float64.
        intensities: of each trajectory (T, K) float64.
    """

    info: dict
    frames: np.ndarray
    saturated: np.ndarray
    positions: Sequence[np.ndarray]
    intensities: Sequence[np.ndarray]

    def records(self, file_name: str | os.PathLike) -> list[dict]:
        """Dataset dicts: ``file_name``, ``trajectory_id`` and float32 frames beside the targets."""
        return [
            {
                "file_name": os.fspath(file_name),
                "trajectory_id": number,
                "frames": frames.astype(np.float32),
                "positions": positions,
                "intensities": intensities,
            }
            for number, (frames, positions, intensities) in enumerate(
                zip(self.frames, self.positions, self.intensities, strict=True)
            )
        ]


def write_split(path: str | os.PathLike, split: Split) -> Path:
    """Write a split; its folder is created, an interruption leaves the old file or none."""
    lengths = [positions.shape[1] for positions in split.positions]
    return write_arrays(
        path,
        split.info,
        frames=split.frames,
        saturated=split.saturated.astype(np.int64),
        counts=np.array(lengths, np.int64),
        positions=np.concatenate([p.swapaxes(0, 1) for p in split.positions]),
        intensities=np.concatenate([i.swapaxes(0, 1) for i in split.intensities]),
    )


def read_split(path: str | os.PathLike) -> Split:
    """Read a split.

    Raises:
        DatasetError: the file is no such file, its arrays do not fit each other, or a target lies
            outside its frame.
    """
    info, arrays = read_arrays(path, "frames", "saturated", "counts", "positions", "intensities")
    frames, counts = arrays["frames"], arrays["counts"]
    positions, intensities = arrays["positions"], arrays["intensities"]
    total, length = int(counts.sum()), frames.shape[1] if frames.ndim == 4 else -1
    fits = (
        len(counts) == len(frames)
        and positions.shape == (total, length, 2)
        and intensities.shape == (total, length)
        and arrays["saturated"].shape == frames.shape[:2]
        and frames.shape[2:] == (info.get("size"),) * 2
    )
    if not fits:
        raise DatasetError(f"{path}: its arrays do not fit each other; {CURE}")
    ends = np.cumsum(counts)[:-1]
    split = Split(
        info,
        frames,
        arrays["saturated"],
        [p.swapaxes(0, 1) for p in np.split(positions, ends)],
        [i.swapaxes(0, 1) for i in np.split(intensities, ends)],
    )
    limit = info["size"] - 0.5
    if positions.size and not (positions.min() >= -0.5 and positions.max() <= limit):
        outside = ~((positions >= -0.5) & (positions <= limit)).all((1, 2))
        number = int(np.repeat(np.arange(len(counts)), counts)[outside.argmax()])
        raise DatasetError(
            f"{path}: trajectory {number} has a target outside the frame, which reaches from -0.5 "
            f"to {limit:g} pixels; {CURE}"
        )
    return split


def write_arrays(path: str | os.PathLike, info: Mapping, **arrays: np.ndarray) -> Path:
    """Write arrays and ``info`` as an .npz; returns ``path``."""
    members: dict[str, Any] = {"info": np.array(json.dumps(dict(info))), **arrays}
    # an open file, for to a name numpy would add its own ending
    with replacing(path) as draft, open(draft, "wb") as file:
        np.savez(file, **members)  # numpy gives all members the same date
    return Path(path)


def read_arrays(path: str | os.PathLike, *names: str) -> tuple[dict, dict[str, np.ndarray]]:
    """``info`` and the named arrays of a file of :func:`write_arrays`.

    Raises:
        DatasetError: it is damaged, or lacks one of them.
        FileNotFoundError: there is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            info = json.loads(str(file["info"]))
            return info, {name: file[name] for name in names}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(
            f"{path}: damaged, or not written by d2freq ({error}); {CURE}"
        ) from error
