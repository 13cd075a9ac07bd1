"""TorchScript as an engine."""

import numpy as np
import torch
import torchvision  # noqa: F401  whose operators are in the file

from d2freq.engine.config.device import check_device
from d2freq.engine.export.metadata import SCRIPT_FILE
from d2freq.errors import UserError
from d2freq.inference.engines.exported import ExportedEngine

__all__ = ["load"]


def load(path: str, *, device: str) -> ExportedEngine:
    """The detector in a .pt file.

    Args:
        device: "cpu" or "cuda", the one that it was exported on: a trace holds tensors of its own.

    Raises:
        UserError: no TorchScript, no such device; or see ExportedEngine.
    """
    extra = {SCRIPT_FILE: ""}
    check_device(device, "--device")
    try:
        module = torch.jit.load(path, map_location=device, _extra_files=extra).eval()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path}: no TorchScript that runs here: {reason}") from error

    def run(batch: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            found = module(torch.from_numpy(batch).to(device))
        return [each.cpu().numpy() for each in found]

    text = extra[SCRIPT_FILE]
    return ExportedEngine(path, text.decode() if isinstance(text, bytes) else text, run)
