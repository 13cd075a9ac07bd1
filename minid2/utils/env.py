"""The random seed."""

import logging
import os
import random

import numpy as np
import torch


def seed_all_rng(seed: int | None = None) -> None:
    """Seed the generators of torch, numpy and Python.

    Args:
        seed: a fixed seed, or None for one from the system's entropy, which is then logged.
    """
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little")
        logging.getLogger(__name__).info("random seed %d", seed)
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  augmentations draw from the global generator
    random.seed(seed)
    os.environ["PYTHONHASHSEED"] = str(seed)  # for the processes started from here
