"""A detector written to a file: TorchScript, ONNX, OpenVINO.

ONNX goes through the exporter that records a trace (``dynamo=False``), not through torch.export:
how many boxes pass a threshold, a top-k or an NMS depends on the data, which a trace takes as it
comes, torchvision has a translation of RoIAlign for it, and it needs no further package.
"""

import importlib.util
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from d2freq.engine.export.batch_detector import OUTPUTS, BatchDetector
from d2freq.engine.export.metadata import KEY, SCRIPT_FILE, as_text
from d2freq.engine.export.quantize import quantize_onnx
from d2freq.errors import UserError
from d2freq.utils.extras import install
from d2freq.utils.files import replacing

__all__ = ["export_onnx", "export_openvino", "export_torchscript"]

OLDEST_OPSET = 16  # the first whose RoiAlign has aligned corners, as every config here asks for
ALONE = 1  # pictures in the example of a detector that takes them one by one
TOGETHER = 2  # of one that takes batches: a trace takes an axis of one for a scalar's


def export_torchscript(
    model: nn.Module,
    path: str | os.PathLike,
    *,
    size: tuple[int, int] = (256, 256),
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write ``model`` as TorchScript, for its device.

    ``torch.jit.load`` reads the file, in Python after ``import torchvision``, in C++ with
    torchvision's library linked in: NMS and RoIAlign are its operators.

    Args:
        model: see :class:`BatchDetector`.
        path: the file; missing folders are made.
        size: height and width of the random pictures that are traced.
        about: what the file says of itself, see d2freq.inference.ModelAbout.

    Raises:
        UserError: a size below 1, or a model that finds no boxes.
    """
    detector = BatchDetector(model)
    images = _example(detector, size)
    with torch.no_grad(), _quiet_tracer():
        traced = torch.jit.trace(detector, (images,), check_trace=False)
        text = as_text(about or {}, batch=detector.takes_batches)
        with replacing(path) as draft:
            torch.jit.save(traced, str(draft), _extra_files={SCRIPT_FILE: text})


def export_onnx(
    model: nn.Module,
    path: str | os.PathLike,
    *,
    size: tuple[int, int] = (256, 256),
    opset: int = 17,
    about: Mapping[str, Any] | None = None,
    calibration: Iterable[np.ndarray] | None = None,
) -> None:
    """Write ``model`` as ONNX: input "pixels", outputs "boxes", "scores", "classes" and "images".

    Args:
        model, path, size, about: see ``export_torchscript``.
        opset: version of ONNX's operators, at least 16.
        calibration: pictures to make a model of 8 bits by, see ``quantize_onnx``; None for float.

    Raises:
        UserError: a size below 1, an older opset, no package ``onnx``, or a model that finds no
            boxes.
    """
    if opset < OLDEST_OPSET:
        raise UserError(f"ONNX opset {opset} has no RoiAlign with aligned corners; take 16 or more")
    if importlib.util.find_spec("onnx") is None:
        raise UserError(f"ONNX export needs the package onnx: {install('export')}")
    detector = BatchDetector(model)
    images = _example(detector, size)
    open_axes = {2: "height", 3: "width"} | ({0: "batch"} if detector.takes_batches else {})
    with replacing(path) as draft:
        with torch.no_grad(), _quiet_tracer():
            try:
                torch.onnx.export(
                    detector,
                    (images,),
                    str(draft),
                    dynamo=False,
                    opset_version=opset,
                    input_names=["pixels"],
                    output_names=list(OUTPUTS),
                    dynamic_axes={"pixels": open_axes, **{name: {0: "found"} for name in OUTPUTS}},
                )
            except torch.onnx.errors.OnnxExporterError as error:
                reason = str(error).strip().splitlines()[0]
                raise UserError(
                    f"{path}: ONNX cannot hold this model: {reason} TorchScript may "
                    "(--format torchscript)"
                ) from error
        if calibration is not None:
            quantize_onnx(draft, calibration)
        precision = "float32" if calibration is None else "int8"
        text = as_text(about or {}, batch=detector.takes_batches, precision=precision)
        _add_properties(draft, text)


def export_openvino(
    model: nn.Module,
    path: str | os.PathLike,
    *,
    size: tuple[int, int] = (256, 256),
    about: Mapping[str, Any] | None = None,
    calibration: Iterable[np.ndarray] | None = None,
) -> None:
    """Write ``model`` for OpenVINO: the graph ``path``, .xml, and its weights beside it, .bin.

    Args:
        model, path, size, about, calibration: see ``export_onnx``.

    Raises:
        UserError: see ``export_onnx``; or the name does not end in .xml, or no package
            ``openvino``.
    """
    path = Path(path)
    if path.suffix != ".xml":
        raise UserError(f"{path}: OpenVINO reads a graph that ends in .xml; name it so")
    if importlib.util.find_spec("openvino") is None:
        raise UserError(f"OpenVINO export needs the package openvino: {install('openvino')}")
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        between = Path(folder) / "model.onnx"
        export_onnx(model, between, size=size, about=about, calibration=calibration)
        graph = openvino.Core().read_model(between)
        written = Path(folder) / path.name
        openvino.serialize(graph, str(written), str(written.with_suffix(".bin")))
        # the weights first: a graph without them would be a file that cannot be read
        for suffix in (".bin", ".xml"):
            with replacing(path.with_suffix(suffix)) as draft:
                shutil.copyfile(written.with_suffix(suffix), draft)


def _example(detector: BatchDetector, size: tuple[int, int]) -> Tensor:
    """Noise, so that a trace passes every stage with a few boxes at least."""
    if min(size) < 1:
        raise UserError(f"an image of {size[0]} x {size[1]} cannot be traced; sizes are above 0")
    channels = getattr(detector.model, "pixel_mean", torch.zeros(3)).numel()
    count = TOGETHER if detector.takes_batches else ALONE
    source = torch.Generator().manual_seed(0)
    noise = torch.rand(count, channels, *size, generator=source) * 255
    return noise.to(next(detector.parameters()).device)


def _add_properties(path: Path, text: str) -> None:
    import onnx

    graph = onnx.load(str(path))
    onnx.helper.set_model_props(graph, {KEY: text})
    onnx.save(graph, str(path))


@contextmanager
def _quiet_tracer() -> Iterator[None]:
    """Without the warnings about what a trace fixes: checks of shapes and Python's constants.

    tests/d2freq/engine/export compares files with models at other sizes than traced.
    """
    with warnings.catch_warnings():
        for kind in (torch.jit.TracerWarning, DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", kind)
        # A negative index would be lost there; those of a detector come from nonzero and NMS.
        warnings.filterwarnings("ignore", "Exporting aten::index operator", UserWarning)
        # It says what the exporter leaves for the runtime to compute.
        warnings.filterwarnings("ignore", "Constant folding", UserWarning)
        yield
