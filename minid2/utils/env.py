"""The version of torch, and the random seed."""

import os
import random

import numpy as np
import torch

from ..host import logger_of

TORCH_VERSION = tuple(int(part) for part in torch.__version__.split(".")[:2])


def seed_all_rng(seed: int | None = None) -> None:
    """Seed the generators of torch, numpy and Python.

    Args:
        seed: a fixed seed, or None for one from the system's entropy, which is then logged.
    """
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little")
        logger_of(__name__).info("random seed %d", seed)
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  augmentations draw from the global generator
    random.seed(seed)
    os.environ["PYTHONHASHSEED"] = str(seed)  # for the processes started from here
