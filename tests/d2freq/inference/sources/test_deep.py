"""Deep pictures for a model with a reader: by rasterio in windows or decoded, the same channels."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from d2freq.data.tiles.geometry import Window
from d2freq.engine.export.metadata import as_text
from d2freq.errors import DatasetError, UserError
from d2freq.inference.detector import Detector
from d2freq.inference.engines.engine import ModelAbout
from d2freq.inference.engines.exported import ExportedEngine
from d2freq.inference.outputs.pixels import PictureReader
from d2freq.inference.search import search_arrays
from d2freq.inference.sources import Source, open_source
from d2freq.inference.sources import open as module
from d2freq.utils.pixels import PixelReader
from tests.d2freq.inference.blobs import BlobEngine, blob_picture

FIXED = PixelReader([0, 4000], bands=[3, 1, 5], order="RGB")
OWN = PixelReader("image", bands=[3, 1, 5], percentiles=[1, 99])


@pytest.fixture
def five(tmp_path):
    """Five bands of 16 bits; a blob picture's red is band 3 and its green band 1."""
    pixels, boxes = blob_picture(120, 96)
    deep = (pixels.astype(np.uint16) * 16)[:, :, [1, 2, 0, 2, 2]]
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="minisblack", planarconfig="contig")
    return str(tmp_path / "a.tif"), deep, boxes


def read(path, reader, window):
    for opened in open_source(Source("a", path), 1, reader=reader):
        return opened.read(window), opened.picture
    raise AssertionError


@pytest.mark.parametrize("reader", [FIXED, OWN])
def test_windows_are_those_of_the_whole_picture(five, reader, monkeypatch):
    path, *_ = five
    whole = reader.read(path)
    window = Window(20, 10, 50, 40)
    wanted = whole[10:50, 20:70]
    pytest.importorskip("rasterio")
    by_rasterio, _ = read(path, reader, window)
    monkeypatch.setattr(module, "has_rasterio", lambda: False)
    decoded, _ = read(path, reader, window)
    np.testing.assert_array_equal(decoded, wanted)
    np.testing.assert_array_equal(by_rasterio, wanted)
    assert by_rasterio.dtype == np.float32


def test_a_detector_finds_the_same_on_files_and_arrays(five):
    path, deep, boxes = five
    engine = BlobEngine(pixels=FIXED.as_dict())
    detector = Detector(engine)
    for image in (path, deep):
        found = detector(image, tile=(100, 90), overlap=24)
        assert {tuple(b) for b in found.boxes.tolist()} == {tuple(b) for b in boxes.tolist()}
    in_slices = search_arrays(engine, [deep])
    assert len(in_slices[0]) == len(boxes)
    with pytest.raises(DatasetError, match=r"array: 3 bands.*asks for band 5"):
        detector(deep[:, :, :3])
    with pytest.raises(DatasetError, match=r"a\.tif: 5 bands of .*INPUT\.PIXELS\.RANGE"):
        Detector(BlobEngine())(path)
    with pytest.raises(UserError, match="INPUT.PIXELS takes other numbers"):
        Detector(BlobEngine())(deep)


def test_pillows_deep_pictures_keep_their_numbers(tmp_path):
    grey = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    engine = BlobEngine(pixels=PixelReader([0, 4095]).as_dict())
    seen = []
    engine._found = lambda pixels: seen.append(pixels) or BlobEngine._found(engine, pixels)
    Detector(engine)(Image.fromarray(grey))
    np.testing.assert_allclose(seen[0][:, :, 0], grey * (255 / 4095), atol=1e-4)


def test_an_exported_file_carries_its_reader(five):
    path, deep, boxes = five
    about = dict(names=["red", "green"], channel_order="RGB", channels=3, score=0.0)
    text = as_text(about | {"pixels": FIXED.as_dict()}, batch=True)
    given = []

    def run(batch):
        given.append(batch)
        return np.zeros((0, 4)), np.zeros(0), np.zeros(0), np.zeros(0)

    engine = ExportedEngine("model.onnx", text, run)
    assert engine.about.reader == FIXED
    Detector(engine)(path, tile="none")
    np.testing.assert_allclose(given[0][0], FIXED.read(path).transpose(2, 0, 1), atol=1e-5)
    wrong = as_text(about | {"channels": 4, "pixels": FIXED.as_dict()}, batch=True)
    with pytest.raises(UserError, match="BANDS has 3 bands, the model takes 4 channels"):
        ExportedEngine("model.onnx", wrong, run)
    assert ExportedEngine("model.onnx", as_text(about, batch=True), run).about == ModelAbout(
        **about | {"names": ("red", "green")}
    )


def test_outputs_show_deep_pictures_stretched(five):
    path, deep, _ = five
    _, picture = read(path, FIXED, Window(0, 0, 9, 9))
    shown = PictureReader()(picture, (0, 0, 120, 96), (120, 96))
    assert shown.shape == (96, 120, 3) and shown.dtype == np.uint8
    assert shown.min() == 0 and shown.max() == 255


def test_a_video_is_no_deep_picture(tmp_path):
    source = Source("a.avi", str(tmp_path / "a.avi"), video=True)
    with pytest.raises(DatasetError, match=r"a\.avi: a video has 8-bit RGB"):
        next(open_source(source, 1, reader=FIXED))
