"""What every detector does around its network: pixels in, boxes in the user's pixels out.

Shapes: B images, C pixel channels, each image (C, H, W) with its own H and W, values 0 to 255.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ...structures import ImageList, Instances
from ..backbone import Backbone
from ..postprocessing import detector_postprocess

Records = list[dict[str, Any]]


class Detector(nn.Module):
    """A backbone, and the way of its images and ground truth in and of its boxes out."""

    pixel_mean: torch.Tensor
    pixel_std: torch.Tensor

    def __init__(
        self, backbone: Backbone, *, pixel_mean: Sequence[float], pixel_std: Sequence[float]
    ) -> None:
        super().__init__()
        if len(pixel_mean) != len(pixel_std):
            raise ValueError(
                f"MODEL.PIXEL_MEAN has {len(pixel_mean)} channels, MODEL.PIXEL_STD {len(pixel_std)}"
            )
        self.backbone = backbone
        for name, values in (("pixel_mean", pixel_mean), ("pixel_std", pixel_std)):
            # Not persistent: they belong to the config, so a checkpoint must not override them.
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the model lies, and where `forward` brings its inputs."""
        return self.pixel_mean.device

    def preprocess_image(self, batched_inputs: Records) -> ImageList:
        """Normalise each image, then pad all to one size the backbone can take.

        Padding comes last, so that the border holds zeros, the mean colour.
        """
        images = [record["image"].to(self.device) for record in batched_inputs]
        return ImageList.from_tensors(
            [(image - self.pixel_mean) / self.pixel_std for image in images],
            self.backbone.size_divisibility,
            padding_constraints=self.backbone.padding_constraints,
        )

    def _ground_truth(self, batched_inputs: Records) -> list[Instances]:
        if any("instances" not in record for record in batched_inputs):
            raise ValueError("training needs 'instances' in every record of the batch")
        return [record["instances"].to(self.device) for record in batched_inputs]

    @staticmethod
    def _postprocess(
        results: list[Instances], batched_inputs: Records, image_sizes: Sequence[Any]
    ) -> list[dict[str, Instances]]:
        """Rescale to the records' "height" and "width", or to the image as it came in."""
        outputs = []
        for found, record, size in zip(results, batched_inputs, image_sizes, strict=True):
            height, width = record.get("height", size[0]), record.get("width", size[1])
            outputs.append({"instances": detector_postprocess(found, height, width)})
        return outputs
