"""SRGAN, ESRGAN and BSRGAN as unmixing methods.

Shapes as in base.py; here N = B * F frames, values in intensities of a target.

Table 7's rows (26.96, 36.86, 33.21 CSO-mAP) cannot be reproduced from what is published: the stock
generator refuses a factor of 3, the stock discriminator anything but 128 x 128 cells, and their
changes are not published. Nor can their losses mean much here. The one of weight 1 compares the
features that VGG19, trained on photographs, has at its 34th layer (2 x 2 places) for grids of grey
levels; the grid's own error has 0.01, on grids that are dark by 99.7 %; and an adversarial loss
rewards plausible places, where the metric asks for the true ones. ISTA without any training has
35.4. Here the generators learn the squared error, as all methods do. A discriminator may be added;
VGG19 is not there.
"""

from typing import Any

import torch
import torch.nn.functional as F
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn
from torch.func import functional_call

from d2freq.errors import UserError
from d2freq.modeling.registration import register
from d2freq.modeling.unmixing.methods.adversarial.discriminators import (
    CellDiscriminator,
    GridDiscriminator,
)
from d2freq.modeling.unmixing.methods.adversarial.generators import (
    DenseGenerator,
    ResidualGenerator,
)
from d2freq.modeling.unmixing.methods.config import arguments_of
from d2freq.modeling.unmixing.single_frame import ScaledModel
from d2freq.modeling.unmixing.units import INTENSITY

__all__ = ["BSRGAN", "ESRGAN", "SRGAN"]


class _Adversarial(ScaledModel):
    """A generator, and where the weight is above 0 a discriminator that learns beside it.

    One optimizer serves both: the generator's loss takes the discriminator's weights as constants,
    the discriminator's loss takes the generator's grids as constants, so that each learns from its
    own loss alone. A subclass sets ``generator``, and gives ``make_discriminator``.
    """

    needs_q_init = False
    relative = False  # a grid is judged beside the mean of the other kind
    generator: nn.Module

    def __init__(
        self, *, adversarial_weight: float, discriminator_channels: int, **optics: Any
    ) -> None:
        name = f"MODEL.{type(self).__name__}"
        if adversarial_weight < 0:
            raise UserError(
                f"{name}.ADVERSARIAL_WEIGHT is {adversarial_weight}: at least 0, and 0 for no "
                "discriminator"
            )
        super().__init__(**optics)
        self.adversarial_weight = adversarial_weight
        self.discriminator: nn.Module | None = None
        if adversarial_weight:
            self.discriminator = self.make_discriminator(discriminator_channels)

    def make_discriminator(self, channels: int) -> nn.Module:
        """From ``channels`` of its first layers; (N, 1, g, g) -> logits."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """MODEL.SRGAN, ESRGAN or BSRGAN, and MODEL.UNMIXING."""
        return {**super().from_config(cfg), **arguments_of(cfg, cls.__name__)}

    def unmix(self, frames: Tensor) -> Tensor:
        """(N, 1, m, m) -> (N, 1, g, g)."""
        return self.generator(frames)

    def losses(self, frames: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Mean squared error in grey levels; with a discriminator its loss, and the weighted other.

        "loss_adversarial" moves the generator alone, "loss_discriminator" the discriminator alone.
        """
        truth = self.centres(targets).flatten(0, 1).float() / INTENSITY
        grids = self.unmix(self.centres(frames).flatten(0, 1) / INTENSITY).float()
        losses = {"loss_reg": INTENSITY**2 * F.mse_loss(grids, truth)}
        if self.discriminator is not None:
            true, made = self.discriminator(truth), self.discriminator(grids.detach())
            losses["loss_discriminator"] = self._judged(true, made)
            frozen = {name: p.detach() for name, p in self.discriminator.named_parameters()}
            frozen |= {name: b.clone() for name, b in self.discriminator.named_buffers()}
            made = functional_call(self.discriminator, frozen, (grids,))
            adversarial = self._judged(made, true.detach()) if self.relative else _cross(made, 1.0)
            losses["loss_adversarial"] = self.adversarial_weight * adversarial
        return losses

    def _judged(self, true: Tensor, made: Tensor) -> Tensor:
        """Cross entropy of logits that should say true, and that should say made."""
        if self.relative:
            true, made = true - made.mean(), made - true.mean()
        return (_cross(true, 1.0) + _cross(made, 0.0)) / 2


def _cross(logits: Tensor, label: float) -> Tensor:
    logits = logits.float()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


@register(META_ARCH_REGISTRY)
class SRGAN(_Adversarial):
    """SRGAN's generator (Ledig et al. 2017), 16 residual blocks; 1,552,193 parameters."""

    @configurable
    def __init__(
        self,
        *,
        channels: int = 64,
        blocks: int = 16,
        adversarial_weight: float = 0.0,
        discriminator_channels: int = 64,
        **optics: Any,
    ) -> None:
        """See MODEL.SRGAN in keys/adversarial.py.

        Args:
            channels, blocks: of the generator.
            adversarial_weight: of the adversarial loss; 0 for no discriminator.
            discriminator_channels: of its first layers.
            **optics: of :class:`UnmixingModel`.

        Raises:
            UserError: a negative weight, or a grid too small for the discriminator.
        """
        super().__init__(
            adversarial_weight=adversarial_weight,
            discriminator_channels=discriminator_channels,
            **optics,
        )
        self.generator = ResidualGenerator(channels, blocks, self.factor)

    def make_discriminator(self, channels: int) -> nn.Module:
        """One logit a grid."""
        return GridDiscriminator(channels, self.grid)


@register(META_ARCH_REGISTRY)
class ESRGAN(_Adversarial):
    """ESRGAN's generator (Wang et al. 2018), 23 dense blocks; 16,695,681 parameters."""

    relative = True

    @configurable
    def __init__(
        self,
        *,
        channels: int = 64,
        growth: int = 32,
        blocks: int = 23,
        adversarial_weight: float = 0.0,
        discriminator_channels: int = 64,
        **optics: Any,
    ) -> None:
        """See MODEL.ESRGAN in keys/adversarial.py.

        Args:
            channels, growth, blocks: of the generator.
            adversarial_weight: of the adversarial loss; 0 for no discriminator.
            discriminator_channels: of its first layers.
            **optics: of :class:`UnmixingModel`.

        Raises:
            UserError: a negative weight, or a grid too small for the discriminator.
        """
        super().__init__(
            adversarial_weight=adversarial_weight,
            discriminator_channels=discriminator_channels,
            **optics,
        )
        self.generator = DenseGenerator(channels, growth, blocks, self.factor)

    def make_discriminator(self, channels: int) -> nn.Module:
        """One logit a grid."""
        return GridDiscriminator(channels, self.grid)


@register(META_ARCH_REGISTRY)
class BSRGAN(ESRGAN):
    """ESRGAN's generator with 16 blocks (Zhang et al. 2021); 11,659,713 parameters.

    BSRGAN is about degrading photographs in many ways for training. Here the camera is known, so
    that nothing of it remains but its sizes and a discriminator that judges each cell.
    """

    @configurable
    def __init__(self, *, blocks: int = 16, **others: Any) -> None:
        """See :class:`ESRGAN`, whose arguments it takes."""
        super().__init__(blocks=blocks, **others)

    def make_discriminator(self, channels: int) -> nn.Module:
        """A logit a cell."""
        return CellDiscriminator(channels)
