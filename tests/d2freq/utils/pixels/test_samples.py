"""Every sample of every kind of file comes back as it was written, turned as its tag says."""

import io
import struct
import warnings

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from d2freq.errors import DatasetError
from d2freq.utils.pixels import look_at, read_layout, read_rgb, read_samples, samples
from d2freq.utils.pixels.grey import read_grey
from d2freq.utils.pixels.layout import Layout, layout_of
from d2freq.utils.pixels.tiff_tags import directories, first_values

from .pixel_cases import CASES, DEEP, NEEDS_RASTERIO, SIZE, by_rasterio, chunk


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    if request.param in NEEDS_RASTERIO:
        pytest.importorskip("rasterio")
    name, values, write, alpha = CASES[request.param]
    write(tmp_path / name, values)
    return tmp_path / name, values, alpha


def test_samples_and_layout_are_what_was_written(case):
    path, values, alpha = case
    found, layout = read_samples(path)
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)
    bits = 8 * values.dtype.itemsize
    assert (layout.bands, layout.bits, layout.alpha) == (values.shape[2], bits, alpha)
    assert not layout.plain and layout.size == SIZE


def test_what_8_bits_would_lose_is_refused_and_looked_at(case):
    path, values, _ = case
    words = f"{values.shape[2]} band"
    with pytest.raises(
        DatasetError, match=rf"{path.name}: {words}.*INPUT\.PIXELS\.RANGE"
    ) as caught:
        read_rgb(path)
    assert "\n" not in str(caught.value)
    look = look_at(str(path), decode=True)
    assert look.deep and not look.fault and look.size == SIZE and words in look.samples


def test_a_cut_file_is_truncated(case):
    path, *_ = case
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    look = look_at(str(path), decode=True)
    # a TIFF's directory may lie behind its pixels
    known = not read_layout(path).plain
    assert look.fault == ("truncated image" if known else "unreadable image")
    assert str(path) not in look.reason or not known
    with pytest.raises(DatasetError, match=r"a\.\w+: "):
        read_samples(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_pictures_are_turned_as_pillow_turns_8_bits(tmp_path, orientation):
    eight = DEEP[:, :, 0].astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(eight).save(tmp_path / "plain.jpg", exif=exif, quality=100)
    wanted = read_samples(tmp_path / "plain.jpg")[0].shape
    image = Image.fromarray(eight)
    image.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(image))
    tags = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(tmp_path / "a.tif", DEEP[:, :, 0], extratags=tags)
    png = tmp_path / "a.png"
    Image.fromarray(DEEP[:, :, 0]).save(png)
    content = png.read_bytes()
    png.write_bytes(content[:33] + chunk(b"eXIf", exif.tobytes()[6:]) + content[33:])
    for name in ("a.tif", "a.png"):
        found, _ = read_samples(tmp_path / name)
        assert found.shape == wanted
        np.testing.assert_array_equal(found[:, :, 0].astype(np.uint8), upright)
        assert look_at(str(tmp_path / name)).size == (wanted[1], wanted[0])


def test_nodata_is_read_from_gdal_and_overviews_are_no_bands(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    path = tmp_path / "a.tif"
    by_rasterio(driver="GTiff", nodata=-9999)(path, DEEP[:, :, :1].astype(np.float32))
    with rasterio.open(path, "r+") as data:
        data.build_overviews([2])
    assert read_layout(path).nodata == -9999
    assert read_layout(path).bands == 1 and read_samples(path)[0].shape == (SIZE[1], SIZE[0], 1)


@pytest.mark.parametrize("shape", [(3, 9, 7), (2, 9, 7, 3)])
def test_pages_that_nobody_reads_are_counted(tmp_path, shape):
    kind = "rgb" if len(shape) == 4 else "minisblack"
    values = np.zeros(shape, np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric=kind, metadata=None)
    for decode in (False, True):
        look = look_at(str(tmp_path / "a.tif"), decode)
        assert (look.unread, look.deep) == (shape[0] - 1, False)
    tifffile.imwrite(tmp_path / "b.tif", values.astype(np.uint16), photometric=kind, metadata=None)
    # of deep pictures of one band, each page is a band
    assert look_at(str(tmp_path / "b.tif")).unread == (1 if kind == "rgb" else 0)


def test_complex_samples_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((9, 7), 2j, np.complex64))
    with pytest.raises(DatasetError, match=r"a\.tif: .*complex64.*magnitude"):
        read_samples(tmp_path / "a.tif")


