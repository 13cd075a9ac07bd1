"""Windows of pictures and of frames, in any size."""

import cv2
import numpy as np
import pytest
from PIL import Image

from d2freq.errors import DatasetError
from d2freq.inference.detections import Picture
from d2freq.inference.outputs import pixels as module
from d2freq.inference.outputs.pixels import PictureReader


@pytest.fixture
def noise(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return Picture("a.png", str(tmp_path / "a.png"), 120, 90, 1), pixels


def test_a_window_as_it_is(noise):
    picture, pixels = noise
    assert (PictureReader()(picture, (5, 7, 65, 37), (60, 30)) == pixels[7:37, 5:65]).all()


def test_large_pictures_are_read_in_strips(noise, monkeypatch):
    picture, pixels = noise
    whole = cv2.resize(pixels, (40, 30), interpolation=cv2.INTER_AREA)
    monkeypatch.setattr(module, "STRIP", 1200)  # pixels, of 10,800
    assert (PictureReader()(picture, (0, 0, 120, 90), (40, 30)) == whole).all()


def test_another_picture_at_the_same_place_is_refused(noise):
    picture, _ = noise
    other = Picture("a.png", picture.path, 100, 90, 1)
    with pytest.raises(DatasetError, match="120 x 90 pixels, the detections are of 100 x 90"):
        PictureReader()(other, (0, 0, 9, 9), (9, 9))


def test_frames_forward_and_back(tmp_path):
    path = str(tmp_path / "film.avi")
    film = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 5, (64, 48))
    for level in (20, 90, 160, 230):
        film.write(np.full((48, 64, 3), level, np.uint8))
    film.release()
    reader = PictureReader()
    for frame in (0, 2, 3, 1):
        picture = Picture(f"film.avi/{frame}", path, 64, 48, frame + 1, frame=frame)
        level = reader(picture, (0, 0, 64, 48), (64, 48)).mean()
        assert level == pytest.approx(20 + 70 * frame, abs=4)
    with pytest.raises(DatasetError, match="has no frame 9 any more"):
        reader(Picture("x", path, 64, 48, 1, frame=9), (0, 0, 9, 9), (9, 9))
