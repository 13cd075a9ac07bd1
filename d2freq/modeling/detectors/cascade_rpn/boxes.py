"""Boxes of a batch as tensors: how far they may reach, and the objects that they are matched to.

Shape shorthand: B images, T anchors over all levels.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["boxes_of", "image_limits"]


def image_limits(sizes: Sequence[Any], like: Tensor) -> Tensor:
    """(B, 1, 4) width, height, width, height of images; sizes are tensors while tracing."""
    sides = [[size[1], size[0], size[1], size[0]] for size in sizes]
    return torch.stack(
        [
            torch.stack(
                [torch.as_tensor(side, dtype=like.dtype, device=like.device) for side in row]
            )
            for row in sides
        ]
    )[:, None]


def boxes_of(truth: Tensor, matches: Tensor) -> Tensor:
    """(T, 4) objects matched; zeros on an image without."""
    return truth[matches] if len(truth) else truth.new_zeros(len(matches), 4)
