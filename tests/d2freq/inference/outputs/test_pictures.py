"""Annotated pictures: boxes where the objects are, whatever the size of the picture."""

import numpy as np
import pytest
from PIL import Image

from d2freq.errors import UserError
from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs import RunInfo, write_outputs
from d2freq.inference.outputs.colours import colour_of
from d2freq.inference.outputs.pixels import PictureReader

from ..cases import NAMES, found, picture


def near(pixels: np.ndarray, colour: tuple) -> np.ndarray:
    """Where a JPEG has about this colour, (H, W) bool."""
    return np.abs(pixels.astype(int) - colour).max(2) < 40


def drawn(folder, results, score=0.3) -> dict[str, np.ndarray]:
    run = RunInfo(NAMES, read=PictureReader(), score=score)
    (root,) = write_outputs(results, folder / "out", run, ["pictures"])
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): np.asarray(Image.open(path)) for path in files}


def saved(folder, name, size, rows, number=1) -> PictureResult:
    width, height = size
    path = folder / f"{number}.png"
    Image.fromarray(np.full((height, width, 3), 60, np.uint8)).save(path)
    return PictureResult(picture(name, number, size, path=str(path)), found(*rows))


def test_a_small_picture_is_enlarged_and_boxed_around_the_object(tmp_path):
    rows = ((20, 10, 26, 15, 0.9, 0), (60, 40, 70, 50, 0.5, 1), (1, 1, 5, 5, 0.1, 0))
    pixels = drawn(tmp_path, [saved(tmp_path, "a/x.png", (100, 80), rows)])["a/x.jpg"]
    assert pixels.shape == (320 + 30, 400, 3)  # fourfold, and a legend
    ship = near(pixels[:320], colour_of(0))
    assert ship[22:36, 80:115].any()  # its class and score, above the box
    ship[:36] = False
    y, x = np.nonzero(ship)
    assert (x.min(), x.max()) == pytest.approx((80, 104), abs=4)  # the low score is not there
    assert (y.min(), y.max()) == pytest.approx((40, 60), abs=4)
    assert not ship[44:56, 84:100].any()  # the object itself stays clear
    assert near(pixels[320:], colour_of(0)).any() and near(pixels[320:], colour_of(1)).any()


def test_a_tiny_object_on_a_large_picture_is_seen(tmp_path):
    """6 px of 8,000 are 3 px of the drawing; its box has 9, and the sheet shows its pixels."""
    result = saved(tmp_path, "x.png", (8000, 400), ((4000, 200, 4006, 206, 0.9, 0),))
    with Image.open(result.picture.path) as image:
        pixels = np.array(image)
    pixels[200:206, 4000:4006] = (250, 250, 0)
    Image.fromarray(pixels).save(result.picture.path)
    files = drawn(tmp_path, [result])
    assert files["x.jpg"].shape[1] == 4096
    y, x = np.nonzero(near(files["x.jpg"][98:-30], colour_of(0)))  # below its label
    assert len(x) and np.ptp(x) >= 6 and abs(x.mean() - 2050) < 3
    sheet = files["x_closeups.jpg"]
    assert sheet.shape == (192, 192, 3)
    yellow = near(sheet, (250, 250, 0))
    assert 30**2 < yellow.sum() < 42**2 and near(sheet, colour_of(0)).any()  # 6 px, six times


def test_a_picture_that_is_gone_is_told(tmp_path, caplog):
    results = [
        saved(tmp_path, "a.png", (40, 30), ()),
        PictureResult(picture("b.png", 2, path=str(tmp_path / "b.png")), found()),
    ]
    assert list(drawn(tmp_path, results)) == ["a.jpg"]
    (record,) = caplog.records
    assert (
        record.message.startswith("1 of 2 pictures are not drawn: ") and "b.png" in record.message
    )


def test_without_pixels_there_is_nothing_to_draw_on(tmp_path):
    with pytest.raises(UserError, match="need the pictures' pixels"):
        write_outputs([], tmp_path, RunInfo(NAMES), ["pictures"])
