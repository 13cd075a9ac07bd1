"""Detectors as files that run without this package: TorchScript and ONNX.

Both files hold one function of one image: (3, H, W) float32, values 0 to 255, channels in the
model's order (INPUT.FORMAT), to boxes (N, 4) XYXY in pixels of that image, scores (N,) and classes
(N,) int64, best first. Any H and W will do: normalisation and padding are inside. It is what
``model([{"image": image}])`` finds; resizing the image before it is the caller's. Masks
are left out, and the command says so.

ONNX goes through the exporter that records a trace (``dynamo=False``), not through torch.export:
how many boxes pass a threshold, a top-k or an NMS depends on the data, which a trace takes as it
comes, torchvision has translations of NMS and RoIAlign for it, and it needs no further package.
"""

import importlib.util
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from d2freq.errors import UserError

__all__ = ["OUTPUTS", "ImageDetector", "export_onnx", "export_torchscript"]

OUTPUTS = ("boxes", "scores", "classes")
OLDEST_OPSET = 16  # the first whose RoiAlign has aligned corners, as every config here asks for


class ImageDetector(nn.Module):
    """A detector as a function of one image; the model goes into evaluation mode.

    Args:
        model: takes a list of records and returns a list of {"instances": Instances}, as
            GeneralizedRCNN and RetinaNet do.

    Raises:
        UserError: when called, a model that gives something else, such as an ImageClassifier.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(3, H, W) float32 -> boxes (N, 4) float32, scores (N,) float32, classes (N,) int64."""
        result = self.model([{"image": image}])[0]
        if "instances" not in result:
            raise UserError(
                f"{type(self.model).__name__} gives {', '.join(result)}, no boxes: detectors alone "
                "can be exported"
            )
        found = result["instances"]
        return found.pred_boxes.tensor, found.scores, found.pred_classes


def export_torchscript(
    model: nn.Module, path: str | os.PathLike, *, size: tuple[int, int] = (256, 256)
) -> None:
    """Write ``model`` as TorchScript, for its device.

    ``torch.jit.load`` reads the file, in Python after ``import torchvision``, in C++ with
    torchvision's library linked in: NMS and RoIAlign are its operators.

    Args:
        model: see :class:`ImageDetector`.
        path: the file; missing folders are made.
        size: height and width of the random image that is traced.

    Raises:
        UserError: a size below 1.
    """
    detector, image = ImageDetector(model), _example(model, size)
    with torch.no_grad(), _quiet_tracer():
        traced = torch.jit.trace(detector, (image,), check_trace=False)
        torch.jit.save(traced, _made_room(path))


def export_onnx(
    model: nn.Module,
    path: str | os.PathLike,
    *,
    size: tuple[int, int] = (256, 256),
    opset: int = 17,
) -> None:
    """Write ``model`` as ONNX: input "image", outputs "boxes", "scores" and "classes".

    Args:
        model: see :class:`ImageDetector`.
        path: the file; missing folders are made.
        size: height and width of the random image that is traced.
        opset: version of ONNX's operators, at least 16.

    Raises:
        UserError: a size below 1, an older opset, or no package ``onnx``.
    """
    if opset < OLDEST_OPSET:
        raise UserError(f"ONNX opset {opset} has no RoiAlign with aligned corners; take 16 or more")
    if importlib.util.find_spec("onnx") is None:
        raise UserError("ONNX export needs the package onnx: pip install onnx")
    detector, image = ImageDetector(model), _example(model, size)
    with torch.no_grad(), _quiet_tracer():
        torch.onnx.export(
            detector,
            (image,),
            _made_room(path),
            dynamo=False,
            opset_version=opset,
            input_names=["image"],
            output_names=list(OUTPUTS),
            dynamic_axes={
                "image": {1: "height", 2: "width"},
                **{name: {0: "detections"} for name in OUTPUTS},
            },
        )


def _example(model: nn.Module, size: tuple[int, int]) -> Tensor:
    """Noise, so that a trace passes every stage with a few boxes at least."""
    if min(size) < 1:
        raise UserError(f"an image of {size[0]} x {size[1]} cannot be traced; sizes are above 0")
    noise = torch.rand(3, *size, generator=torch.Generator().manual_seed(0))
    return (noise * 255).to(next(model.parameters()).device)


def _made_room(path: str | os.PathLike) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return str(path)


@contextmanager
def _quiet_tracer() -> Iterator[None]:
    """Without the warnings about what a trace fixes: checks of shapes and Python's constants.

    tests/d2freq/engine/test_export.py compares files with models at other sizes than traced.
    """
    with warnings.catch_warnings():
        for kind in (torch.jit.TracerWarning, DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", kind)
        # A negative index would be lost there; those of a detector come from nonzero and NMS.
        warnings.filterwarnings("ignore", "Exporting aten::index operator", UserWarning)
        yield
