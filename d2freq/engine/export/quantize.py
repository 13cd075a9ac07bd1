"""An ONNX detector in 8 bits: convolutions and linear layers, their ranges seen on pictures.

Shape shorthand: C channels, H x W of a picture.
"""

import importlib.util
import itertools
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from d2freq.errors import UserError
from d2freq.utils.extras import install

__all__ = ["quantize_onnx"]

# HS-FPN's filter is a small difference of large numbers and attention is not worth the loss, so
# products of two maps stay in float.
KINDS = ("Conv", "Gemm")
# What says where a box ends and how it scores stays too: a step of 8 bits is as much as a pixel.
LAST = ("objectness_logits", "anchor_deltas", "cls_score", "bbox_pred", "ctrness")


def quantize_onnx(path: Path, pictures: Iterable[np.ndarray]) -> None:
    """Replace the float file ``path`` by one in 8 bits, as ONNX Runtime and OpenVINO run it.

    Weights have a scale for each channel, maps one each: the range that they took on the pictures.

    Args:
        pictures: (1, C, H, W) float32 each, such as the model will see; some dozens.

    Raises:
        UserError: there are no pictures, or no package ``onnxruntime``.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise UserError(f"--int8 needs the package onnxruntime: {install('export')}")
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    rest = iter(pictures)
    first = next(rest, None)
    if first is None:
        raise UserError("--calibration: no pictures to see ranges on")

    class Reader(quantization.CalibrationDataReader):
        """Pictures until None."""

        batches = itertools.chain([first], rest)

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"pixels": batch}

    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        # Symbolic shapes: its package would be one more, and sizes are open here anyway.
        quant_pre_process(path, ready, skip_symbolic_shape=True)
        nodes = onnx.load(ready, load_external_data=False).graph.node
        kept = [node.name for node in nodes if any(name in node.name for name in LAST)]
        quantization.quantize_static(
            ready,
            path,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(KINDS),
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=kept,
        )
