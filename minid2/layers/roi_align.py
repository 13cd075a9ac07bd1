"""Crops of feature maps at regions.

Shapes: N images, C channels, H x W a feature map, R regions.
"""

import torch
from torchvision.ops import RoIAlign, roi_align

__all__ = ["ROIAlign", "roi_align"]


class ROIAlign(RoIAlign):
    """Crops of (N, C, H, W) at regions (R, 5), image index and XYXY in input pixels.

    ``sampling_ratio`` 0 takes as many samples a bin as the region's size asks for. ``aligned``
    shifts by half a pixel, so that continuous coordinates meet pixel centres.
    """

    def __init__(
        self,
        output_size: int | tuple[int, int],
        spatial_scale: float,
        sampling_ratio: int,
        aligned: bool = True,
    ):
        super().__init__(output_size, spatial_scale, sampling_ratio, aligned)

    def forward(self, input: torch.Tensor, rois: torch.Tensor) -> torch.Tensor:
        """Crop to (R, C, height, width), in the dtype of ``input``."""
        return super().forward(input, rois.to(dtype=input.dtype))
