"""Q_init beside the training split that it was computed from, computed anew where that changed."""

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from d2freq.data.seqcsist.files import read_arrays, write_arrays
from d2freq.data.seqcsist.q_init_fit import least_squares
from d2freq.errors import DatasetError

logger = logging.getLogger(__name__)


def file_name(factor: int, ridge: float = 0.0) -> str:
    """What the matrix of a training split is called: each factor and ridge has a file."""
    return f"q_init_x{factor}.npz" if not ridge else f"q_init_x{factor}_ridge{ridge:g}.npz"


def cached(
    file: str | os.PathLike,
    load: Callable[[], list[dict]],
    *,
    made_from: dict,
    size: int,
    factor: int,
    sigma: float,
    ridge: float = 0.0,
    progress: bool = True,
) -> Tensor:
    """The (g*g, m*m) float64 matrix in ``file`` if it was made from the same, else a new one.

    A new one is written to ``file``; where that cannot be, a warning says so.

    Args:
        load: gives the dataset dicts of the training split; called only at need.
        made_from: what tells this training split from another, JSON types.

    Raises:
        DatasetError: the training split is faulty.
    """
    key = {"made_from": made_from, "size": size, "factor": factor, "sigma": sigma, "ridge": ridge}
    key = json.loads(json.dumps(key))
    found = stored(file, key)
    if found is not None:
        return found
    records = load()
    quiet = not progress or len(records) < 1000
    truth = tqdm(records, desc="Q_init", unit=" trajectories", disable=quiet)
    matrix = least_squares(
        ((torch.from_numpy(r["positions"]), torch.from_numpy(r["intensities"])) for r in truth),
        size=size,
        factor=factor,
        sigma=sigma,
        ridge=ridge,
    )
    try:
        write_arrays(file, key, q_init=matrix.numpy())
    except OSError as error:
        logger.warning("%s: Q_init is not kept (%s), it is computed for each run", file, error)
    return matrix


def stored(file: str | os.PathLike, key: dict) -> Tensor | None:
    """The matrix in ``file``, None where there is none or it was made from something else."""
    try:
        info, arrays = read_arrays(file, "q_init")
    except (FileNotFoundError, DatasetError):  # a damaged cache is computed anew
        return None
    return torch.from_numpy(arrays["q_init"]) if info == key else None


def read_q_init(path: str | os.PathLike) -> Tensor:
    """A matrix from a file: ours (.npz), numpy's (.npy), or the published ``qinit.mat``; float64.

    Raises:
        DatasetError: the file is missing or holds no such matrix.
    """
    from scipy import io  # slow to import, and hardly ever needed

    file = Path(path)
    if not file.is_file():
        raise DatasetError(
            f"{file}: not found; give a file, or the name of a registered data set, whose matrix "
            "is computed from its training split"
        )
    try:
        if file.suffix == ".mat":
            matrix = io.loadmat(str(file))["Qinit"]
        elif file.suffix == ".npy":
            matrix = np.load(file, allow_pickle=False)
        else:
            matrix = read_arrays(file, "q_init")[1]["q_init"]
    except (KeyError, ValueError, NotImplementedError, OSError) as error:
        raise DatasetError(
            f"{file}: holds no Q_init ({error}); an .npz of d2freq, an .npy, or a .mat before "
            "version 7.3 with the variable Qinit is read"
        ) from error
    if matrix.ndim != 2:
        raise DatasetError(f"{file}: Q_init has the shape {matrix.shape}, expected a matrix")
    return torch.from_numpy(np.asarray(matrix, np.float64))


def check_q_init(matrix: Tensor, where: str | os.PathLike, *, size: int, factor: int) -> None:
    """Raise DatasetError unless ``matrix`` maps frames of ``size`` to a grid of that ``factor``."""
    expected = ((factor * size) ** 2, size**2)
    if tuple(matrix.shape) != expected:
        raise DatasetError(
            f"{where}: Q_init has the shape {tuple(matrix.shape)}, frames of {size} x {size} "
            f"pixels with {factor} cells a pixel need {expected}; give the size and factor that it "
            "was made for, or let it be computed from the training split"
        )
