"""The device that a config or a command asks for, where it is there."""

import logging

import torch

__all__ = ["present_device"]

logger = logging.getLogger(__name__)


def present_device(device: str, key: str) -> str:
    """The device that ``key`` names, or the CPU, with a warning, where there is no CUDA.

    Detectron2's default is "cuda"; without this every command on a CPU would need an override.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        logger.warning("%s is %s, but this machine has no CUDA device: using cpu", key, device)
        return "cpu"
    return device
