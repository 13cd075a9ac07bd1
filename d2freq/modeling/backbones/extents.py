"""How far each image of a padded batch reaches, so that none is seen through another's padding.

Shape shorthand: B images, C channels, H x W the padded batch, h x w an image's extent: what the
detector would pad the image to if it came alone.

A detector pads images to one size and hands its backbone the tensor alone. A module whose result
depends on the whole map, such as a DCT, a pool or attention in windows, then depends on the size of
the *other* images. So ``ImageList.from_tensors``, where every detector pads, notes the extents on
the tensor that it returns, and who needs them finds them there: no detector has to know of it, and
a tensor from elsewhere has none and is taken as it is.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from detectron2.structures import ImageList
from torch import Tensor, nn

__all__ = ["Extents", "extents_of", "is_batch_norm_training"]

NOTE = "_d2freq_extents"  # the attribute of a padded batch


class Extents:
    """The images of a padded batch, grouped by the size of their extents.

    Args:
        sizes: B pairs (h, w), in pixels.
        padded: (H, W).

    Attributes:
        groups: (h, w) -> places in the batch of the images that have it.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], padded: tuple[int, int]) -> None:
        self.padded = padded
        self.groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place, size in enumerate(sizes):
            self.groups[size].append(place)

    def apply(self, function: Callable[..., Any], *maps: Tensor) -> Any:
        """Call a function for each group, its images cut to their extent.

        Args:
            function: takes maps (G, C, h / stride, w / stride) of G images for each of ``maps``;
                returns a map, or a dict of maps, each of a stride of its own.
            maps: (B, C, H / stride, W / stride), strides that divide H, W and all extents.

        Returns:
            what ``function`` does, of the whole batch: zeros lie beyond an image's extent, as
            beyond the border of a single one a convolution sees zeros.
        """
        found = [
            function(*(self._cut(each, size, places) for each in maps))
            for size, places in self.groups.items()
        ]
        if isinstance(found[0], dict):
            return {name: self._join([each[name] for each in found]) for name in found[0]}
        return self._join(found)

    def _cut(self, x: Tensor, size: tuple[int, int], places: list[int]) -> Tensor:
        height, width = (
            side * extent // whole
            for side, extent, whole in zip(x.shape[-2:], size, self.padded, strict=True)
        )
        # contiguous: a cut out view would send some products another way than a single image's
        part = x[torch.tensor(places, device=x.device), :, :height, :width]
        layout = torch.channels_last if _is_channels_last(x) else torch.contiguous_format
        return part.contiguous(memory_format=layout)

    def _join(self, parts: list[Tensor]) -> Tensor:
        # the map of the batch is as large as its largest image's: sides of parts grow with extents
        height, width = (max(part.shape[axis] for part in parts) for axis in (-2, -1))
        filled = [
            F.pad(part, [0, width - part.shape[-1], 0, height - part.shape[-2]]) for part in parts
        ]
        order = torch.tensor([place for places in self.groups.values() for place in places])
        return torch.cat(filled)[order.argsort().to(parts[0].device)]


def extents_of(batch: Tensor) -> Extents | None:
    """The extents that were noted on a batch (B, C, H, W).

    Returns:
        None where all images fill the batch, so that it may go through as one; where nothing was
        noted; and while a graph is traced, which serves images of one size.
    """
    sizes = getattr(batch, NOTE, None)
    if sizes is None or torch.jit.is_tracing():
        return None
    padded = (batch.shape[-2], batch.shape[-1])
    if all(size == padded for size in sizes):
        return None
    return Extents(sizes, padded)


def is_batch_norm_training(module: nn.Module) -> bool:
    """Whether statistics of the whole batch are taken in it, so that no image can be had alone.

    Nor may the groups of a batch go through it one by one: SyncBN waits for the other processes
    as often as it is called.
    """
    kinds = (nn.modules.batchnorm._NormBase,)
    return any(
        isinstance(layer, kinds) and (layer.training or layer.running_mean is None)
        for layer in module.modules()
        if not isinstance(layer, nn.modules.instancenorm._InstanceNorm)
    )


def _is_channels_last(x: Tensor) -> bool:
    return not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)


def _noting_extents(make_batch: Callable[..., ImageList]) -> Callable[..., ImageList]:
    """``ImageList.from_tensors``, whose batch tells how far each image alone would reach."""

    # Detectron2's scripting compiles the method with its class: hence the host's signature, no
    # functools.wraps, by which the host's source would be compiled here, and nothing but the call.
    def from_tensors(
        tensors: list[Tensor],
        size_divisibility: int = 0,
        pad_value: float = 0.0,
        padding_constraints: dict[str, int] | None = None,
    ) -> ImageList:
        images = make_batch(tensors, size_divisibility, pad_value, padding_constraints)
        if not torch.jit.is_scripting():
            _note_extents(images, tensors, size_divisibility, padding_constraints)
        return images

    from_tensors.__doc__ = make_batch.__doc__
    return from_tensors


def _note_extents(
    images: ImageList,
    tensors: Sequence[Tensor],
    size_divisibility: int,
    padding_constraints: dict[str, int] | None,
) -> None:
    if len(tensors) > 1 and not torch.jit.is_tracing():
        constraints = padding_constraints or {}
        divisor = max(constraints.get("size_divisibility", size_divisibility), 1)
        square = constraints.get("square_size", 0)
        sizes = [(square, square) if square > 0 else tuple(t.shape[-2:]) for t in tensors]
        extents = [tuple(-(-side // divisor) * divisor for side in size) for size in sizes]
        setattr(images.tensor, NOTE, extents)


ImageList.from_tensors = staticmethod(_noting_extents(ImageList.from_tensors))
