"""Images of every kind come as Detectron2 would read them, or are refused by name."""

import numpy as np
import pytest
from detectron2.data.detection_utils import read_image
from PIL import Image

from d2freq.errors import DatasetError
from d2freq.utils.pixels import any_size, eight_bit, read_rgb, write_rgb

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_8_bit_kind_is_what_detectron2_reads(tmp_path, mode, monkeypatch):
    monkeypatch.setattr(eight_bit, "STRIP", 5)
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    image = Image.fromarray(PIXELS).convert(mode)
    if mode == "RGBA":
        image.putalpha(0)
    image.save(path)
    read = read_rgb(path, (20, 12))
    assert read.dtype == np.uint8 and read.shape == (12, 20, 3)
    np.testing.assert_array_equal(read, read_image(str(path), "RGB"))
    if mode in ("RGB", "RGBA"):
        np.testing.assert_array_equal(read, PIXELS)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_more_than_8_bits_are_refused(tmp_path, dtype):
    Image.fromarray(np.full((12, 20), 3000, dtype)).save(tmp_path / "deep.tif")
    with pytest.raises(DatasetError, match=r"deep\.tif: 1 band of .*lose.*INPUT\.PIXELS\.RANGE"):
        read_rgb(tmp_path / "deep.tif", (20, 12))


def test_turned_photographs_are_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    read = read_rgb(tmp_path / "turned.jpg", (12, 20))
    np.testing.assert_array_equal(read, read_image(str(tmp_path / "turned.jpg"), "RGB"))


def test_wrong_sizes_broken_and_missing_files_are_named(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    with pytest.raises(DatasetError, match=r"a\.png: 20 x 12 pixels, the COCO file says 12 x 20"):
        read_rgb(tmp_path / "a.png", (12, 20))
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:200])
    with pytest.raises(DatasetError, match=r"b\.png: unreadable .*fetch it again"):
        read_rgb(tmp_path / "b.png")
    with pytest.raises(DatasetError, match=r"c\.png: no such image; fetch it"):
        read_rgb(tmp_path / "c.png", (20, 12))


def test_huge_images_are_read_and_the_limit_stays(tmp_path, monkeypatch):
    """As many pixels above Pillow's limit as 20,000 x 20,000 are: the limit is lowered here."""
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / "a.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png", (20, 12)), PIXELS)
    with pytest.raises(ZeroDivisionError), any_size():
        _ = 1 / 0
    assert Image.MAX_IMAGE_PIXELS == 100


def test_png_is_exact_and_jpg_close_in_colour_too(tmp_path):
    smooth = np.zeros((32, 32, 3), np.uint8)
    smooth[8:12, 8:12] = (250, 20, 20)
    write_rgb(tmp_path / "a.png", smooth)
    write_rgb(tmp_path / "a.jpg", smooth)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png", (32, 32)), smooth)
    jpg = read_rgb(tmp_path / "a.jpg", (32, 32)).astype(int)
    assert np.abs(jpg[8:12, 8:12] - smooth[8:12, 8:12]).mean() < 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "a.png"]
