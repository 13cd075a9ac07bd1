"""The cells of a pyramid as tokens behind each other, and where each lies within its image.

Shapes: N images, C channels, L levels of H_l x W_l cells, T cells of all levels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Tokens", "tokens_of"]


class Tokens(NamedTuple):
    """Levels from fine to coarse, the rows of a level from top to bottom.

    Attributes:
        memory: (N, T, C).
        shapes: L pairs (H_l, W_l).
        counts: (N, L, 2) float, columns and rows of a level that are an image's own.
        ratios: (N, L, 2) float, these over all columns and rows of the batch.
        padding: (N, T) bool, True beyond the image; None where images fill the batch.
    """

    memory: Tensor
    shapes: list[tuple[int, int]]
    counts: Tensor
    ratios: Tensor
    padding: Tensor | None

    def centres(self) -> Tensor:
        """(N, T, 2) float, each cell's centre (x, y) as a share of its image."""
        found = []
        for level, (height, width) in enumerate(self.shapes):
            counts = self.counts[:, level]
            columns = (_numbers(width, counts) + 0.5) / counts[:, :1]
            rows = (_numbers(height, counts) + 0.5) / counts[:, 1:]
            columns = columns[:, None].expand(-1, rows.shape[1], -1)
            rows = rows[:, :, None].expand(-1, -1, columns.shape[2])
            found.append(torch.stack([columns, rows], dim=-1).flatten(1, 2))
        return torch.cat(found, dim=1)


def tokens_of(
    maps: Sequence[Tensor], strides: Sequence[int], sizes: Tensor, *, full: bool
) -> Tokens:
    """Tokens of the maps of a batch.

    Args:
        maps: L tensors (N, C, H_l, W_l).
        strides: pixels a cell, of each level.
        sizes: (N, 2) float, width and height of each image without padding.
        full: all images are as large as the batch.
    """
    counts, wholes, padding = [], [], []
    for level, stride in zip(maps, strides, strict=True):
        height, width = level.shape[-2:]
        whole = torch.stack([torch.as_tensor(s, device=sizes.device) for s in (width, height)])
        whole = whole.to(sizes.dtype)
        # An image alone has so many cells; the batch may round its last one otherwise.
        own = torch.minimum((sizes / stride).ceil(), whole)
        counts.append(own)
        wholes.append(whole)
        if not full:
            beyond = (_numbers(height, own) >= own[:, 1:])[:, :, None]
            beyond = beyond | (_numbers(width, own) >= own[:, :1])[:, None]
            padding.append(beyond.flatten(1))
    counted = torch.stack(counts, dim=1)
    return Tokens(
        memory=torch.cat([level.flatten(2).transpose(1, 2) for level in maps], dim=1),
        shapes=[(level.shape[-2], level.shape[-1]) for level in maps],
        counts=counted,
        ratios=counted / torch.stack(wholes),
        padding=None if full else torch.cat(padding, dim=1),
    )


def _numbers(size: int, like: Tensor) -> Tensor:
    return torch.arange(size, dtype=like.dtype, device=like.device)
