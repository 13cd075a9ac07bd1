"""A filter of feature maps by soft bands of radius in the Fourier plane.

Shape shorthand: B images, C channels, H x W the map, K bands.

A radius is the length of a frequency in cycles per cell, 0 to sqrt(1/2) as in d2freq.ops.spectrum,
so that a band means the same detail in maps of any size. The bands are hats: band k is 1 at radius
k sqrt(1/2) / (K - 1) and falls linearly to 0 at its neighbours' centres. They add up to 1
everywhere, so that weights of bands are a gain that is linear between the centres. A Fourier
transform continues a map periodically: what a filter does at one border reaches the opposite one.
"""

import math

import torch
from torch import Tensor

from d2freq.ops.dct import autocast_off, working_dtype

__all__ = ["add_bands", "radial_masks"]

FARTHEST = math.sqrt(0.5)


def radial_masks(height: int, width: int, bands: int, *, like: Tensor) -> Tensor:
    """Soft masks over the whole Fourier plane, zero frequency first.

    Args:
        height, width: of the map.
        bands: K, at least 2.
        like: gives device and dtype.

    Returns:
        (K, H, W) in [0, 1], whose sum over K is 1.

    Examples:
        >>> import torch
        >>> from d2freq.ops.radial_filter import radial_masks
        >>> radial_masks(4, 4, 3, like=torch.zeros(1))[:, 0, 0].tolist()  # the mean: band 0 alone
        [1.0, 0.0, 0.0]
    """
    rows, columns = (_frequencies(size, like) for size in (height, width))
    radius = (rows[:, None] ** 2 + columns**2).sqrt() * ((bands - 1) / FARTHEST)
    centres = torch.arange(bands, device=like.device, dtype=like.dtype)[:, None, None]
    return (1 - (radius - centres).abs()).clamp(min=0)


def add_bands(x: Tensor, weights: Tensor) -> Tensor:
    """Add to a map its bands, each with a weight: the gain of band k is 1 + weight k.

    Args:
        x: (B, C, H, W).
        weights: (C, K) or (1, K), which all channels share. Zeros return the map bit for bit.

    Returns:
        (B, C, H, W) in the dtype of ``x``; computed in float32 at least, also within autocast.
    """
    height, width = x.shape[-2:]
    with autocast_off(x):
        wide = x.to(working_dtype(x))
        masks = radial_masks(height, width, weights.shape[-1], like=wide)
        gain = torch.einsum("ck,khw->chw", weights.to(wide.dtype), masks)
        if torch.onnx.is_in_onnx_export():
            change = _by_products(wide, gain)
        else:
            spectrum = torch.fft.rfft2(wide) * gain[..., : width // 2 + 1]
            change = torch.fft.irfft2(spectrum, s=(height, width))
        return (wide + change).to(x.dtype)


def _frequencies(size: int, like: Tensor) -> Tensor:
    """Distance of each frequency from zero, in cycles per cell: (size,) in [0, 1/2]."""
    number = torch.arange(size, device=like.device, dtype=like.dtype)
    return torch.minimum(number, size - number) / size


def _by_products(x: Tensor, gain: Tensor) -> Tensor:
    """The filter by cosines and sines: ONNX's exporter knows no Fourier transform.

    With a gain that is even along each axis, it is a sum over the four products of a cosine or
    sine down with one across; all of them are real.
    """
    down, across = (_waves(size, x) for size in x.shape[-2:])
    change = torch.zeros_like(x)
    for rows in down:
        for columns in across:
            change = change + rows @ ((rows @ x @ columns) * gain) @ columns
    return change


def _waves(size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of all frequencies, symmetric (size, size) matrices."""
    number = torch.arange(size, device=like.device, dtype=like.dtype)
    angle = number[:, None] * number * (2 * math.pi / size)
    scale = size**-0.5
    return angle.cos() * scale, angle.sin() * scale
