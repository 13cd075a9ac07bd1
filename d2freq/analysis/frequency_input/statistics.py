"""Mean and deviation of the channels that a network sees in the place of pixels.

Shape shorthand: C channels, H x W an image as the network gets it, S the stride of the blocks.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from d2freq.analysis.methods import STATISTICS as METHOD
from d2freq.errors import UserError
from d2freq.modeling.frequency_input import DCTStem, FixedStem
from d2freq.modeling.frequency_input.channels import component_names
from d2freq.modeling.frequency_input.dct_stem import get_geometry

__all__ = ["METHOD", "Statistics", "channel_names", "measure_statistics"]

# Rounding of float32 gives a constant channel a deviation of up to 4e-6 x 10; the smallest real
# ones (v = u = 7 of the enlarged image) are some 1e-3.
CONSTANT = 1e-4


@dataclass(frozen=True)
class Statistics:
    """Over all blocks of all images, in the units of orthonormal coefficients of [0, 255].

    Attributes:
        mean: (C,) float64.
        std: (C,) float64, of the blocks, not of means over images.
        images: how many there were.
        blocks: how many blocks in them.
    """

    mean: Tensor
    std: Tensor
    images: int
    blocks: int


def measure_statistics(stem: FixedStem, images: Iterable[Tensor]) -> Statistics:
    """One pass over images, adding up x and x^2 of every block in float64.

    An image is cut to whole blocks, so that nothing is padding. The border of the modes that
    enlarge repeats a pixel, as in the network.

    Args:
        stem: with mean 0 and deviation 1, built for pixels less 128; it stands where it is to run.
        images: (3, H, W) each, [0, 255], the planes in the order of the stem.

    Raises:
        UserError: no image, none of a block's size, or a channel that does not vary.
    """
    device = stem.mean.device
    total = torch.zeros(2, stem.out_channels, dtype=torch.float64, device=device)
    count = blocks = 0
    with torch.no_grad():
        for image in images:
            height, width = (side // stem.stride * stem.stride for side in image.shape[-2:])
            count += 1
            if not height or not width:
                continue
            pixels = image[None, :, :height, :width].to(device, torch.float32)
            found = stem(pixels - 128).double()
            total += torch.stack([found.sum((0, 2, 3)), found.square().sum((0, 2, 3))])
            blocks += found.shape[2] * found.shape[3]
    if not blocks:
        raise UserError(
            f"{count} images and no whole block of {stem.stride} x {stem.stride} pixels in them: "
            "nothing to measure"
        )
    mean, square = (total / blocks).cpu()
    std = (square - mean.square()).clamp_min(0).sqrt()
    _check_varying(stem, std, count)
    return Statistics(mean, std, count, blocks)


def channel_names(stem: FixedStem) -> list[str]:
    """What each channel is: "Cb(0,3)" of a DCT, its number otherwise."""
    if isinstance(stem, DCTStem) and stem.rotation_seed is None:
        return component_names(stem.channels, points=get_geometry(stem.mode).points)
    return [str(number) for number in range(stem.out_channels)]


def _check_varying(stem: FixedStem, std: Tensor, images: int) -> None:
    places = (std < CONSTANT).nonzero().flatten().tolist()
    if not places:
        return
    names = channel_names(stem)
    some = ", ".join(names[place] for place in places[:8])
    more = ", ..." if len(places) > 8 else ""
    colour = " (Cb and Cr of grey images are)" if names[places[0]].startswith("C") else ""
    raise UserError(
        f"{len(places)} of {len(std)} channels are constant over {images} images, so they have no "
        f"deviation to be divided by{colour}: {some}{more}. Leave them out by "
        "MODEL.FREQ_INPUT.CHANNELS, or measure on images in which they vary"
    )
