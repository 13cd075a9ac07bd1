"""Pixels to DCT channels inside the model (Learning in the Frequency Domain, Sec. 3.1).

Shape shorthand: B images, H x W their pixels, C chosen channels, S the stride of the blocks, N x N
coefficients a block, k x k the pixels that they see.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from d2freq.errors import UserError
from d2freq.modeling.frequency_input.channels import select_channels
from d2freq.modeling.frequency_input.input_stem import FixedStem
from d2freq.ops.block_dct import GEOMETRIES, YCBCR, Geometry, axis_basis
from d2freq.utils.choices import choice

__all__ = ["DCTStem", "dct_basis", "get_geometry"]


class DCTStem(FixedStem):
    """A ResNet's stem that turns pixels into normalised DCT channels and learns nothing.

    Colour conversion, enlargement, block DCT, choice of channels and normalisation are one
    convolution.

    Args:
        mode: "x2", the paper's blocks of the twice enlarged image at stride 4; "8x8", JPEG's blocks
            at stride 8; "4x4", as many coefficients as pixels at stride 4; "x4", blocks of the
            image enlarged four times at stride 2, for MobileNetV2; "8x8-420", as "8x8" with
            chroma blurred as on the published classifiers' way through JPEG files.
        channels: as :func:`~d2freq.modeling.frequency_input.channels.select_channels` takes them.
        input_format: "BGR" or "RGB", the order of the planes.
        pixel_mean: what the detector subtracted from the pixels, a number a plane. It pads with
            zeros after that: with 128 everywhere padding is mid-grey, whose DCT is zero.
        pixel_std: what it then divided by.
        mean: of each chosen channel; zeros by default.
        std: of each chosen channel, above zero; ones by default.
        rotation_seed: a control, a random orthonormal basis of the block in the DCT's place. The
            coefficients of a component are rotated, as this seed says, the same for Y, Cb and Cr;
            fewer channels are as many directions, none of them of low frequency.

    The buffers ``mean`` and ``std`` (C,) travel with the checkpoint, and so does what channels
    these are: a checkpoint of others has tensors of the same shapes where there are as many.

    Raises:
        UserError: an unknown mode or format, channels that do not exist, or statistics of another
            channel set; on loading, a checkpoint of other channels.

    Examples:
        >>> import torch
        >>> from d2freq.modeling.frequency_input import DCTStem
        >>> tuple(DCTStem(mode="x2", channels="24")(torch.zeros(2, 3, 32, 48)).shape)
        (2, 24, 8, 12)
        >>> tuple(DCTStem(mode="8x8", channels="all")(torch.zeros(2, 3, 32, 48)).shape)
        (2, 192, 4, 6)
    """

    channel_ids: Tensor

    def __init__(
        self,
        *,
        mode: str = "x2",
        channels: str | Sequence[int] = "64",
        input_format: str = "BGR",
        pixel_mean: Sequence[float] = (128.0, 128.0, 128.0),
        pixel_std: Sequence[float] = (1.0, 1.0, 1.0),
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        rotation_seed: int | None = None,
    ) -> None:
        geometry = get_geometry(mode)
        chosen = select_channels(channels, points=geometry.points)
        bases = torch.stack([dct_basis(mode, chroma=chroma) for chroma in (False, True, True)])
        if rotation_seed is not None:
            turn = _rotation(bases.shape[1], rotation_seed)
            bases = torch.einsum("nm,pmyx->pnyx", turn, bases)
        super().__init__(
            _colour_kernel(bases.flatten(0, 1), chosen),
            stride=geometry.stride,
            padding=geometry.padding,
            input_format=input_format,
            pixel_mean=pixel_mean,
            pixel_std=pixel_std,
            mean=mean,
            std=std,
        )
        self.mode = mode
        self.channels = chosen
        self.rotation_seed = rotation_seed
        stride = -geometry.stride if geometry.blur_chroma else geometry.stride
        kind = [geometry.points, stride, -1 if rotation_seed is None else rotation_seed]
        self._ids = [[*kind, number] for number in chosen]
        # (C, 4): points of the blocks, their stride (below 0: with chroma blurred), seed of a
        # random basis (-1: DCT), number
        self.register_buffer("channel_ids", torch.tensor(self._ids))

    def _load_from_state_dict(self, state_dict, prefix, *args):
        """As nn.Module has it, behind a look at what the weights were trained on."""
        found = state_dict.get(f"{prefix}channel_ids")
        if found is not None and found.tolist() != self._ids:
            numbers = [row[-1] for row in found.tolist()]
            raise UserError(
                f"the checkpoint is of other channels than its shapes tell: {numbers}, this stem "
                f"has {self.channels}, or its MODE or basis is another; set MODEL.FREQ_INPUT.MODE, "
                "CHANNELS, STEM and SEED as they were in its training"
            )
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        return f"mode={self.mode!r}, channels={len(self.channels)}, stride={self.stride}"


def get_geometry(mode: str) -> Geometry:
    """The Geometry of a mode.

    Raises:
        UserError: an unknown one.
    """
    return GEOMETRIES[choice(mode, GEOMETRIES, key="mode")]


def dct_basis(mode: str, *, chroma: bool = False) -> Tensor:
    """(N N, k, k) float64: the pixels' weights in each coefficient of a block, in raster order."""
    basis = axis_basis(mode, chroma=chroma)
    return torch.einsum("vy,ux->vuyx", basis, basis).flatten(0, 1)


def _colour_kernel(bases: Tensor, channels: Sequence[int]) -> Tensor:
    """(C, 3, k, k) from R, G, B to the chosen of all (3 N N, k, k) coefficients of Y, Cb and Cr."""
    # on the CPU also where the model is built without memory, as it is to check a config
    numbers = torch.tensor(list(channels), device="cpu")
    component = numbers.div(len(bases) // 3, rounding_mode="floor")
    colours = torch.tensor(YCBCR, dtype=torch.float64, device="cpu")[component]  # (C, 3)
    return torch.einsum("cp,cyx->cpyx", colours, bases[numbers])


def _rotation(size: int, seed: int) -> Tensor:
    """A random orthogonal matrix (size, size) float64, uniform over all of them."""
    source = torch.Generator(device="cpu").manual_seed(seed)
    draws = torch.randn(size, size, generator=source, dtype=torch.float64, device="cpu")
    rotation, triangle = torch.linalg.qr(draws)
    return rotation * triangle.diagonal().sign()  # Q alone is not uniform (Mezzadri 2007)
