"""The stems beside the DCT: pixels as channels, a random basis, a learned convolution."""

import pytest
import torch
import torch.nn.functional as F

from d2freq.errors import UserError
from d2freq.modeling.frequency_input import DCTStem, LearnedStem, UnshuffleStem
from d2freq.ops.block_dct import GEOMETRIES


def pixels(*shape):
    torch.manual_seed(0)
    return torch.randint(0, 256, shape).float() - 128


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_unshuffle_is_the_pixels_as_they_are(order):
    image = pixels(2, 3, 16, 24)
    found = UnshuffleStem(input_format=order)(image)
    assert torch.equal(found, F.pixel_unshuffle(image, 4))


def test_unshuffle_420_is_luma_whole_and_chroma_averaged():
    image = pixels(1, 3, 16, 16)
    red, green, blue = (image[0] + 128).double()
    luma = 0.299 * red + 0.587 * green + 0.114 * blue - 128
    chroma = torch.stack([(blue - luma - 128) / 1.772, (red - luma - 128) / 1.402])
    expected = [
        F.pixel_unshuffle(luma[None], 4),
        *(F.pixel_unshuffle(F.avg_pool2d(plane[None], 2), 2) for plane in chroma),
    ]
    found = UnshuffleStem(channels="420", input_format="RGB")(image)
    assert found.shape == (1, 24, 4, 4)
    torch.testing.assert_close(found[0].double(), torch.cat(expected), rtol=0, atol=1e-3)


@pytest.mark.parametrize("mode", ["8x8", "4x4"])
def test_a_random_basis_keeps_all_there_is(mode):
    image = pixels(1, 3, 16, 16)
    plain, turned = (DCTStem(mode=mode, channels="all", rotation_seed=s)(image) for s in (None, 7))
    energies = [x.unflatten(1, (3, -1)).square().sum(2) for x in (plain, turned)]
    torch.testing.assert_close(*energies, rtol=1e-4, atol=1.0)
    assert (plain - turned).abs().mean() > 1


def test_a_random_basis_is_that_of_its_seed_and_of_no_low_frequency():
    image = pixels(1, 3, 16, 16)
    first, again, other = (
        DCTStem(mode="8x8", channels="24", rotation_seed=seed)(image) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.allclose(first, other)
    grey = torch.full((1, 3, 8, 8), 40.0)
    coefficients = DCTStem(mode="8x8", channels="all", rotation_seed=1)(grey)[0, :64, 0, 0]
    assert coefficients.abs().max() < 0.6 * coefficients.norm()  # the DCT has it all in one


@pytest.mark.parametrize("mode", GEOMETRIES)
def test_the_learned_stem_sees_what_the_dct_sees(mode):
    """The same pixels for each block: a change elsewhere changes nothing."""
    fixed, learned = DCTStem(mode=mode, channels="all"), LearnedStem(mode=mode, out_channels=5)
    assert learned.stride == fixed.stride
    image = pixels(1, 3, 32, 32).requires_grad_()
    seen = []
    for stem in (fixed, learned):
        middle = 16 // stem.stride
        (gradient,) = torch.autograd.grad(stem(image)[0, :, middle, middle].abs().sum(), image)
        seen.append(gradient.abs().sum((0, 1)) > 0)
    assert torch.equal(*seen)
    assert learned.conv.weight.requires_grad and learned.freeze().conv.weight.requires_grad


@pytest.mark.parametrize(
    "stem",
    [
        UnshuffleStem(),
        UnshuffleStem(channels="420"),
        DCTStem(mode="4x4", channels="all", rotation_seed=3),
    ],
)
def test_mid_grey_gives_zeros(stem):
    assert stem(torch.zeros(1, 3, 16, 16)).abs().max() == 0


def test_bad_input_is_refused_with_the_cure():
    with pytest.raises(UserError, match="channels of .*: '24'.*all, 420"):
        UnshuffleStem(channels="24")
    with pytest.raises(UserError, match="48 values of std for 24 channels"):
        UnshuffleStem(channels="420", std=[1.0] * 48)
    with pytest.raises(UserError, match="mode: '2x2'.*x2, 8x8, 4x4"):
        LearnedStem(mode="2x2")
    with pytest.raises(UserError, match="20 x 24 pixels: pad to multiples of 8"):
        LearnedStem()(torch.zeros(1, 3, 20, 24))
    with pytest.raises(UserError, match="18 x 16 pixels: pad to multiples of 4"):
        UnshuffleStem()(torch.zeros(1, 3, 18, 16))


def test_sixteen_bits_are_refused_with_the_cure():
    deep = torch.full((1, 3, 16, 16), 40000.0)
    for stem in (DCTStem(), UnshuffleStem()):
        with pytest.raises(UserError, match="more than 8 bits.*scaled to 8 bits"):
            stem(deep)
    normalised = (deep - 123) / 58
    stem = DCTStem(pixel_mean=(123.0,) * 3, pixel_std=(58.0,) * 3)
    with pytest.raises(UserError, match="40000"):
        stem(normalised)
    stem((torch.full((1, 3, 16, 16), 255.0) - 123) / 58)
