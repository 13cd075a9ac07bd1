"""GeoTIFFs, read in windows, against the array that was written."""

import logging

import numpy as np
import pytest
from PIL import Image

from d2freq.data.tiles.geometry import Window
from d2freq.errors import DatasetError
from d2freq.inference.sources import Source, open_source
from d2freq.inference.sources import open as module

rasterio = pytest.importorskip("rasterio")
from rasterio.crs import CRS  # noqa: E402
from rasterio.enums import ColorInterp  # noqa: E402
from rasterio.transform import Affine  # noqa: E402

PLACE = Affine(0.5, 0.0, 400_000.0, 0.0, -0.5, 5_600_000.0)
INSIDE = Window(70, 30, 60, 50)


def noise(bands: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (bands, 120, 200), dtype=np.uint8)


def write(path, bands: np.ndarray, **profile) -> str:
    colours = profile.pop("colorinterp", None)
    mask = profile.pop("mask", None)
    palette = profile.pop("palette", None)
    count, height, width = bands.shape
    profile = dict(tiled=True, blockxsize=64, blockysize=64, compress="deflate") | profile
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=count,
        dtype=bands.dtype,
        **profile,
    ) as data:
        data.write(bands)
        if colours:
            data.colorinterp = colours
        if palette:
            data.write_colormap(1, palette)
        if mask is not None:
            data.write_mask(mask)
    return str(path)


def read(path: str, window: Window = INSIDE, **about):
    for opened in open_source(Source("x.tif", path, **about), first_id=5):
        return opened.read(window), opened.picture
    raise AssertionError


def test_windows_and_place(tmp_path):
    bands = noise()
    path = write(tmp_path / "a.tif", bands, crs="EPSG:32632", transform=PLACE)
    pixels, picture = read(path)
    assert np.array_equal(pixels, bands[:, 30:80, 70:130].transpose(1, 2, 0))
    assert (picture.width, picture.height, picture.image_id) == (200, 120, 5)
    assert picture.geo.crs == "EPSG:32632"
    assert picture.geo.transform == (0.5, 0.0, 400_000.0, 0.0, -0.5, 5_600_000.0)


def test_a_crs_without_an_authority_is_written_out(tmp_path):
    crs = CRS.from_proj4("+proj=tmerc +lat_0=1.5 +lon_0=9.25 +k=1 +ellps=GRS80 +units=m")
    _, picture = read(write(tmp_path / "a.tif", noise(), crs=crs, transform=PLACE))
    assert CRS.from_wkt(picture.geo.crs) == crs


@pytest.mark.parametrize("profile", [{}, {"transform": PLACE}, {"crs": "EPSG:32632"}])
def test_half_a_place_is_none(profile, tmp_path):
    assert read(write(tmp_path / "a.tif", noise(), **profile))[1].geo is None


def test_grey_is_repeated(tmp_path):
    bands = noise(1)
    pixels, _ = read(write(tmp_path / "a.tif", bands))
    assert np.array_equal(pixels, np.repeat(bands[0, 30:80, 70:130, None], 3, 2))


def test_a_palette_is_looked_up(tmp_path):
    bands = noise(1) % 4
    palette = {n: (10 * n, 20 * n, 30 * n, 255) for n in range(4)}
    path = write(tmp_path / "a.tif", bands, photometric="palette", palette=palette)
    index = bands[0, 30:80, 70:130]
    assert np.array_equal(read(path)[0], np.stack([10 * index, 20 * index, 30 * index], 2))


def test_bands_are_taken_by_their_colours(tmp_path):
    bands = noise(3)
    order = [ColorInterp.blue, ColorInterp.green, ColorInterp.red]
    pixels, _ = read(write(tmp_path / "a.tif", bands, colorinterp=order, photometric="minisblack"))
    assert np.array_equal(pixels, bands[::-1, 30:80, 70:130].transpose(1, 2, 0))


@pytest.mark.parametrize("kind", ["nodata", "alpha", "mask"])
def test_what_is_marked_as_nothing_is_empty(kind, tmp_path):
    """The left half; its pixels differ, so that it is the mark that says so."""
    bands = noise(4 if kind == "alpha" else 3)
    something = np.zeros((120, 200), np.uint8)
    something[:, 100:] = 255
    profile: dict = {}
    if kind == "nodata":
        bands[:, something == 0] = 0
        profile["nodata"] = 0
    elif kind == "alpha":
        bands[3] = something
        profile |= dict(photometric="rgb", alpha="yes")
    else:
        profile["mask"] = something
    path = write(tmp_path / "a.tif", bands, **profile)
    assert read(path, Window(10, 10, 64, 64))[0] is None
    pixels, _ = read(path, Window(60, 10, 64, 64))
    assert np.array_equal(pixels, bands[:3, 10:74, 60:124].transpose(1, 2, 0))


def test_other_bands_and_depths_are_refused_with_the_cure(tmp_path):
    deep = write(tmp_path / "deep.tif", noise().astype(np.uint16))
    with pytest.raises(
        DatasetError, match=r"deep\.tif: 3 bands of uint16.*INPUT\.PIXELS\.RANGE.*gdal_translate"
    ):
        read(deep)
    many = write(tmp_path / "many.tif", noise(5))
    with pytest.raises(DatasetError, match=r"many\.tif: has 5 bands.*-b 1 -b 2 -b 3"):
        read(many)


def test_damage_is_found_where_it_is(tmp_path):
    path = write(tmp_path / "a.tif", noise())
    content = (tmp_path / "a.tif").read_bytes()
    middle = len(content) // 2
    (tmp_path / "a.tif").write_bytes(content[:middle] + b"\0" * 20_000 + content[middle + 20_000 :])
    with pytest.raises(DatasetError, match=r"a\.tif: damaged at x \d+, y \d+"):
        for y in (0, 64):
            for x in (0, 64, 128):
                read(path, Window(x, y, 50, 50))
    (tmp_path / "b.tif").write_bytes(b"no TIFF")
    with pytest.raises(DatasetError, match=r"b\.tif: unreadable"):
        read(str(tmp_path / "b.tif"))
    with pytest.raises(DatasetError, match=r"gone\.tif: no such image"):
        read(str(tmp_path / "gone.tif"))
    with pytest.raises(DatasetError, match="the COCO file says 9 x 9"):
        read(write(tmp_path / "c.tif", noise()), size=(9, 9))


def test_without_rasterio_a_tiff_is_decoded_whole_and_it_is_said(tmp_path, monkeypatch, caplog):
    bands = noise()
    path = write(tmp_path / "a.tif", bands, crs="EPSG:32632", transform=PLACE)
    monkeypatch.setattr(module, "has_rasterio", lambda: False)
    with caplog.at_level(logging.WARNING):
        pixels, picture = read(path)
    assert np.array_equal(pixels, bands[:, 30:80, 70:130].transpose(1, 2, 0))
    assert picture.geo is None and 'pip install "d2freq[geo]"' in caplog.text


def test_a_turned_tiff_is_upright(tmp_path):
    pixels = noise().transpose(1, 2, 0)
    Image.fromarray(pixels).save(tmp_path / "a.tif", tiffinfo={0x0112: 6})
    found, picture = read(str(tmp_path / "a.tif"), Window(0, 0, 120, 200))
    assert (picture.width, picture.height) == (120, 200)
    assert np.array_equal(found, np.rot90(pixels, k=-1))
