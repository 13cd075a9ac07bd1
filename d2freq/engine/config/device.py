"""The device that a config or a command asks for, where it is there."""

import logging
from collections.abc import Callable

import torch

from d2freq.errors import UserError
from d2freq.utils.notices import notice

__all__ = ["check_device", "present_device"]

logger = logging.getLogger(__name__)


def present_device(device: str, key: str, *, tell: Callable = notice) -> str:
    """The device that ``key`` names, or the CPU, with a notice, where there is no CUDA.

    Detectron2's default is "cuda"; without this every command on a CPU would need an override.

    Args:
        tell: takes logger and text; ``later`` for a config, whose device many commands replace by
            one of their own.

    Raises:
        UserError: torch knows no such name.
    """
    _parsed(device, key)
    if device.startswith("cuda") and not torch.cuda.is_available():
        cure = f"{key}=cpu" if key.islower() and key[0] != "-" else f"{key} cpu"
        tell(
            logger,
            f"{key} is {device}, and this machine has no CUDA device: the CPU computes instead. "
            f"That is fine, only slower; with {cure} this line goes away",
        )
        return "cpu"
    return device


def check_device(device: str, key: str) -> None:
    """Raise UserError where this machine has no such device, or torch knows no such name."""
    parsed = _parsed(device, key)
    count = torch.cuda.device_count()  # makes no context on the GPU, which would keep memory there
    if parsed.type == "cuda" and (parsed.index or 0) >= count:
        raise UserError(
            f"{key} {device}: torch sees {count} CUDA devices here; name one of these, or cpu"
        )


def _parsed(device: str, key: str) -> torch.device:
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise UserError(f"{key} {device}: torch knows no such device; take cpu or cuda") from error
