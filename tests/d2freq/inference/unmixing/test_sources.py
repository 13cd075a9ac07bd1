"""Sources of frames that would be misread in silence: refused, or told."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from d2freq.errors import DatasetError
from d2freq.inference.unmixing.frames import Frames, read_frames
from d2freq.inference.unmixing.sequence import in_order, notes_on
from d2freq.inference.unmixing.window import elsewhere, window_of
from d2freq.utils.pixels import write_samples

FRAME = np.arange(81, dtype=np.uint16).reshape(9, 9) * 700


@pytest.fixture
def folder(tmp_path):
    for number in (1, 2, 9, 10):
        write_samples(tmp_path / f"frame_{number}.png", FRAME[:, :, None])
    return tmp_path


def test_gaps_and_other_files_are_told(folder):
    (folder / "frame_3.npy").write_bytes(b"")
    (folder / "more").mkdir()
    found = read_frames(folder)
    assert found.names == ("frame_1.png", "frame_2.png", "frame_9.png", "frame_10.png")
    left, gap = found.notes
    assert left == "left out, for it is no picture: frame_3.npy and 1 more"
    assert "missing between frame_2.png and frame_9.png" in gap and "--frames 1" in gap


def test_equal_steps_and_names_without_a_series_need_no_word(tmp_path):
    for names in (("a0.png", "a5.png", "a10.png"), ("a1.png", "b5.png", "b6.png"), ("x", "y", "z")):
        assert notes_on([tmp_path / name for name in names], []) == []


def test_two_files_of_one_number_are_refused(tmp_path):
    for names in (("f_1.png", "f_01.png"), ("f_1.png", "f_1.tif")):
        with pytest.raises(DatasetError, match=r"f_0?1\..* one frame by their number; keep one"):
            in_order([tmp_path / name for name in names])


def test_depths_that_differ_are_refused(folder):
    write_samples(folder / "frame_9.png", (FRAME >> 8).astype(np.uint8)[:, :, None])
    with pytest.raises(DatasetError, match=r"frame_9.png has numbers of uint8, frame_1.png of uin"):
        read_frames(folder)
    file = folder / "pages.tif"
    with tifffile.TiffWriter(file) as out:
        out.write(FRAME, photometric="minisblack")
        out.write(FRAME.astype(np.float32), photometric="minisblack")
    with pytest.raises(DatasetError, match="page 2 has numbers of float32, .*one scale"):
        read_frames(file)


def test_white_as_zero_and_several_pictures_are_refused(folder):
    white = folder / "frame_3.tif"
    tifffile.imwrite(white, FRAME, photometric="miniswhite")
    for source in (white, folder):
        with pytest.raises(DatasetError, match=r"frame_3.tif, page 1 has white as 0"):
            read_frames(source)
    tifffile.imwrite(white, np.stack([FRAME] * 2), photometric="minisblack")
    with pytest.raises(DatasetError, match=r"frame_3.tif has 2 pages.*TIFF of pages by itself"):
        read_frames(folder)
    white.unlink()
    grey = [Image.fromarray((FRAME >> shift).astype(np.uint8)) for shift in (8, 9)]
    grey[0].save(folder / "frame_3.png", save_all=True, append_images=grey[1:])
    with pytest.raises(DatasetError, match=r"frame_3.png has 2 pictures"):
        read_frames(folder)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros((2, 3, 9, 9)), r"shape \(2, 3, 9, 9\).*cut one band out"),
        (np.zeros((2, 9, 9), complex), "complex128.*absolute values"),
        (np.zeros((0, 9, 9)), "at least one"),
        (np.full((2, 9, 9), np.inf, np.float16), "frame 0: 81 of its pixels are NaN or infinite"),
    ],
)
def test_arrays_that_are_no_frames(values, said, tmp_path):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(DatasetError, match=said):
        read_frames(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", values)
    with pytest.raises(DatasetError, match="of a .npz file write the array by itself"):
        read_frames(tmp_path / "a.npz")


def test_arrays_of_other_types_keep_their_numbers(tmp_path):
    for kind in (np.float16, np.int8, np.int64, ">u2"):
        np.save(tmp_path / "a.npy", (FRAME // 700).astype(kind)[None])
        assert np.array_equal(read_frames(tmp_path / "a.npy").values[0], FRAME // 700)


def test_frames_on_the_last_axis_are_suspected(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((9, 9, 4)))
    (note,) = read_frames(tmp_path / "a.npy").notes
    assert "9 frames of 4 x 9 pixels" in note and "numpy.moveaxis(frames, -1, 0)" in note


def test_bright_places_outside_of_the_window_are_told():
    values = np.random.default_rng(0).normal(0, 1, (3, 90, 80))
    for row, column in ((20, 20), (22, 21), (70, 60), (10, 70)):
        values[:, row, column] += 100 + row
    frames = Frames(values, ("a", "b", "c"), None, False, ())
    images, origin = window_of(frames, None)
    assert images.shape == (3, 21, 21) and origin == (60, 50)
    (line,) = elsewhere(values, 21, origin, None)
    assert "row 22, column 21 and 1 places more" in line and "--crop 22 21 21" in line
    assert elsewhere(values, 21, origin, (70, 60, 21)) == []
    values[:, [20, 22, 10], [20, 21, 70]] = 0
    assert elsewhere(values, 21, origin, None) == []
