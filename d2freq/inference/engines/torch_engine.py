"""A model in PyTorch as an engine.

Shape legend: B pictures, H x W of each, N detections on it.
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import nn

from d2freq.errors import UserError
from d2freq.inference.detections import Detections
from d2freq.inference.engines.engine import ModelAbout
from d2freq.inference.engines.pixels import places_by_size, planes

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
        """See Engine; pictures of one size run as one product, and others apart.

        In one padded batch even a plain FPN sees each through the padding of the others.

        Raises:
            UserError: the model gives no boxes, as an ImageClassifier does.
        """
        found: dict[int, Detections] = {}
        for group in places_by_size(pictures):
            own = [planes(pictures[place], self.about.channel_order) for place in group]
            with torch.inference_mode(), self._precision():
                results = self.model([{"image": torch.from_numpy(pixels)} for pixels in own])
            found.update(zip(group, map(self._detections, results), strict=True))
        return [found[place] for place in range(len(pictures))]

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
