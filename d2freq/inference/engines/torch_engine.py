"""A model in PyTorch as an engine.

Shape legend: B pictures, H x W of each, N detections on it.
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.inference.detections import Detections
from d2freq.inference.engines.engine import ModelAbout

__all__ = ["TorchEngine"]

logger = logging.getLogger(__name__)


class TorchEngine:
    """A detector of either host, behind :class:`~d2freq.inference.engines.engine.Engine`.

    Args:
        model: takes a list of {"image": (C, H, W)} and gives a list of {"instances": Instances}.
        about: what it wants and gives.
        device: where the model is brought; "cpu", "cuda", "cuda:1".
        half: compute in bfloat16 on a CPU that has instructions for it and on CUDA; elsewhere a
            line says that it stays float32.
    """

    def __init__(
        self, model: nn.Module, about: ModelAbout, *, device: str = "cpu", half: bool = False
    ) -> None:
        self.about = about
        self.device = torch.device(device)
        self.model = model.to(self.device).eval()
        self._half = half and _computes_in_half(self.device)

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        """See Engine; pictures of one size run as one product.

        Raises:
            UserError: the model gives no boxes, as an ImageClassifier does.
        """
        records = [{"image": self._tensor(pixels)} for pixels in pictures]
        with torch.inference_mode(), self._precision():
            results = self.model(records)
        return [self._detections(result) for result in results]

    def _tensor(self, pixels: np.ndarray) -> Tensor:
        """(H, W, 3) uint8 RGB -> (C, H, W) uint8 in the model's order, as a test loader gives."""
        if self.about.channel_order == "L":
            from PIL import Image

            grey = np.asarray(Image.fromarray(pixels).convert("L"))
            return torch.from_numpy(grey.copy())[None]
        ordered = pixels if self.about.channel_order == "RGB" else pixels[:, :, ::-1]
        return torch.from_numpy(np.ascontiguousarray(ordered.transpose(2, 0, 1)))

    def _precision(self) -> AbstractContextManager:
        if not self._half:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def _detections(self, result: dict) -> Detections:
        if "instances" not in result:
            raise UserError(
                f"{type(self.model).__name__} gives {', '.join(result)}, no boxes: pictures are "
                "searched by detectors alone"
            )
        found = result["instances"].to("cpu")
        return Detections(
            found.pred_boxes.tensor.double().numpy(),
            found.scores.double().numpy(),
            found.pred_classes.numpy().astype(np.int64),
            self.about.names,
        )


def _computes_in_half(device: torch.device) -> bool:
    if device.type == "cuda":
        return True
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    if device.type == "cpu" and known is not None and known():
        return True
    logger.warning("--half: %s has no bfloat16 instructions; it stays float32", device.type)
    return False
