"""ONNX Runtime as an engine."""

import numpy as np

from d2freq.engine.export import OUTPUTS
from d2freq.engine.export.metadata import KEY
from d2freq.errors import UserError
from d2freq.inference.engines.exported import ExportedEngine
from d2freq.utils.extras import install

__all__ = ["load"]

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def load(path: str, *, device: str) -> ExportedEngine:
    """The detector in an .onnx file.

    Args:
        device: "cpu" or "cuda"; the latter needs the package onnxruntime-gpu.

    Raises:
        UserError: ONNX Runtime is missing or has no such device, the file is broken; or see
            ExportedEngine.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(f"{path}: needs ONNX Runtime: {install('export')}") from error
    provider = PROVIDERS.get(device.partition(":")[0], "")
    if provider not in onnxruntime.get_available_providers():
        raise UserError(
            f"--device {device}: this ONNX Runtime has {onnxruntime.get_available_providers()}; "
            "CUDA comes with the package onnxruntime-gpu"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # warnings of initializers without use say nothing to a user
    try:
        session = onnxruntime.InferenceSession(path, options, providers=[provider])
    except Exception as error:  # its own classes have no common parent
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path}: no ONNX file that runs here: {reason}") from error

    def run(batch: np.ndarray) -> list[np.ndarray]:
        return session.run(list(OUTPUTS), {"pixels": batch})

    return ExportedEngine(path, session.get_modelmeta().custom_metadata_map.get(KEY, ""), run)
