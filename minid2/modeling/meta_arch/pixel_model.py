"""The way from records to a padded batch, and of results back to the records' sizes.

Shapes: C pixel channels, each image (C, H, W) with its own H and W, values 0 to 255.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ...layers import move_device_like
from ...structures import ImageList, Instances
from ..backbone import Backbone
from ..postprocessing import detector_postprocess

Records = list[dict[str, Any]]


class PixelModel(nn.Module):
    """What both networks share: the pixel statistics, the device, and the way to a batch."""

    backbone: Backbone
    pixel_mean: torch.Tensor
    pixel_std: torch.Tensor

    def set_pixel_statistics(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Keep one mean and one standard deviation a channel as buffers (C, 1, 1)."""
        if len(mean) != len(std):
            raise ValueError(
                f"MODEL.PIXEL_MEAN has {len(mean)} channels but MODEL.PIXEL_STD has {len(std)}"
            )
        for name, values in (("pixel_mean", mean), ("pixel_std", std)):
            # Not persistent: they belong to the config, so a checkpoint must not override them.
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the model lies, and where `forward` brings its inputs."""
        return self.pixel_mean.device

    def _move_to_current_device(self, x: torch.Tensor) -> torch.Tensor:
        return move_device_like(x, self.pixel_mean)

    def preprocess_image(self, batched_inputs: Records) -> ImageList:
        """Normalise each image, then pad all to one size the backbone can take.

        Padding comes last, so that the border holds zeros, the mean colour.
        """
        images = []
        for record in batched_inputs:
            pixels = self._move_to_current_device(record["image"])
            images.append((pixels - self.pixel_mean) / self.pixel_std)
        return ImageList.from_tensors(
            images,
            self.backbone.size_divisibility,
            padding_constraints=self.backbone.padding_constraints,
        )

    def ground_truth(self, batched_inputs: Records) -> list[Instances] | None:
        """The records' "instances" on the model's device; None where the first has none."""
        if "instances" not in batched_inputs[0]:
            return None
        return [record["instances"].to(self.device) for record in batched_inputs]


def rescale(
    results: list[Instances], records: Records, sizes: Sequence[Any], key: str
) -> list[dict]:
    """Bring each result to the record's "height" and "width" (default: the image's own size)."""
    outputs = []
    for result, record, (height, width) in zip(results, records, sizes, strict=True):
        height, width = record.get("height", height), record.get("width", width)
        outputs.append({key: detector_postprocess(result, height, width)})
    return outputs
