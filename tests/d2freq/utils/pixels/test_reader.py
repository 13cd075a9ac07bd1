"""From samples to channels: a range, a choice of bands, and nothing of the depth lost."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from d2freq.errors import DatasetError, UserError
from d2freq.utils.pixels import PixelReader, read_preview, read_rgb
from d2freq.utils.pixels.value_range import Counts, scaled

from .pixel_cases import CONTIGUOUS, DEEP, RGB, SIZE, by_opencv, by_rasterio


@pytest.fixture
def bands(tmp_path):
    tifffile.imwrite(tmp_path / "bands.tif", DEEP, **CONTIGUOUS)
    return tmp_path / "bands.tif"


@pytest.fixture
def rgb(tmp_path):
    by_opencv(tmp_path / "rgb.png", RGB)
    return tmp_path / "rgb.png"


def test_a_fixed_range_by_its_formula(rgb):
    found = PixelReader([100, 1900], order="RGB").read(rgb, SIZE)
    wanted = np.clip((RGB.astype(np.float64) - 100) * 255 / 1800, 0, 255)
    assert found.dtype == np.float32 and found.shape == RGB.shape
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert len(np.unique(found)) > 256  # the depth is kept


@pytest.mark.parametrize(("order", "channels"), [("RGB", [0, 1, 2]), ("BGR", [2, 1, 0])])
def test_8_bits_keep_their_numbers(tmp_path, order, channels):
    Image.fromarray(RGB.astype(np.uint8)).save(tmp_path / "a.png")
    found = PixelReader([0, 255], order=order).read(tmp_path / "a.png")
    np.testing.assert_array_equal(found, read_rgb(tmp_path / "a.png")[:, :, channels])


def test_bands_are_chosen_by_number_and_order(bands):
    reader = PixelReader([[0, 60000], [10, 20], [0, 60000]], bands=[5, 2, 5])
    found = reader.read(bands)
    np.testing.assert_allclose(found[:, :, 0], DEEP[:, :, 4] * (255 / 60000), rtol=1e-6)
    np.testing.assert_array_equal(found[:, :, 0], found[:, :, 2])
    assert set(np.unique(found[:, :, 1])) <= {0, 255} | set(np.arange(11) * np.float32(25.5))
    assert PixelReader([0, 60000]).read(bands).shape == DEEP.shape


def test_grey_is_repeated_mixed_or_alone(tmp_path, rgb):
    tifffile.imwrite(tmp_path / "g.tif", DEEP[:, :, 0])
    thrice = PixelReader([0, 60000]).read(tmp_path / "g.tif")
    assert thrice.shape == (*DEEP.shape[:2], 3)
    alone = PixelReader([0, 60000], order="L").read(tmp_path / "g.tif")
    np.testing.assert_array_equal(thrice[:, :, :1], alone)
    mixed = PixelReader([0, 2046], order="L").read(rgb)[:, :, 0]
    wanted = RGB @ [0.299, 0.587, 0.114] * 255 / 2046
    np.testing.assert_allclose(mixed, wanted, atol=1e-3)


def test_percentiles_of_an_image_are_those_of_numpy(bands):
    found = PixelReader("image", percentiles=[2, 98]).read(bands)
    for band in range(5):
        values = DEEP[:, :, band].astype(np.float64)
        low, high = np.percentile(values, [2, 98], method="inverted_cdf")
        wanted = np.clip((values - low) * 255 / (high - low), 0, 255)
        np.testing.assert_allclose(found[:, :, band], wanted, atol=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.int32])
def test_counts_block_by_block_are_those_of_the_whole(dtype):
    values = (DEEP.astype(np.int64) - 20000).astype(dtype)
    blocks, whole = Counts(5), Counts(5)
    for top in range(0, len(values), 5):
        blocks.add(values[top : top + 5])
    whole.add(values)
    np.testing.assert_array_equal(blocks.percentiles(1, 99), whole.percentiles(1, 99))
    wanted = np.percentile(values[:, :, 0], [1, 99], method="inverted_cdf")
    np.testing.assert_array_equal(whole.percentiles(1, 99)[0], wanted)


def test_nodata_and_nan_are_no_measurement(tmp_path):
    pytest.importorskip("rasterio")
    values = DEEP[:, :, :1].astype(np.float32)
    values[0], values[1] = -9999, np.nan
    by_rasterio(driver="GTiff", nodata=-9999)(tmp_path / "a.tif", values)
    found = PixelReader("image", bands=[1], percentiles=[0, 100]).read(tmp_path / "a.tif")
    assert (found[:2] == 0).all() and found.max() == 255
    low, high = values[2:].min(), values[2:].max()
    np.testing.assert_allclose(found[2:], (values[2:] - low) * 255 / (high - low), atol=1e-2)


def test_a_flat_picture_is_black_and_no_division_by_zero(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 5), 700, np.uint16))
    assert not PixelReader("image").read(tmp_path / "a.tif").any()
    assert scaled(np.full((1, 1, 1), np.inf, np.float32), [(0, 1)]).item() == 255


def test_large_numbers_keep_their_differences():
    values = np.array([[[2**30], [2**30 + 1], [2**30 + 2]]], np.uint32)
    np.testing.assert_allclose(scaled(values, [(2**30, 2**30 + 2)]).ravel(), [0, 127.5, 255])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(range=[9, 9]), r"RANGE has \[9, 9\]: low is less"),
        (dict(range="percent"), "INPUT.PIXELS.RANGE.*image"),
        (dict(range=[1, 2, 3]), "two numbers"),
        (dict(range=4095), "RANGE is 4095"),
        (dict(range=[[0, 1], [0, 1]], bands=[1, 2, 3]), "2 pairs.*3 bands"),
        (dict(range=[0, 1], bands=[0]), "count from 1"),
        (dict(range=[0, 1], percentiles=[99, 1]), "low < high"),
        (dict(range=[0, 1], order="HSV"), "INPUT.FORMAT"),
    ],
)
def test_values_that_no_reader_takes(arguments, said):
    with pytest.raises(UserError, match=said):
        PixelReader(**arguments)


def test_files_that_do_not_fit(bands, rgb):
    with pytest.raises(DatasetError, match=r"rgb\.png: 3 bands.*asks for band 4"):
        PixelReader([0, 1], bands=[4]).read(rgb)
    with pytest.raises(DatasetError, match=r"bands\.tif: 5 bands.*INPUT\.FORMAT L"):
        PixelReader([0, 1], order="L").read(bands)
    with pytest.raises(DatasetError, match=r"bands\.tif: 5 bands are read.*2 pairs"):
        PixelReader([[0, 1], [0, 2]]).read(bands)
    with pytest.raises(DatasetError, match=r"bands\.tif: 20 x 12 pixels.*99 x 9"):
        PixelReader([0, 1]).read(bands, (99, 9))
    with pytest.raises(UserError, match="measured before"):
        PixelReader("dataset").read(rgb)


def test_a_reader_survives_json(bands):
    reader = PixelReader([[0, 9], [1, 8]], bands=[2, 1])
    assert PixelReader(**reader.as_dict()) == reader


def test_previews_are_stretched_for_the_eye(bands, rgb, tmp_path):
    shown = read_preview(bands)
    assert shown.shape == (*DEEP.shape[:2], 3) and shown.dtype == np.uint8
    assert shown.min() == 0 and shown.max() == 255
    as_seen = read_preview(rgb, PixelReader([0, 2046]))  # BGR for the model, RGB to look at
    np.testing.assert_allclose(as_seen, RGB * (255 / 2046), atol=0.51)
    Image.fromarray(RGB.astype(np.uint8)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_preview(tmp_path / "a.png"), RGB.astype(np.uint8))


def test_infinity_is_no_measurement_and_no_nan(tmp_path):
    values = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    values[:10], values[10] = -np.inf, np.inf  # of a logarithm, many are not finite
    tifffile.imwrite(tmp_path / "a.tif", values)
    found = PixelReader("image", bands=[1]).read(tmp_path / "a.tif")
    assert np.isfinite(found).all() and not found[:10].any() and (found[10] == 255).all()
    assert np.ptp(found[11:]) == pytest.approx(255)
    tifffile.imwrite(tmp_path / "b.tif", np.full((9, 9), np.inf, np.float32))
    assert not PixelReader("image", bands=[1]).read(tmp_path / "b.tif").any()
