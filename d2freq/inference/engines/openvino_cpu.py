"""OpenVINO on the CPU as an engine."""

import numpy as np

from d2freq.engine.export import OUTPUTS
from d2freq.engine.export.metadata import KEY
from d2freq.errors import UserError
from d2freq.inference.engines.exported import ExportedEngine
from d2freq.utils.extras import install

__all__ = ["load"]


def load(path: str, *, device: str) -> ExportedEngine:
    """The detector in an .xml file with its .bin beside it, or in an .onnx file.

    Args:
        device: "cpu", the only one.

    Raises:
        UserError: OpenVINO is missing, another device, a broken file; or see ExportedEngine.
    """
    try:
        import openvino
    except ImportError as error:
        raise UserError(f"{path}: needs OpenVINO: {install('openvino')}") from error
    if device != "cpu":
        raise UserError(f"--device {device}: this engine runs on the CPU; leave --device out")
    core = openvino.Core()
    try:
        graph = core.read_model(path)
        # float32: where the CPU has bfloat16 OpenVINO would take that, and find other boxes
        compiled = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise UserError(f"{path}: nothing that OpenVINO runs here: {reason}") from error
    # where a graph keeps the metadata of the ONNX file that it was read from, or is
    place = ["framework", KEY]
    text = str(graph.get_rt_info(place).value) if graph.has_rt_info(place) else ""

    def run(batch: np.ndarray) -> list[np.ndarray]:
        found = compiled([batch])
        return [np.array(found[name]) for name in OUTPUTS]

    return ExportedEngine(path, text, run)
