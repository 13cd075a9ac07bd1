"""A detector as a function from tensors to tensors, of a batch of pictures of one size.

Shape shorthand: B pictures of H x W, C channels, N detections on all of them.
"""

from typing import Any

import torch
from detectron2.structures import ImageList
from torch import Tensor, nn

from d2freq.engine.export.dense import detect_densely, is_dense
from d2freq.engine.export.queries import detect_by_queries, is_by_queries
from d2freq.engine.export.rows import is_there
from d2freq.engine.export.two_stage import detect_in_two_stages, is_two_stage
from d2freq.errors import UserError

__all__ = ["OUTPUTS", "BatchDetector", "ImageDetector"]

OUTPUTS = ("boxes", "scores", "classes", "images")


class BatchDetector(nn.Module):
    """What ``model([{"image": image}])`` finds on each picture; it goes into evaluation mode.

    Args:
        model: takes a list of records and returns a list of {"instances": Instances}. Faster and
            Cascade R-CNN, RetinaNet and FCOS of the host, of d2freq, DINO, and subclasses that
            leave inference as it is, take any number of pictures at once; another one a picture.

    Attributes:
        takes_batches: whether B may be other than 1.

    Raises:
        UserError: when called, a model that finds no boxes, such as an ImageClassifier.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        # a model that wraps a detector for training, as SET does, is that detector when it detects
        self.model: Any = getattr(model, "detector", model)
        self._find: Any = None
        if is_two_stage(self.model):
            self._find = detect_in_two_stages
        elif is_dense(self.model):
            self._find = detect_densely
        elif is_by_queries(self.model):
            self._find = detect_by_queries
        self.eval()

    @property
    def takes_batches(self) -> bool:
        return self._find is not None

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Detections of all pictures, one after the other, best first on each.

        Args:
            images: (B, C, H, W) float32, 0 to 255, channels in the model's order.

        Returns:
            boxes (N, 4) float32 XYXY in pixels, scores (N,) float32, classes (N,) int64, and
            images (N,) int64: which picture of the batch each was found on.
        """
        if self._find is None:
            return _alone(self.model, images)
        model = self.model
        backbone = model.backbone
        pixels = (images - model.pixel_mean) / model.pixel_std
        # the batch as a single image of B x C channels: all pictures are padded alike
        padded = ImageList.from_tensors(
            [pixels], backbone.size_divisibility, padding_constraints=backbone.padding_constraints
        ).tensor[0]
        height, width = images.shape[-2:]
        sides = (torch.as_tensor(side, device=images.device) for side in (width, height))
        limit = torch.stack(list(sides)).float().repeat(2)
        boxes, scores, classes = self._find(model, backbone(padded), limit)
        boxes = torch.minimum(boxes.clamp(min=0), limit)
        area = (boxes[..., 2:] > boxes[..., :2]).all(dim=-1)
        picture, place = (is_there(scores) & area).nonzero().unbind(1)
        return boxes[picture, place], scores[picture, place], classes[picture, place], picture


class ImageDetector(nn.Module):
    """A detector as a function of one picture, by the model's own inference.

    Args:
        model: as of :class:`BatchDetector`, whatever its inference.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(C, H, W) float32 -> boxes (N, 4) float32, scores (N,) float32, classes (N,) int64.

        Raises:
            UserError: a model that finds no boxes, such as an ImageClassifier.
        """
        return _alone(self.model, image[None])[:3]


def _alone(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    result = model([{"image": images[0]}])[0]
    if "instances" not in result:
        raise UserError(
            f"{type(model).__name__} gives {', '.join(result)}, no boxes: detectors alone can be "
            "exported"
        )
    found = result["instances"]
    return found.pred_boxes.tensor, found.scores, found.pred_classes, found.pred_classes * 0
