"""The head of ATSS, PAA and AutoAssign: two towers, and boxes times a learned factor a level.

Shapes: B images, C channels, H x W of a level, L levels, K classes.
"""

import math
from collections.abc import Sequence

import torch
from detectron2.layers import Conv2d, ShapeSpec, get_norm
from torch import Tensor, nn
from torch.nn import functional as F

from d2freq.errors import UserError
from d2freq.modeling.detectors.numbers_of_heads import check_head

__all__ = ["ScaledHead"]


class ScaledHead(nn.Module):
    """Class logits, four numbers of a box, and one of its quality at every cell of every level.

    The quality (centerness, IoU or objectness) comes from the tower of the boxes. All levels share
    the layers; the boxes of each level have a factor of their own, 1 at the start, because equal
    features mean larger boxes on coarser levels.

    Args:
        input_shape: of the L maps, of equal channels.
        num_classes: K, without the background.
        num_convs: 3x3 convolutions of each tower.
        norm: behind each: "" | "GN" | "BN" | "SyncBN".
        conv_bias: the towers' convolutions have biases. Without a norm they always have.
        prior_prob: probability of every class at the start.
        box_bias: the four box numbers at the start.
        section: of the config, as messages name it: "MODEL.ATSS".

    Raises:
        UserError: the maps have different channels, there is no class, a number of convolutions
            is below 0, or a probability none between 0 and 1.

    Examples:
        >>> import torch
        >>> from detectron2.layers import ShapeSpec
        >>> from d2freq.modeling.detectors.dense import ScaledHead
        >>> head = ScaledHead(input_shape=[ShapeSpec(channels=32)] * 2, num_classes=3)
        >>> maps = [torch.zeros(1, 32, 8, 8), torch.zeros(1, 32, 4, 4)]
        >>> [[tuple(level.shape) for level in kind] for kind in head(maps)][2]
        [(1, 1, 8, 8), (1, 1, 4, 4)]
    """

    def __init__(
        self,
        *,
        input_shape: Sequence[ShapeSpec],
        num_classes: int,
        num_convs: int = 4,
        norm: str = "GN",
        conv_bias: bool = False,
        prior_prob: float = 0.01,
        box_bias: float = 0.0,
        section: str = "ScaledHead",
    ) -> None:
        super().__init__()
        check_head(
            section=section, num_classes=num_classes, num_convs=num_convs, prior_prob=prior_prob
        )
        widths = {shape.channels for shape in input_shape}
        if len(widths) != 1:
            raise UserError(
                f"ScaledHead: all levels share its layers, and have {sorted(map(str, widths))} "
                "channels; give it a neck (FPN, HS-FPN) of equal channels"
            )
        channels = int(widths.pop() or 0)

        def tower() -> nn.Sequential:
            return nn.Sequential(
                *(
                    Conv2d(
                        channels,
                        channels,
                        kernel_size=3,
                        padding=1,
                        bias=conv_bias or not norm,
                        norm=get_norm(norm, channels),
                        activation=F.relu,
                    )
                    for _ in range(num_convs)
                )
            )

        self.cls_subnet, self.bbox_subnet = tower(), tower()
        self.cls_score = nn.Conv2d(channels, num_classes, 3, padding=1)
        self.bbox_pred = nn.Conv2d(channels, 4, 3, padding=1)
        self.quality = nn.Conv2d(channels, 1, 3, padding=1)
        self.scales = nn.Parameter(torch.ones(len(input_shape)))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        nn.init.constant_(self._bias_of(self.cls_score), math.log(prior_prob / (1 - prior_prob)))
        nn.init.constant_(self._bias_of(self.bbox_pred), box_bias)

    def forward(self, features: list[Tensor]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Logits (B, K, H, W), box numbers (B, 4, H, W) and quality (B, 1, H, W), by level."""
        logits = [self.cls_score(self.cls_subnet(level)) for level in features]
        towers = [self.bbox_subnet(level) for level in features]
        boxes = [
            self.bbox_pred(level) * scale
            for level, scale in zip(towers, self.scales.unbind(), strict=True)
        ]
        return logits, boxes, [self.quality(level) for level in towers]

    @staticmethod
    def _bias_of(layer: nn.Conv2d) -> Tensor:
        assert layer.bias is not None
        return layer.bias
