"""ROIAlign as a module, over torchvision's operator.

Shapes: N images, C channels, H x W a feature map, R regions.
"""

import torch
from torch import nn
from torchvision.ops import roi_align

__all__ = ["ROIAlign", "roi_align"]


class ROIAlign(nn.Module):
    """Crop regions to one size by bilinear sampling."""

    def __init__(
        self,
        output_size: int | tuple[int, int],
        spatial_scale: float,
        sampling_ratio: int,
        aligned: bool = True,
    ):
        """Keep the arguments of the operator.

        Args:
            output_size: (height, width) of each crop, or one number for both.
            spatial_scale: feature pixels per input pixel.
            sampling_ratio: samples a bin and side; 0 takes as many as the region's size asks for.
            aligned: shift by half a pixel, so that continuous coordinates meet pixel centres;
                False is the first version of the operator.
        """
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned

    def forward(self, input: torch.Tensor, rois: torch.Tensor) -> torch.Tensor:
        """Crop.

        Args:
            input: (N, C, H, W).
            rois: (R, 5), image index and XYXY in input pixels.

        Returns:
            (R, C, height, width), in the dtype of ``input``.
        """
        if rois.dim() != 2 or rois.shape[1] != 5:
            raise ValueError(f"ROIAlign takes rois of shape (R, 5), got {tuple(rois.shape)}")
        return roi_align(
            input,
            rois.to(dtype=input.dtype),
            self.output_size,
            self.spatial_scale,
            self.sampling_ratio,
            self.aligned,
        )

    def extra_repr(self) -> str:
        """The operator's arguments in ``repr``."""
        return (
            f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"sampling_ratio={self.sampling_ratio}, aligned={self.aligned}"
        )
