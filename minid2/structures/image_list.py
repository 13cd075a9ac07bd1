"""Images of several sizes as one padded batch.

Shapes: B images, C... channel dimensions (none or more), h x w an image, H x W the batch.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F


class ImageList:
    """A batch ``tensor`` (B, C..., H, W) and the true ``image_sizes``, a list of B (h, w).

    Images lie in the top left corner of their slot. While tracing, each size is an int64 tensor
    of shape (2,) instead of a tuple.
    """

    def __init__(self, tensor: torch.Tensor, image_sizes: Sequence[tuple[int, int] | torch.Tensor]):
        """Keep a batch that is padded already."""
        self.tensor = tensor
        self.image_sizes = image_sizes

    def __len__(self) -> int:
        return len(self.image_sizes)

    def __getitem__(self, idx: int) -> torch.Tensor:
        """Image ``idx`` in its true size, (C..., h, w)."""
        height, width = self.image_sizes[idx]
        return self.tensor[idx, ..., :height, :width]

    def to(self, *args: Any, **kwargs: Any) -> "ImageList":
        """The same batch after ``tensor.to(...)``."""
        return ImageList(self.tensor.to(*args, **kwargs), self.image_sizes)

    @property
    def device(self) -> torch.device:
        """Where the batch lies."""
        return self.tensor.device

    @staticmethod
    def from_tensors(
        tensors: Sequence[torch.Tensor],
        size_divisibility: int = 0,
        pad_value: float = 0.0,
        padding_constraints: Mapping[str, int] | None = None,
    ) -> "ImageList":
        """Pad images at the right and the bottom to one size.

        Args:
            tensors: B images (C..., h, w) of equal C....
            size_divisibility: H and W become multiples of it, where above 1.
            pad_value: what the padding holds.
            padding_constraints: ``size_divisibility`` replaces the argument of that name;
                ``square_size``, where above 0, is H and W before they are rounded up.
        """
        first = tensors[0]
        assert all(image.shape[:-2] == first.shape[:-2] for image in tensors), "channels differ"
        constraints = padding_constraints or {}
        divisor = constraints.get("size_divisibility", size_divisibility)
        square = constraints.get("square_size", 0)
        if torch.jit.is_tracing():
            return _traced_batch(tensors, divisor, square, pad_value)

        sizes = [(image.shape[-2], image.shape[-1]) for image in tensors]
        height, width = (max(side) for side in zip(*sizes, strict=True))
        if square > 0:
            height = width = square
        if divisor > 1:
            height, width = (-(-side // divisor) * divisor for side in (height, width))
        # Only the border is filled: every other pixel is about to be overwritten.
        batch = first.new_empty((len(tensors), *first.shape[:-2], height, width))
        for index, (image, (h, w)) in enumerate(zip(tensors, sizes, strict=True)):
            slot = batch[index]  # iterating the batch gives views that autograd cannot write to
            slot[..., :h, :w].copy_(image)
            slot[..., h:, :].fill_(pad_value)
            slot[..., :h, w:].fill_(pad_value)
        return ImageList(batch, sizes)


def _traced_batch(tensors, divisor: int, square: int, pad_value: float) -> ImageList:
    """The same with sizes as tensors, so that the traced graph takes images of any size."""
    sizes = [torch._shape_as_tensor(image)[-2:] for image in tensors]
    common = torch.stack(sizes).amax(dim=0)
    if square > 0:
        common = torch.full_like(common, square)
    if divisor > 1:
        common = torch.div(common + (divisor - 1), divisor, rounding_mode="floor") * divisor
    padded = []
    for image, size in zip(tensors, sizes, strict=True):
        below, right = common - size
        padded.append(F.pad(image, [0, right, 0, below], value=pad_value))
    return ImageList(torch.stack(padded), sizes)
