"""The grid branch: a map for each point of a region, with features of its neighbours.

Source: Grid R-CNN (Lu et al., CVPR 2019), Fig. 2 and Sec. 3.3, as its "Plus" version has it.

Shape shorthand: N regions, C channels, P points of c channels each, E pairs of neighbours, R x R
cells of a region, S x S of a map (S = 2 R).
"""

import math
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.detectors.grid_rcnn.config import roi_grid_head_keys
from d2freq.modeling.detectors.grid_rcnn.grid import PointGrid
from d2freq.utils.own_keys import own_keys

__all__ = ["GridHead"]

GROUPS_OF_A_POINT = 4  # of the convolutions' group norm, 36 for nine points
PRIOR = 0.01  # probability of a cell at the start


class GridHead(nn.Module):
    """Convolutions, two rounds of fusion between neighbours, two deconvolutions.

    23,123,145 parameters with the default arguments.

    Args:
        in_channels: C.
        resolution: R, an even number.
        points: P, a square number.
        point_channels: c.
        num_conv: 3x3 convolutions, the first one of stride 2.

    Raises:
        UserError: a number that does not fit.
    """

    @configurable
    def __init__(
        self,
        *,
        in_channels: int = 256,
        resolution: int = 14,
        points: int = 9,
        point_channels: int = 64,
        num_conv: int = 8,
    ) -> None:
        super().__init__()
        if resolution < 2 or resolution % 2:
            raise UserError(
                f"MODEL.ROI_GRID_HEAD.POOLER_RESOLUTION: got {resolution!r}; give an even number"
            )
        if point_channels < 1 or point_channels % GROUPS_OF_A_POINT or num_conv < 1:
            raise UserError(
                f"MODEL.ROI_GRID_HEAD: POINT_CHANNELS {point_channels!r} and NUM_CONV "
                f"{num_conv!r}; give a multiple of {GROUPS_OF_A_POINT}, and at least 1"
            )
        self.grid = PointGrid(points=points, cells=2 * resolution)
        width = points * point_channels
        layers: list[nn.Module] = []
        for number in range(num_conv):
            wide = in_channels if number == 0 else width
            layers += [
                nn.Conv2d(wide, width, 3, stride=2 if number == 0 else 1, padding=1),
                nn.GroupNorm(GROUPS_OF_A_POINT * points, width),
                nn.ReLU(),
            ]
        self.convs = nn.Sequential(*layers)
        self.first_order = NeighbourFusion(self.grid, point_channels)
        self.second_order = NeighbourFusion(self.grid, point_channels)
        self.deconv1 = _doubling(width, width, groups=points)
        self.norm1 = nn.GroupNorm(points, width)
        self.deconv2 = _doubling(width, points, groups=points)
        for name, parameter in self.named_parameters():
            if name.startswith("convs.") and parameter.ndim == 4:
                nn.init.kaiming_normal_(parameter, mode="fan_out", nonlinearity="relu")
            elif name in ("deconv1.weight", "deconv2.weight"):
                nn.init.normal_(parameter, std=0.001)
            elif name == "deconv2.bias":
                nn.init.constant_(parameter, -math.log((1 - PRIOR) / PRIOR))
            elif name.endswith(".bias"):
                nn.init.zeros_(parameter)

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: ShapeSpec) -> dict[str, Any]:
        """MODEL.ROI_GRID_HEAD, and the channels of ``input_shape``."""
        keys = own_keys(cfg, "MODEL.ROI_GRID_HEAD", roi_grid_head_keys())
        return {
            "in_channels": input_shape.channels,
            "resolution": keys.POOLER_RESOLUTION,
            "points": keys.NUM_POINTS,
            "point_channels": keys.POINT_CHANNELS,
            "num_conv": keys.NUM_CONV,
        }

    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor | None]:
        """Maps of regions.

        Args:
            regions: (N, C, R, R); N may be 0.

        Returns:
            Logits (N, P, S, S), and in training those of the features before fusion likewise,
            which are learned beside them.
        """
        x = self.convs(regions)
        fused = x + self.second_order(x + self.first_order(x))
        return self._maps(fused), self._maps(x) if self.training else None

    def _maps(self, x: Tensor) -> Tensor:
        return self.deconv2(torch.relu(self.norm1(self.deconv1(x))))


class NeighbourFusion(nn.Module):
    """What each point gets from its neighbours: a 5x5 depthwise and a 1x1 convolution a pair.

    All E pairs are one grouped convolution; each has weights of its own.
    """

    neighbour: Tensor  # (E,)
    receives: Tensor  # (P, E), 1 where a pair is of that point

    def __init__(self, grid: PointGrid, channels: int) -> None:
        super().__init__()
        self.points, self.channels = grid.points, channels
        pairs = grid.neighbours
        owners = torch.tensor([point for point, _ in pairs])
        receives = (owners == torch.arange(grid.points)[:, None]).float()
        self.register_buffer("neighbour", torch.tensor([b for _, b in pairs]), persistent=False)
        self.register_buffer("receives", receives, persistent=False)
        width = len(pairs) * channels
        self.depthwise = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.pointwise = nn.Conv2d(width, width, 1, groups=len(pairs))
        # He's initialisation by the outputs of one pair; torch's would count those of all
        nn.init.normal_(self.depthwise.weight, std=math.sqrt(2 / (25 * channels)))
        nn.init.normal_(self.pointwise.weight, std=math.sqrt(2 / channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, P * c, r, r) to what is added to it, of the same shape."""
        by_point = x.unflatten(1, (self.points, self.channels))
        sent = self.pointwise(self.depthwise(by_point[:, self.neighbour].flatten(1, 2)))
        # a product, since adding by index is in no fixed order on a GPU, and unknown to ONNX
        heard = self.receives.to(sent.dtype) @ sent.unflatten(1, (-1, self.channels)).flatten(2)
        return heard.reshape(x.shape)


def _doubling(wide: int, narrow: int, *, groups: int) -> nn.ConvTranspose2d:
    """A deconvolution that doubles the sides of a map."""
    return nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1, groups=groups)
