"""Detectors as files that run without this package: TorchScript, ONNX and OpenVINO.

A file holds one function of a batch of pictures of one size: ``pixels`` (B, C, H, W) float32,
values 0 to 255, channels in the model's order, to ``boxes`` (N, 4) XYXY in pixels of the pictures,
``scores`` (N,), ``classes`` (N,) int64 and ``images`` (N,) int64, which picture each is of; best
first on each picture. Any B, H and W will do: normalisation and padding are inside. It is what
``model([{"image": image}])`` finds on each; resizing is the caller's. Masks are left out.
"""

from d2freq.engine.export.batch_detector import OUTPUTS, BatchDetector, ImageDetector
from d2freq.engine.export.files import export_onnx, export_openvino, export_torchscript

__all__ = [
    "OUTPUTS",
    "BatchDetector",
    "ImageDetector",
    "export_onnx",
    "export_openvino",
    "export_torchscript",
]
