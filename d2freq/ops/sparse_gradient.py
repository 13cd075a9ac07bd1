"""A convolution whose backward pass computes at the few positions that have a gradient.

Shape shorthand: B images, C_in and C_out channels, H x W the map, k the kernel's side, N positions
whose gradient is not zero.

The head of a region proposal network learns from some hundred sampled anchors an image, so that the
gradient of its output is exactly zero almost everywhere. A dense backward pass multiplies zeros.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["conv2d"]

# Gathering costs more for one position than a dense pass does; above this share it does not pay.
LARGEST_SHARE = 0.3


def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``F.conv2d`` of stride 1 that keeps the size: equal values, equal gradients.

    Values are equal to the last bit, gradients up to the rounding of a sum in another order. There
    is no second derivative.

    Args:
        x: (B, C_in, H, W).
        weight: (C_out, C_in, k, k), k odd.
        bias: (C_out,) or None.

    Returns:
        (B, C_out, H, W).

    Examples:
        >>> import torch
        >>> from d2freq.ops.sparse_gradient import conv2d
        >>> tuple(conv2d(torch.randn(2, 4, 5, 6), torch.randn(3, 4, 3, 3), None).shape)
        (2, 3, 5, 6)
    """
    return _SparseBackward.apply(x, weight, bias)


class _SparseBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        kinds = x.dtype, weight.dtype
        # in autocast the map, the weight and the output may have three dtypes
        wide = torch.promote_types(torch.promote_types(*kinds), grad.dtype)
        x, weight, grad = x.to(wide), weight.to(wide), grad.to(wide)
        has_bias = ctx.needs_input_grad[2]
        to_bias = grad.sum(dim=(0, 2, 3)) if has_bias else None
        image, row, column = grad.abs().amax(dim=1).nonzero(as_tuple=True)
        pad = weight.shape[-1] // 2
        if len(image) > LARGEST_SHARE * grad[:, 0].numel():
            to_x, to_weight, _ = torch.ops.aten.convolution_backward(
                grad, x, weight, None, (1, 1), (pad, pad), (1, 1), False, (0, 0), 1,
                [ctx.needs_input_grad[0], ctx.needs_input_grad[1], False],
            )  # fmt: skip
            return _to(to_x, kinds[0]), _to(to_weight, kinds[1]), to_bias

        images, channels, height, width = x.shape
        chosen = grad[image, :, row, column]  # (N, C_out)
        steps = torch.arange(weight.shape[-1], device=x.device)
        lines = (row[:, None] + steps)[:, :, None]  # of the map with its border of `pad` cells
        columns = (column[:, None] + steps)[:, None, :]
        wide = width + 2 * pad
        size = (images, height + 2 * pad, wide)
        cells = (image[:, None, None] * size[1] + lines) * wide + columns  # (N, k, k)
        to_x = to_weight = None
        if ctx.needs_input_grad[1]:
            table = F.pad(x.permute(0, 2, 3, 1), (0, 0, pad, pad, pad, pad)).reshape(-1, channels)
            patches = table[cells.flatten()].reshape(len(image), weight[0].numel())
            product = (chosen.t() @ patches).reshape(len(weight), *weight.shape[2:], channels)
            to_weight = product.permute(0, 3, 1, 2).contiguous()
        if ctx.needs_input_grad[0]:
            spread = chosen @ weight.permute(0, 2, 3, 1).flatten(1)  # (N, k k C_in)
            entries = torch.stack([cells.flatten(), torch.arange(cells.numel(), device=x.device)])
            shape = (images * size[1] * wide, cells.numel())
            ones = spread.new_ones(cells.numel())
            sums = torch.sparse_coo_tensor(entries, ones, shape, check_invariants=False)
            padded = (sums @ spread.reshape(-1, channels)).reshape(*size, channels)
            inner = padded[:, pad : pad + height, pad : pad + width]
            to_x = inner.permute(0, 3, 1, 2).contiguous()
        return _to(to_x, kinds[0]), _to(to_weight, kinds[1]), to_bias


def _to(gradient: Tensor | None, kind: torch.dtype) -> Tensor | None:
    return None if gradient is None else gradient.to(kind)
