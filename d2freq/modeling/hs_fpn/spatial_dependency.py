"""SDP, the spatial dependency perception module (HS-FPN, Sec. 3.2 and Fig. 6).

Shape shorthand: B images, C channels, H x W of this level, h x w = H/2 x W/2 of the level above,
r x s the window (H5 x W5, the map of the top level), n = (H/r)(W/s) windows.

The paper upsamples the level above to H x W before it computes keys. Nearest upsampling repeats
every pixel 2 x 2 times and commutes with 1x1 convolution, ReLU and normalisation, and softmax over
repeated keys is softmax over the single ones weighted by how often each occurs. So keys and values
are computed and attended at h x w: equal results, a quarter of the products and of the memory.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2freq.modeling.hs_fpn.layers import ConvReLUNorm

__all__ = ["SpatialDependencyPerception"]


class SpatialDependencyPerception(nn.Module):
    """SDP: each pixel attends to the window of the level above that lies under its own window.

    Single-headed, without output projection or positional encoding; the level is added to the
    result. No score matrix is kept.

    Args:
        channels: C.
        norm: after each 1x1 convolution, "" for none.
        relu: between convolution and norm.
        separate_value: a convolution of its own for the values; otherwise the keys serve.
    """

    def __init__(
        self,
        channels: int,
        *,
        norm: str = "GN",
        relu: bool = True,
        separate_value: bool = False,
    ) -> None:
        super().__init__()

        def projection() -> ConvReLUNorm:
            return ConvReLUNorm(channels, kernel_size=1, bias=False, relu=relu, norm=norm)

        self.query = projection()
        self.key = projection()
        self.value = projection() if separate_value else None

    def forward(self, x: Tensor, above: Tensor, window: tuple[int, int]) -> Tensor:
        """Enrich a level by the level above.

        Args:
            x: (B, C, H, W).
            above: (B, C, H/2, W/2).
            window: (r, s); H has to be a multiple of 2r and W of 2s.

        Returns:
            (B, C, H, W).
        """
        height, width = x.shape[-2:]
        rows, columns = window
        if not torch.jit.is_tracing():
            _check_sizes(x, above, window)
        grid = (height // rows, width // columns)

        queries = self.query(x)
        queries = queries.reshape(*x.shape[:2], grid[0], rows, grid[1], columns)
        queries = queries.permute(0, 2, 4, 3, 5, 1)
        queries = queries.reshape(x.shape[0], grid[0] * grid[1], rows * columns, x.shape[1])
        keys = _windows_under(self.key(above), grid)
        values = keys if self.value is None else _windows_under(self.value(above), grid)

        # The windows stand in the place of the heads, so one bias serves all images.
        mixed = F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=_repetition_bias(window, grid, like=queries)
        )
        mixed = mixed.reshape(x.shape[0], grid[0], grid[1], rows, columns, x.shape[1])
        mixed = mixed.permute(0, 5, 1, 3, 2, 4)
        # Added window by window: the one write that puts the windows back is the residual's.
        return (x.reshape(mixed.shape) + mixed).reshape(x.shape)


def _windows_under(above: Tensor, grid: tuple[int, int]) -> Tensor:
    """(B, C, h, w) -> (B, n, l, C): the pixels of the level above under each window.

    A window of odd size cuts through a pixel, which then belongs to both of its neighbours.
    """
    batch, channels, height, width = above.shape
    pairs = above.reshape(
        batch, channels, grid[0] // 2, height * 2 // grid[0], grid[1] // 2, width * 2 // grid[1]
    )
    halves = _halve(_halve(pairs, 5), 3)  # (B, C, pairs, 2, r', pairs, 2, s')
    windows = halves.permute(0, 2, 3, 5, 6, 4, 7, 1)
    pixels = halves.shape[4] * halves.shape[7]
    return windows.reshape(batch, grid[0] * grid[1], pixels, channels)


def _halve(x: Tensor, dim: int) -> Tensor:
    """Split an axis into its two halves (2, ceil(size / 2)); odd sizes share the middle."""
    size = x.shape[dim]
    half = (size + 1) // 2
    return torch.stack((x.narrow(dim, 0, half), x.narrow(dim, size - half, half)), dim=dim)


def _repetition_bias(window: tuple[int, int], grid: tuple[int, int], like: Tensor) -> Tensor | None:
    """Logarithm of how often upsampling repeats each key, up to a constant: (1, n, 1, l).

    ``None`` where all keys are repeated equally often, that is, where both window sizes are even.
    """
    rows, columns = window
    if not torch.jit.is_tracing() and rows % 2 == 0 and columns % 2 == 0:
        return None
    down = _axis_bias(rows, grid[0], like)
    across = _axis_bias(columns, grid[1], like)
    bias = down[:, None, :, None] + across[None, :, None, :]
    return bias.reshape(1, grid[0] * grid[1], 1, down.shape[1] * across.shape[1])


def _axis_bias(size: int, windows: int, like: Tensor) -> Tensor:
    """(windows, ceil(size / 2)): -log 2 at the pixel that an odd window shares, else 0."""
    half = (size + 1) // 2
    position = torch.arange(half, device=like.device)
    is_cut = torch.stack((position == half - 1, position == 0))
    bias = is_cut.to(like.dtype) * (-math.log(2) * (size % 2))
    return bias.repeat(windows // 2, 1)


def _check_sizes(x: Tensor, above: Tensor, window: tuple[int, int]) -> None:
    for axis, size in zip((-2, -1), window, strict=True):
        if x.shape[axis] != 2 * above.shape[axis] or x.shape[axis] % (2 * size):
            raise ValueError(
                f"SDP: a level of {tuple(x.shape[-2:])} under one of {tuple(above.shape[-2:])} "
                f"with a window of {tuple(window)}: the level has to be twice as large as the "
                "one above, and a multiple of twice the window"
            )
