"""ResNet with SAC and weight standardisation, the bottom-up of DetectoRS.

Shape shorthand: B images, C channels, H x W the images.
"""

from collections.abc import Sequence

from detectron2.layers import CNNBlockBase, Conv2d
from detectron2.modeling.backbone import ResNet
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.modeling.backbones.extents import extents_of, is_batch_norm_training
from d2freq.modeling.backbones.scripting import TracedBackbone
from d2freq.modeling.detectors.sac.switchable_conv import make_switchable
from d2freq.modeling.detectors.sac.weight_standardization import standardize

__all__ = ["SACResNet"]

SCRIPTED = 4  # sides of the example for a trace, in units of the last stride: SAC takes no two


class SACResNet(ResNet):
    """The host's ResNet, in which ``conv2`` of a block is switchable and all weights standardised.

    Names, shapes and, from equal weights, feature maps are the plain ResNet's: a file of ImageNet
    weights loads. DetectoRS has bottleneck blocks alone; that ``conv2`` of a basic block, its
    second, is switchable too is an extension for small networks.

    Args:
        stem, stages, num_classes, out_features, freeze_at: see
            :class:`detectron2.modeling.backbone.ResNet`.
        sac_on_per_stage: for each stage, whether ``conv2`` of its blocks is switchable.
        deform: whether these are deformable.
        weight_standardization: whether all convolutions standardise their weights.

    Raises:
        UserError: a flag too many or too few, or no flag, or a ``conv2`` of another kind.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.detectors.sac import SACResNet
        >>> from detectron2.modeling.backbone import BasicStem, ResNet
        >>> network = SACResNet(
        ...     stem=BasicStem(), stages=ResNet.make_default_stages(18), out_features=["res4"]
        ... )
        >>> tuple(network(torch.randn(1, 3, 96, 128))["res4"].shape)
        (1, 256, 6, 8)
    """

    def __init__(
        self,
        stem: CNNBlockBase,
        stages: list[list[CNNBlockBase]],
        num_classes: int | None = None,
        out_features: list[str] | None = None,
        freeze_at: int = 0,
        *,
        sac_on_per_stage: Sequence[bool] = (False, True, True, True),
        deform: bool = True,
        weight_standardization: bool = True,
    ) -> None:
        super().__init__(stem, stages, num_classes, out_features, freeze_at=0)
        if any(flag not in (False, True) for flag in sac_on_per_stage):
            raise UserError(
                f"sac_on_per_stage (MODEL.DETECTORS.SAC_ON_PER_STAGE): {list(sac_on_per_stage)}; "
                "give True or False for each stage, from res2 on"
            )
        if len(sac_on_per_stage) != len(stages):
            raise UserError(
                f"sac_on_per_stage (MODEL.DETECTORS.SAC_ON_PER_STAGE): {len(sac_on_per_stage)} "
                f"flags for {len(stages)} stages; give one for each, from res2 on"
            )
        for stage, switchable in zip(self.stages, sac_on_per_stage, strict=False):
            for block in stage.children() if switchable else ():
                make_switchable(block.conv2, deform=deform, standardized=weight_standardization)
        for module in list(self.modules()) if weight_standardization else ():
            if type(module) is Conv2d:  # layers within a switchable one are torch's own
                standardize(module)
        self.freeze(freeze_at)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(B, C, H, W) -> feature maps by name, (B, C_i, H / stride, W / stride) each.

        A context is the mean of a whole map, so images of several sizes in a padded batch go
        through one by one, and each gives what it gives alone, with zeros beyond; not while a
        batch norm trains, which sees the whole batch anyway.
        """
        extents = extents_of(x)
        if extents is None or is_batch_norm_training(self):
            return super().forward(x)
        return extents.apply(super().forward, x)

    def __prepare_scriptable__(self) -> nn.Module:
        return TracedBackbone(self, strides=SCRIPTED)
