"""One image in, its detections out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ...checkpoint import DetectionCheckpointer
from ...config import CfgNode
from ...data import MetadataCatalog
from ...data import transforms as T
from ...modeling import build_model


class DefaultPredictor:
    """A trained model for single images; it loads, converts, resizes and runs in eval mode.

    For demonstrations; for speed, or batches, call the model itself. Example::

        predictor = DefaultPredictor(cfg)
        instances = predictor(cv2.imread("image.jpg"))["instances"]

    Args:
        cfg: names the model, ``MODEL.WEIGHTS``, and how to resize and order the pixels.

    Attributes:
        metadata: of the first data set in ``DATASETS.TEST``, if there is one.

    Raises:
        ValueError: ``INPUT.FORMAT`` is neither "BGR" nor "RGB".
    """

    def __init__(self, cfg: CfgNode) -> None:
        self.cfg = cfg.clone()
        self.input_format = cfg.INPUT.FORMAT
        if self.input_format not in ("BGR", "RGB"):
            raise ValueError(
                f"DefaultPredictor takes color images: INPUT.FORMAT is {self.input_format!r} "
                "and must be 'BGR' or 'RGB'."
            )
        self.model = build_model(self.cfg).eval()
        if cfg.DATASETS.TEST:
            self.metadata = MetadataCatalog.get(cfg.DATASETS.TEST[0])
        DetectionCheckpointer(self.model).load(cfg.MODEL.WEIGHTS)
        shortest = cfg.INPUT.MIN_SIZE_TEST
        self.aug = T.ResizeShortestEdge([shortest, shortest], cfg.INPUT.MAX_SIZE_TEST)

    @torch.no_grad()
    def __call__(self, original_image: np.ndarray) -> dict[str, Any]:
        """Detect in one image.

        Args:
            original_image: (H, W, 3) in the order blue, green, red, 0 to 255.

        Returns:
            The model's output for it, with boxes in its own coordinates.
        """
        height, width = original_image.shape[:2]
        pixels = original_image[:, :, ::-1] if self.input_format == "RGB" else original_image
        resized = self.aug.get_transform(pixels).apply_image(pixels)
        image = torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))
        record = {
            "image": image.float().to(self.cfg.MODEL.DEVICE),
            "height": height,
            "width": width,
        }
        return self.model([record])[0]
