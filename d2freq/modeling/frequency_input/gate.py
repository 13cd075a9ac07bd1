"""A trainable choice of channels, image by image (Learning in the Frequency Domain, Sec. 3.3).

Shape shorthand: B images, C channels, h x w the grid of blocks.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2freq.errors import UserError
from d2freq.ops.dct import autocast_off
from d2freq.utils.choices import choice

__all__ = ["ChannelGate", "GatePenalty"]


class GatePenalty(NamedTuple):
    """What a step of training says of a gate: its loss, weighted, and how many channels were on."""

    loss: Tensor
    channels_on: Tensor


class ChannelGate(nn.Module):
    """Switches whole channels of an image on or off, by what the image has in them.

    A number a channel from pooling (Tensor 2 of Fig. 4), a 1x1 convolution with norm and ReLU
    (Tensor 3), and a pair of logits for each channel, off and on, from two weights and two biases
    of its own. In training the choice is drawn by Gumbel softmax, hard with the gradient of the
    soft one; in evaluation a channel is on where its logit for on is the larger one, while the
    published code draws there too.

    In the beginning a channel is on with a chance of sigmoid(1.9) = 0.87, as published.

    Args:
        channels: C.
        temperature: of the Gumbel softmax, above zero; the published code takes 1 whatever is
            asked for. Lower: draws nearer to the choice, gradients of more variance.
        pooling: "energy", log(1 + mean of squares); or "mean", the paper's, in which the waves of
            a frequency cancel out. Padding counts as blocks of grey.
        penalty: "mean", the share of channels that were drawn as on (the paper's); or "count",
            ((number of channels that evaluation would have on, mean over the batch - target) / C)
            squared, with the gradient of their chances.
        target: that number, for "count" alone.
        weight: of the penalty in the loss, lambda of Eq. 3; with 0 there is none.
        norm: "LN" over an image's channels, for batches of any size; "BN", the paper's, which
            needs several images a batch.

    With C = 192 it has 38,208 parameters.

    Raises:
        UserError: an argument that is none of these, or a target without "count".

    Examples:
        >>> import torch
        >>> from d2freq.modeling.frequency_input import ChannelGate
        >>> gate = ChannelGate(24)
        >>> x = torch.randn(2, 24, 8, 8)
        >>> gated = gate(x)
        >>> on = gated.abs().sum(dim=(2, 3)) > 0
        >>> tuple(on.shape), torch.equal(gated[on], x[on])
        ((2, 24), True)
    """

    def __init__(
        self,
        channels: int,
        *,
        temperature: float = 1.0,
        pooling: str = "energy",
        penalty: str = "mean",
        target: int | None = None,
        weight: float = 1.0,
        norm: str = "LN",
    ) -> None:
        super().__init__()
        choice(pooling, ("energy", "mean"), key="the gate's POOLING")
        choice(penalty, ("mean", "count"), key="the gate's PENALTY")
        choice(norm, ("LN", "BN"), key="the gate's NORM")
        if not temperature > 0 or not weight >= 0:
            raise UserError(
                "the gate's TEMPERATURE is above 0 and its WEIGHT not below 0; "
                f"got {temperature} and {weight}"
            )
        if (penalty == "count") != (target is not None):
            raise UserError('the gate takes a TARGET with PENALTY "count", and only then')
        if target is not None and not 0 < target <= channels:
            raise UserError(f"the gate's TARGET is 1 to {channels} channels, not {target}")
        self.channels = channels
        self.temperature = temperature
        self.pooling = pooling
        self.penalty = penalty
        self.target = target
        self.weight = weight
        self.hidden = nn.Conv2d(channels, channels, 1)
        self.norm = nn.BatchNorm2d(channels) if norm == "BN" else nn.GroupNorm(1, channels)
        self.decision = nn.Conv2d(channels, 2 * channels, 1, groups=channels)
        self._penalty: GatePenalty | None = None
        nn.init.kaiming_normal_(self.hidden.weight, nonlinearity="relu")
        nn.init.normal_(self.decision.weight, std=0.001)
        assert self.hidden.bias is not None and self.decision.bias is not None
        nn.init.zeros_(self.hidden.bias)
        with torch.no_grad():
            self.decision.bias.view(channels, 2).copy_(torch.tensor([0.1, 2.0]))

    def forward(self, x: Tensor) -> Tensor:
        """The channels, those that are off as zeros.

        Args:
            x: (B, C, h, w), normalised.

        Returns:
            (B, C, h, w), dtype of ``x``.

        Raises:
            UserError: in training, where nobody took the penalty of the step before, so that it
                would never act; or with norm "BN" a batch of one image.
        """
        if not self.training:
            return x * self.decisions(x)[..., None, None].to(x.dtype)
        logits = self.logits(x)
        drawn = F.gumbel_softmax(logits, tau=self.temperature, hard=True)[..., 1]
        if self.weight and torch.is_grad_enabled():
            if self._penalty is not None:
                raise UserError(
                    "the gate's penalty is in nobody's loss: set MODEL.META_ARCHITECTURE Gated and "
                    "the detector's name as MODEL.FREQ_INPUT.GATE.DETECTOR (add_gate_loss in a "
                    "lazy config), or the gate's WEIGHT to 0"
                )
            loss = self.weight * self._penalty_of(logits, drawn)
            self._penalty = GatePenalty(loss, drawn.detach().sum(1).mean())
        return x * drawn[..., None, None].to(x.dtype)

    def logits(self, x: Tensor) -> Tensor:
        """Of each channel's being off and on: (B, C, h, w) -> (B, C, 2) float32."""
        if self.training and len(x) == 1 and isinstance(self.norm, nn.BatchNorm2d):
            raise UserError(
                'the gate\'s norm "BN" cannot train on a single image a batch; take "LN"'
            )
        with autocast_off(x):
            x = x.float()
            if self.pooling == "energy":
                pooled = x.square().mean((2, 3), keepdim=True).log1p()
            else:
                pooled = x.mean((2, 3), keepdim=True)
            hidden = F.relu(self.norm(self.hidden(pooled)))
            return self.decision(hidden).view(-1, self.channels, 2)

    def decisions(self, x: Tensor) -> Tensor:
        """Which channels of each image evaluation has on: (B, C, h, w) -> (B, C) bool."""
        logits = self.logits(x)
        return logits[..., 1] > logits[..., 0]

    def take_penalty(self) -> GatePenalty | None:
        """The penalty of the last step, once: None where the gate has not run since."""
        found, self._penalty = self._penalty, None
        return found

    def extra_repr(self) -> str:
        return f"pooling={self.pooling!r}, penalty={self.penalty!r}, weight={self.weight}"

    def _penalty_of(self, logits: Tensor, drawn: Tensor) -> Tensor:
        if self.target is None:
            return drawn.mean()
        chance = (logits[..., 1] - logits[..., 0]).sigmoid()
        decided = (chance > 0.5).float()
        # the count of evaluation, the gradient of the chances: the sum of chances alone may be
        # the target with every one of them below a half
        decided = decided - chance.detach() + chance
        return ((decided.sum(1).mean() - self.target) / self.channels).square()
