"""One image in, its detections out."""

from typing import Any

import numpy as np
import torch

from ..checkpoint import DetectionCheckpointer
from ..config import CfgNode
from ..data import MetadataCatalog
from ..data import transforms as T
from ..modeling import build_model


class DefaultPredictor:
    """A trained model for single images; it loads, converts, resizes and runs in eval mode.

    For demonstrations; for speed, or batches, call the model itself. Example::

        predictor = DefaultPredictor(cfg)
        instances = predictor(cv2.imread("image.jpg"))["instances"]

    ``metadata`` is that of the first data set in ``DATASETS.TEST``, if there is one.
    """

    def __init__(self, cfg: CfgNode) -> None:
        self.cfg = cfg.clone()
        self.model = build_model(self.cfg).eval()
        if cfg.DATASETS.TEST:
            self.metadata = MetadataCatalog.get(cfg.DATASETS.TEST[0])
        DetectionCheckpointer(self.model).load(cfg.MODEL.WEIGHTS)
        shortest = cfg.INPUT.MIN_SIZE_TEST
        self.aug = T.ResizeShortestEdge([shortest, shortest], cfg.INPUT.MAX_SIZE_TEST)
        self.input_format = cfg.INPUT.FORMAT
        assert self.input_format in ("BGR", "RGB"), f"INPUT.FORMAT {self.input_format}: BGR or RGB"

    @torch.no_grad()
    def __call__(self, original_image: np.ndarray) -> dict[str, Any]:
        """The model's output for one image, with boxes in its own coordinates.

        Args:
            original_image: (H, W, 3) in the order blue, green, red, 0 to 255.
        """
        height, width = original_image.shape[:2]
        pixels = original_image[:, :, ::-1] if self.input_format == "RGB" else original_image
        resized = self.aug.get_transform(pixels).apply_image(pixels)
        image = torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))
        image = image.float().to(self.cfg.MODEL.DEVICE)
        return self.model([{"image": image, "height": height, "width": width}])[0]
