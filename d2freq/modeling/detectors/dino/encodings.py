"""Sine encodings of places: of the cells of a map, and of boxes.

Shapes: N images, Q queries, C channels, H x W cells of a level.
"""

import math

import torch
from torch import Tensor

__all__ = ["encode_boxes", "encode_cells", "sine"]


def sine(values: Tensor, features: int, *, temperature: float) -> Tensor:
    """Sine and cosine in turns, of wave lengths from 2 pi to ``temperature`` times as much.

    Args:
        values: (...), angles.
        features: how many numbers a value becomes, even.

    Returns:
        (..., features).
    """
    pairs = torch.arange(features // 2, dtype=values.dtype, device=values.device)
    angles = values.unsqueeze(-1) / temperature ** (2 * pairs / features)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def encode_cells(
    counts: Tensor,
    shape: tuple[int, int],
    channels: int,
    *,
    temperature: float = 20.0,
    offset: float = 0.0,
) -> Tensor:
    """Where each cell of a level lies within its image, from 0 to 2 pi: half of C for y, then x.

    Args:
        counts: (N, 2), columns and rows of each image's own part of the map, in a floating type.
        shape: (H, W) of the map with its padding.
        channels: C, a multiple of 4.
        offset: added to a cell's number, which begins with 1.

    Returns:
        (N, H * W, C), rows first, in the type of ``counts``.
    """
    axes = []
    for size, own in zip(shape, (counts[:, 1:], counts[:, :1]), strict=True):
        numbers = torch.arange(1, size + 1, dtype=counts.dtype, device=counts.device)
        # as in the published codes a cell of padding has the number of the last one before it
        places = (torch.minimum(numbers, own) + offset) / (own + 1e-6) * (2 * math.pi)
        axes.append(sine(places, channels // 2, temperature=temperature))  # (N, H or W, C / 2)
    rows, columns = axes
    rows = rows[:, :, None].expand(-1, -1, columns.shape[1], -1)
    columns = columns[:, None].expand(-1, rows.shape[1], -1, -1)
    return torch.cat([rows, columns], dim=-1).flatten(1, 2)


def encode_boxes(boxes: Tensor, channels: int) -> Tensor:
    """Boxes as the decoder's query positions are made of them.

    Args:
        boxes: (N, Q, 4), normalised (centre x, centre y, width, height).
        channels: C, a multiple of 2: numbers for each of the four.

    Returns:
        (N, Q, 4 C), in the order y, x, width, height.
    """
    x, y, width, height = (boxes * (2 * math.pi)).unbind(-1)
    return torch.cat(
        [sine(each, channels, temperature=10000.0) for each in (y, x, width, height)], dim=-1
    )
