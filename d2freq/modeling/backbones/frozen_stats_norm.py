"""FrozenStatsBN: batch norm whose statistics are fixed, while weight and bias go on learning.

It is how the HS-FPN and RFLA papers' framework trains the backbone of a two-stage detector.
Detectron2's FrozenBN fixes all four. Detectron2 names norms in a fixed table, so a name of ours
cannot reach its own builders; ``get_norm`` takes a class as well, and d2freq's builders hand it in.
"""

import torch.nn.functional as F
from detectron2.layers import FrozenBatchNorm2d
from torch import Tensor, nn

__all__ = ["FROZEN_STATS", "FrozenStatsBatchNorm2d", "fix_statistics", "norm_layer"]

FROZEN_STATS = "FrozenStatsBN"


class FrozenStatsBatchNorm2d(FrozenBatchNorm2d):
    """FrozenBatchNorm2d with ``weight`` and ``bias`` as parameters; the same keys and output.

    A fresh layer is the identity. The optimizer decays both like any weight.
    """

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__(num_features, eps)
        for name in ("weight", "bias"):
            value = getattr(self, name)
            delattr(self, name)  # a buffer until here
            self.register_parameter(name, nn.Parameter(value))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W). The gradient of ``weight`` needs x, so one fused step is best."""
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


def norm_layer(name: str) -> str | type[nn.Module]:
    """What ``get_norm`` takes for a norm's name: the class of FrozenStatsBN, other names as is.

    In a lazy config: ``norm=L(norm_layer)(name="FrozenStatsBN")``.
    """
    return FrozenStatsBatchNorm2d if name == FROZEN_STATS else name


def fix_statistics(module: nn.Module) -> None:
    """Put a fresh FrozenStatsBatchNorm2d in the place of each BatchNorm2d within a new module."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, FrozenStatsBatchNorm2d(child.num_features, child.eps))
        else:
            fix_statistics(child)
