"""Adaptive weight standardisation of a convolution (DetectoRS, Sec. 4.3).

Shape shorthand: B images, C channels in, D channels out, K x K taps, H x W the map.
"""

from typing import Any

import torch
import torch.nn.functional as F
from detectron2.layers import Conv2d
from torch import Tensor, nn

__all__ = ["StandardizedConv2d", "standardize"]

EPSILON = 1e-5  # beside the variance


class StandardizedConv2d(Conv2d):
    """The host's Conv2d that works with gamma x (w - mean) / deviation + beta for its weight w.

    Mean and deviation are those of each filter; gamma and beta, buffers of (D, 1, 1, 1), are those
    that w had when it was taken over or loaded, so that it begins with exactly the weight that it
    was given. A checkpoint that has them is taken as it is; they are saved. DetectoRS begins a
    training from random weights with gamma 1 and beta 0 instead, filters 5 to 50 times as large,
    which a batch norm that trains absorbs and FrozenBN does not.

    Made from a convolution, by :func:`standardize`.
    """

    weight_gamma: Tensor | None
    weight_beta: Tensor | None

    def effective_weight(self) -> Tensor:
        """The weight that is used, (D, C, K, K)."""
        if self.weight_gamma is None or self.weight_beta is None:
            return self.weight  # of a switchable convolution that asked for none
        mean, deviation = statistics(self.weight)
        # one product and one sum over the weight: gamma x (w - mean) / deviation + beta
        factor = self.weight_gamma / deviation
        return torch.addcmul(self.weight_beta - mean * factor, self.weight, factor)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, H / stride, W / stride), norm and activation included."""
        weight = self.effective_weight()
        return self.finish(
            F.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        )

    def finish(self, x: Tensor) -> Tensor:
        """Norm and activation, as the host's Conv2d has them behind its convolution."""
        for step in (self.norm, self.activation):
            if step is not None:
                x = step(x)
        return x

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # torch hands in a copy of the mapping; a gamma that is added is loaded and not missing
        weight: Any = state_dict.get(f"{prefix}weight")
        names = [f"{prefix}weight_{name}" for name in ("gamma", "beta")]
        fits = isinstance(weight, Tensor) and weight.shape == self.weight.shape
        if fits and self.weight_gamma is not None and state_dict.keys().isdisjoint(names):
            mean, deviation = statistics(weight.to(self.weight.dtype))
            state_dict.update(zip(names, (deviation, mean), strict=True))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def statistics(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (unbiased) of each filter of (D, C, K, K), both (D, 1, 1, 1)."""
    variance, mean = torch.var_mean(weight, dim=(1, 2, 3), keepdim=True)
    return mean, (variance + EPSILON).sqrt()


def standardize(convolution: Conv2d) -> Conv2d:
    """Make a convolution a StandardizedConv2d, in place; parameters, their names and norm stay.

    One whose filters have a single weight has nothing to standardise and stays as it is.
    """
    if convolution.weight[0].numel() > 1:
        # the same object of another class, so that whoever holds it has the new one
        convolution.__class__ = StandardizedConv2d
        keep_statistics(convolution)
    return convolution


def keep_statistics(convolution: nn.Conv2d) -> None:
    """Give it the buffers, from the weight that it has."""
    mean, deviation = statistics(convolution.weight.detach())
    convolution.register_buffer("weight_gamma", deviation)
    convolution.register_buffer("weight_beta", mean)
