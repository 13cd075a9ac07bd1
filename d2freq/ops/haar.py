"""One level of the Haar wavelet transform of feature maps, and its inverse.

Shape shorthand: ... any leading axes (images, channels), H x W the map, h x w = ceil(H / 2) x
ceil(W / 2) its halves.

The transform is orthonormal, so that a map of even sides and its bands have equal energy. A side
that is odd is first continued by its last line: the details there are zero.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["haar_join", "haar_split"]


def haar_split(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and details of each 2 x 2 cell.

    Args:
        x: (..., H, W) floating.

    Returns:
        low (..., h, w), twice the mean of a cell; details (..., 3, h, w): right less left, lower
        less upper, and the diagonal, each half of the sum with signs.

    Examples:
        >>> import torch
        >>> from d2freq.ops.haar import haar_split
        >>> low, details = haar_split(torch.tensor([[1.0, 3.0], [1.0, 3.0]]))
        >>> low.tolist(), details.flatten().tolist()
        ([[4.0]], [2.0, 0.0, 0.0])
    """
    height, width = x.shape[-2:]
    if torch.jit.is_tracing() or height % 2 or width % 2:
        flat = x.reshape(-1, 1, height, width)
        flat = F.pad(flat, (0, width % 2, 0, height % 2), mode="replicate")
        x = flat.reshape(*x.shape[:-2], height + height % 2, width + width % 2)
    upper, lower = x[..., ::2, :], x[..., 1::2, :]
    total, change = upper + lower, lower - upper
    left, right = total[..., ::2], total[..., 1::2]
    change_left, change_right = change[..., ::2], change[..., 1::2]
    details = [right - left, change_left + change_right, change_right - change_left]
    return (left + right) / 2, torch.stack(details, dim=-3) / 2


def haar_join(low: Tensor, details: Tensor, size: tuple[int, int]) -> Tensor:
    """The inverse of :func:`haar_split`.

    Args:
        low: (..., h, w).
        details: (..., 3, h, w).
        size: (H, W) of the map.

    Returns:
        (..., H, W).
    """
    across, down, diagonal = details.unbind(dim=-3)
    even, odd = low - across, low + across  # columns
    change_even, change_odd = down - diagonal, down + diagonal
    upper = torch.stack([even - change_even, odd - change_odd], dim=-1).flatten(-2)
    lower = torch.stack([even + change_even, odd + change_odd], dim=-1).flatten(-2)
    whole = torch.stack([upper, lower], dim=-2).flatten(-3, -2) / 2
    return whole[..., : size[0], : size[1]]
