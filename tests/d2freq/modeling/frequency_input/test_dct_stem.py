"""The stem against its steps one by one: colours, enlargement, DCT, choice, normalisation."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from d2freq.errors import UserError
from d2freq.modeling.frequency_input import DCTStem, select_channels
from d2freq.modeling.frequency_input.channels import PUBLISHED, component_names
from d2freq.ops.block_dct import zigzag


def by_steps(rgb, mode, channels):
    """Coefficients of (B, 3, H, W) RGB pixels in [0, 255], each step written out."""
    red, green, blue = rgb.double().unbind(1)
    planes = torch.stack(
        [
            0.299 * red + 0.587 * green + 0.114 * blue - 128,
            -0.168736 * red - 0.331264 * green + 0.5 * blue,
            0.5 * red - 0.418688 * green - 0.081312 * blue,
        ],
        dim=1,
    )
    if mode == "8x8-420":  # chroma of the twice enlarged image, 4:2:0
        large = F.interpolate(planes, scale_factor=2, mode="bilinear", align_corners=False)
        planes = torch.cat([planes[:, :1], F.avg_pool2d(large[:, 1:], 2)], dim=1)
    if mode == "x2":
        planes = F.interpolate(planes, scale_factor=2, mode="bilinear", align_corners=False)
    return blocks(planes, points=4 if mode == "4x4" else 8)[:, channels]


def blocks(planes, points=8):
    """Coefficients of (B, P, H, W) planes as (B, P N N, H / N, W / N)."""
    batch, count, height, width = planes.shape
    position = torch.arange(points, dtype=torch.float64)
    wave = torch.cos((2 * position + 1) * position[:, None] * torch.pi / (2 * points))
    wave *= torch.where(position == 0, 1 / points, 2 / points).sqrt()[:, None]
    tiles = planes.reshape(batch, count, height // points, points, width // points, points)
    return torch.einsum("vy,bpiyjx,ux->bpvuij", wave, tiles, wave).flatten(1, 3)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("mode", ["x2", "8x8", "4x4", "8x8-420"])
def test_stem_does_its_steps(mode, order):
    torch.manual_seed(3)
    channels = select_channels("triangle:9,4,3", points=4 if mode == "4x4" else 8)
    mean, std = torch.randn(16) * 20, torch.rand(16) * 5 + 0.5
    pixel_mean, pixel_std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    stem = DCTStem(
        mode=mode,
        channels=channels,
        input_format=order,
        pixel_mean=pixel_mean,
        pixel_std=pixel_std,
        mean=mean.tolist(),
        std=std.tolist(),
    )
    rgb = torch.randint(0, 256, (2, 3, 32, 48)).float()
    expected = by_steps(rgb, mode, channels)
    expected = (expected - mean[:, None, None]) / std[:, None, None]
    pixels = rgb if order == "RGB" else rgb.flip(1)
    given = (pixels - torch.tensor(pixel_mean)[:, None, None]) / torch.tensor(pixel_std)[
        :, None, None
    ]
    found = stem(given)
    assert found.shape == (2, 16, *(s // stem.stride for s in (32, 48)))
    torch.testing.assert_close(found, expected.float(), rtol=1e-4, atol=1e-3)


def test_padding_with_zeros_is_mid_grey_and_gives_zeros():
    assert DCTStem(channels="192")(torch.zeros(1, 3, 32, 32)).abs().max() == 0


def test_stem_learns_nothing_and_carries_its_statistics():
    stem = DCTStem(channels="24", mean=[2.0] * 24, std=[3.0] * 24)
    assert not list(stem.parameters())
    assert set(stem.state_dict()) == {"mean", "std", "channel_ids"}
    other = DCTStem(channels="24")
    other.load_state_dict(stem.state_dict())
    image = torch.randn(1, 3, 16, 16) * 50
    torch.testing.assert_close(other(image), stem(image))
    assert stem.out_channels == 24 and stem.stride == 4


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "x2", "channels": "24-learned"},
        {"mode": "8x8", "channels": "24"},
        {"mode": "x2", "channels": "24", "rotation_seed": 0},
        {"mode": "x2", "channels": list(range(24))[::-1]},
    ],
)
def test_weights_of_as_many_other_channels_are_refused(options):
    weights = DCTStem(**options).state_dict()
    for device in ("cpu", "meta"):  # a checkpoint is tried without memory before a training
        with torch.device(device), pytest.raises(UserError, match=r"other channels.*CHANNELS"):
            DCTStem(mode="x2", channels="24").load_state_dict(weights, strict=False)
    DCTStem(**options).load_state_dict(weights)


def test_weights_of_blurred_chroma_are_refused_by_a_stem_without_and_the_reverse():
    modes = ("8x8", "8x8-420")
    for own, other in (modes, modes[::-1]):
        with pytest.raises(UserError, match="other channels.*MODE"):
            DCTStem(mode=own).load_state_dict(DCTStem(mode=other).state_dict())


@pytest.mark.parametrize("mode", ["x2", "8x8"])
def test_half_precision_keeps_float32_inside(mode):
    stem, image = DCTStem(mode=mode, channels="64"), torch.randn(1, 3, 32, 32) * 50
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = stem(image)
    assert found.dtype == torch.float32
    assert torch.equal(found, stem(image))


def test_coefficients_are_those_of_a_jpeg_file_of_quality_100(tmp_path):
    jpeglib = pytest.importorskip("jpeglib", reason="reads coefficients of JPEG files")
    torch.manual_seed(0)
    smooth = F.interpolate(255 * torch.rand(1, 3, 9, 9), size=(64, 64), mode="bicubic")
    rgb = smooth.clamp(0, 255).round()
    path = tmp_path / "picture.jpg"
    pixels = rgb[0].permute(1, 2, 0).byte().numpy()
    Image.fromarray(pixels).save(path, quality=100, subsampling=0)
    file = jpeglib.read_dct(str(path))
    parts = [torch.from_numpy(part.astype("float64")) for part in (file.Y, file.Cb, file.Cr)]
    expected = torch.stack(parts).flatten(3).permute(0, 3, 1, 2).flatten(0, 1)
    found = DCTStem(mode="8x8", channels="192", input_format="RGB")(rgb - 128)[0]
    difference = (found - expected).abs()
    assert difference.mean() < 0.35 and difference.max() < 5


def test_chroma_of_8x8_420_is_that_of_a_jpeg_file_of_twice_the_size(tmp_path):
    """The published classifiers' way: the image enlarged twice, a file with 4:2:0, its chroma.

    Decoded at half its size the file gives its chroma as it stands there, rounded.
    """
    torch.manual_seed(0)
    rgb = (255 * torch.rand(1, 3, 64, 64)).round()
    large = F.interpolate(rgb, scale_factor=2, mode="bilinear", align_corners=False).round()
    path = tmp_path / "picture.jpg"
    pixels = large[0].permute(1, 2, 0).byte().numpy()
    Image.fromarray(pixels).save(path, quality=100, subsampling=2)
    with Image.open(path) as file:
        file.draft("YCbCr", (64, 64))
        assert file.size == (64, 64)
        ycbcr = torch.from_numpy(np.array(file)).double().permute(2, 0, 1)
    expected = blocks(ycbcr[None, 1:] - 128)[0]
    found, sharp = (
        DCTStem(mode=mode, channels="192", input_format="RGB")(rgb - 128)[0]
        for mode in ("8x8-420", "8x8")
    )
    difference = (found[64:] - expected).abs()
    assert difference.mean() < 0.4 and difference.max() < 4
    assert torch.equal(found[:64], sharp[:64])  # Y is that of the image itself
    assert (sharp[64:] - expected).abs().mean() > 5


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sets_hold_what_their_name_says(name):
    channels = select_channels(name)
    assert len(channels) == int(name.partition("-")[0])
    luma = [n for n in channels if n < 64]
    blue = [n - 64 for n in channels if 64 <= n < 128]
    red = [n - 128 for n in channels if n >= 128]
    assert blue == red and set(blue) <= set(range(64)) and luma == sorted(luma)


def test_learned_set_in_zigzag_ranks():
    rank = {index: place for place, index in enumerate(zigzag())}
    luma, chroma = PUBLISHED["24-learned"]
    assert sorted(rank[i] for i in luma) == [*range(11), 12, 14, 15]
    assert sorted(rank[i] for i in chroma) == [0, 1, 2, 6, 9]  # 3, 4, 5 are not chosen


def test_squares_triangles_and_lists():
    assert select_channels("square:4,2") == select_channels("24")
    assert select_channels("triangle:3,1,0") == [0, 1, 8, 64]
    assert select_channels([70, 3]) == [70, 3]
    assert select_channels("all", points=4) == list(range(48))
    assert component_names([0, 9, 67, 191]) == ["Y(0,0)", "Y(1,1)", "Cb(0,3)", "Cr(7,7)"]


@pytest.mark.parametrize(
    ("choice", "points", "message"),
    [
        ("23", 8, "no such set; published: 6, 24"),
        ("24", 4, "none for 4 points"),
        ([0, 192], 8, r"\[192\].*0 to 191"),
        ([-1], 8, r"\[-1\]"),
        ([5, 6, 5], 8, r"\[5\] are given twice"),
        ([], 8, "no DCT channel"),
        ("square:9,1", 8, "9 is above 8"),
        ("triangle:4,4", 8, "3 numbers"),
    ],
)
def test_channels_that_do_not_exist_are_refused(choice, points, message):
    with pytest.raises(UserError, match=message):
        select_channels(choice, points=points)


def test_bad_input_is_refused_with_the_cure():
    with pytest.raises(UserError, match="mode: 'jpeg'.*x2, 8x8, 4x4"):
        DCTStem(mode="jpeg")
    with pytest.raises(UserError, match="INPUT.FORMAT 'L'.*RGB or BGR"):
        DCTStem(input_format="L")
    with pytest.raises(UserError, match="24 values of mean for 64 channels.*dct-statistics"):
        DCTStem(mean=[0.0] * 24)
    with pytest.raises(UserError, match="not above zero"):
        DCTStem(channels="6", std=[1.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    stem = DCTStem(mode="8x8")
    with pytest.raises(UserError, match="20 x 24 pixels: pad to multiples of 8"):
        stem(torch.zeros(1, 3, 20, 24))
    with pytest.raises(UserError, match=r"got \(1, 1, 16, 16\)"):
        stem(torch.zeros(1, 1, 16, 16))


def test_stem_is_built_without_memory_too():
    with torch.device("meta"):
        stem = DCTStem(channels="24-learned")
    assert stem.to("meta").out_channels == 24