def test_packed_samples_of_12_bits(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    values = np.arange(63, dtype=np.uint16).reshape(1, 9, 7) * 65
    form = dict(driver="GTiff", width=7, height=9, count=1, dtype="uint16", NBITS=12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(tmp_path / "a.tif", "w", **form) as file:
            file.write(values)
    found, layout = read_samples(tmp_path / "a.tif")
    assert layout.bits == 12 and np.array_equal(found[:, :, 0], values[0])


def test_modes_of_pillow_that_are_no_samples_are_looked_up(tmp_path):
    inked = np.arange(63).reshape(9, 7) % 2 == 0
    Image.fromarray(inked).save(tmp_path / "ink.png")
    found, layout = read_samples(tmp_path / "ink.png")
    assert layout.bands == 1 and np.array_equal(found[:, :, 0], 255 * inked)
    table = Image.fromarray(inked.astype(np.uint8), "P")
    table.putpalette([10, 20, 30, 40, 50, 60])
    table.save(tmp_path / "table.png", transparency=0)
    found, layout = read_samples(tmp_path / "table.png")
    assert layout.alpha == 3 and not layout.deep
    assert found[0, 0].tolist() == [40, 50, 60, 255] and found[0, 1].tolist() == [10, 20, 30, 0]


def test_a_format_whose_header_nobody_asks_keeps_its_samples(tmp_path):
    values = np.linspace(0, 9, 63, dtype=np.float32).reshape(9, 7)
    Image.fromarray(values).save(tmp_path / "a.spi", format="SPIDER")
    found, layout = read_samples(tmp_path / "a.spi")
    assert np.array_equal(found[:, :, 0], values)
    assert str(layout) == "1 band of 32 bits (float32)" and layout.deep and layout.size == (7, 9)
    with pytest.raises(DatasetError, match=r"a\.spi: samples of Pillow's mode F; .* would lose"):
        read_rgb(tmp_path / "a.spi")


def test_a_file_that_is_missing_or_contradicts_its_header(tmp_path, monkeypatch):
    with pytest.raises(DatasetError, match=r"a\.png: no such image; fetch it"):
        read_samples(tmp_path / "a.png")
    Image.fromarray(DEEP[:, :, 0]).save(tmp_path / "a.png")
    monkeypatch.setattr(samples, "_by_opencv", lambda *_: DEEP[:5, :, 0])
    with pytest.raises(DatasetError, match=r"header says 1 band of 16 .* of 20 x 12 .*\(5, 20, 1"):
        read_samples(tmp_path / "a.png")


def test_without_rasterio(tmp_path, monkeypatch):
    monkeypatch.setattr(samples.importlib.util, "find_spec", lambda _: None)
    grey = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 15
    options = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
    assert cv2.imwrite(str(tmp_path / "a.jp2"), grey, options)
    found, _ = read_samples(tmp_path / "a.jp2")
    assert found.dtype == np.uint16 and np.array_equal(found[:, :, 0], grey)

    def fail(*_, **__):
        raise ValueError("LZW requires the 'imagecodecs' package")

    path = tmp_path / "a.tif"
    tifffile.imwrite(path, DEEP[:, :, 0])
    monkeypatch.setattr(tifffile.TiffPage, "asarray", fail)
    with pytest.raises(DatasetError, match=r"a\.tif: its compression needs .*d2freq\[geo\]"):
        read_samples(path)
    monkeypatch.undo()
    monkeypatch.setattr(samples.importlib.util, "find_spec", lambda _: None)
    path.write_bytes(path.read_bytes()[:-90])
    with pytest.raises(DatasetError, match=r"a\.tif: unreadable"):
        read_samples(path)


def test_grey_of_deep_pictures_and_of_broken_ones(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(DEEP[:, :, 0]).save(path)
    grey = read_grey(path)
    assert grey.shape == DEEP.shape[:2] and grey.dtype == np.uint8 and np.ptp(grey) > 200
    path.write_bytes(path.read_bytes()[:60])
    assert read_grey(path) is None


def test_layouts_from_headers_alone(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(DEEP[:, :, 0]).save(path, dpi=(72, 72))  # a chunk before the pixels
    layout = read_layout(path)
    assert (layout.bits, layout.size, layout.orientation) == (16, SIZE, 1)
    assert layout_of(io.BytesIO(b"PF\n20 12\n-1.0\n")) == Layout(
        "PNM", 32, 3, "float", plain=False, size=SIZE
    )
    # a bare codestream: marker SIZ, its length, capabilities, then the image's and a tile's sides
    sides = struct.pack(">8I", 23, 14, 3, 2, 23, 14, 0, 0)
    bare = b"\xff\x4f\xff\x51" + struct.pack(">HH", 47, 0) + sides + struct.pack(">HB", 3, 0x8B)
    for before in (b"", b"\0\0\0\x0cjP  \r\n\x87\n....ihdr" + struct.pack(">IIHB", 12, 20, 3, 255)):
        layout = layout_of(io.BytesIO(before + bare))
        assert (layout.bits, layout.kind, layout.bands, layout.size) == (12, "int", 3, SIZE)
        assert not layout.plain


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"XX*\0\x08\0\0\0", "neither II nor MM"),
        (b"II\x07\0\x08\0\0\0", "TIFF version 7"),
        (struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 1 << 40), "directory of 1099511627776 tags"),
    ],
)
def test_bytes_that_are_no_tiff(content, message):
    assert first_values(content) == {}
    with pytest.raises(ValueError, match=message):
        list(directories(io.BytesIO(content)))
