"""From words to pictures: folders, globs, lists, COCO files, and what each gives."""

import json
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from d2freq.data.tiles.geometry import Window
from d2freq.errors import DatasetError, UserError
from d2freq.inference.sources import Source, find_sources, open_source
from d2freq.inference.sources.survey import count_tiles
from d2freq.inference.tiling.plan import TilePlan


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """pictures/{a.png, sub/a.png, sub/b.JPG, sub/notes.md, .hidden.png}."""
    root = tmp_path / "pictures"
    (root / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/a.png", ".hidden.png"):
        Image.fromarray(noise(20, 30)).save(root / name)
    Image.fromarray(noise(20, 30)).save(root / "sub/b.JPG")
    (root / "sub/notes.md").write_text("no picture")
    return root


def names(*words, **options) -> list[str]:
    return [source.name for source in find_sources([str(word) for word in words], **options)]


def opened(path, **about):
    return next(open_source(Source("x", str(path), **about), first_id=7))


def test_folders_are_searched_to_the_bottom(folder):
    assert names(folder) == ["a.png", "sub/a.png", "sub/b.JPG"]
    assert names(folder, leave_out=folder / "sub") == ["a.png"]


def test_globs_and_files(folder):
    assert names(f"{folder}/**/*.png") == ["a.png", "sub/a.png"]
    assert names(f"{folder}/*/b.*") == ["sub/b.JPG"]
    assert names(folder / "sub/b.JPG") == ["b.JPG"]


def test_each_file_once_and_namesakes_told_apart(folder):
    assert names(folder / "sub/a.png", folder) == ["sub/a.png", "pictures/a.png", "sub/b.JPG"]
    assert names(folder / "a.png", folder / "sub/a.png") == ["pictures/a.png", "sub/a.png"]


def test_a_list_of_paths(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    list_file = folder / "list.txt"
    list_file.write_text("# some\npictures/a.png\n\nsub/b.JPG\n../gone.png\n", encoding="utf-8-sig")
    found = find_sources([str(list_file)])
    assert [s.name for s in found] == ["pictures/a.png", "sub/b.JPG", "gone.png"]
    assert os.path.isfile(found[1].path)  # beside the list
    with pytest.raises(DatasetError, match=r"gone\.png: no such image"):
        opened(found[2].path)


def test_a_coco_file_gives_ids_and_sizes(folder, tmp_path):
    images = [
        {"id": 40, "file_name": "sub/a.png", "width": 30, "height": 20},
        {"id": 7, "file_name": "a.png", "width": 31, "height": 20},
    ]
    file = tmp_path / "gt.json"
    file.write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    found = find_sources([str(file)], images=folder)
    assert [(s.name, s.image_id) for s in found] == [("sub/a.png", 40), ("a.png", 7)]
    picture = next(open_source(found[0], first_id=1)).picture
    assert (picture.image_id, picture.width, picture.height) == (40, 30, 20)
    with pytest.raises(DatasetError, match="30 x 20 pixels, the COCO file says 31 x 20"):
        next(open_source(found[1], first_id=1))
    file.write_text(json.dumps({"images": [{"id": 1}]}))
    with pytest.raises(DatasetError, match=r"images\[0\] has no 'file_name'"):
        find_sources([str(file)])
    file.write_text(json.dumps({"annotations": []}))
    with pytest.raises(DatasetError, match="no list images"):
        find_sources([str(file)])


def test_two_pictures_of_one_id_are_refused(folder, tmp_path):
    for name in ("one", "two"):
        images = [{"id": 7, "file_name": f"{name}.png", "width": 9, "height": 9}]
        (tmp_path / f"{name}.json").write_text(json.dumps({"images": images}))
    with pytest.raises(UserError, match=r"both have the id 7.*one at a time"):
        find_sources([str(tmp_path / "one.json"), str(tmp_path / "two.json")])


def test_bad_words_are_named(tmp_path):
    with pytest.raises(UserError, match=r"gone: no such picture, folder or list"):
        find_sources([str(tmp_path / "gone")])
    with pytest.raises(UserError, match=r"no picture in .*\.png"):
        find_sources([str(tmp_path)])
    with pytest.raises(UserError, match="no picture in"):
        find_sources([str(tmp_path / "*.png")])
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(UserError, match="list.txt: no text in UTF-16.*save it as UTF-8"):
        find_sources([str(tmp_path / "list.txt")])


# --- pixels ---------------------------------------------------------------------------------------


def test_windows_of_a_decoded_picture(tmp_path):
    pixels = noise(50, 60)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    picture = opened(tmp_path / "a.png")
    assert (picture.picture.width, picture.picture.height, picture.picture.image_id) == (60, 50, 7)
    assert np.array_equal(picture.read(Window(10, 20, 30, 25)), pixels[20:45, 10:40])
    assert np.array_equal(picture.read(picture.whole()), pixels)


def test_a_turned_photograph_is_upright(tmp_path):
    pixels = noise(40, 60)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    picture = opened(tmp_path / "a.jpg")
    assert (picture.picture.width, picture.picture.height) == (40, 60)
    upright = np.rot90(pixels, k=-1)
    difference = picture.read(picture.whole()).astype(int) - upright
    assert np.abs(difference).mean() < 12  # of noise in a JPEG


@pytest.mark.parametrize("kind", ["constant", "alpha", "transparent palette"])
def test_empty_tiles_are_none(kind, tmp_path):
    pixels = noise(40, 80)
    path = tmp_path / "a.png"
    if kind == "constant":
        pixels[:, :40] = (7, 8, 9)
        Image.fromarray(pixels).save(path)
    elif kind == "alpha":
        alpha = np.full((40, 80, 1), 255, np.uint8)
        alpha[:, :40] = 0
        Image.fromarray(np.concatenate([pixels, alpha], 2), "RGBA").save(path)
    else:
        index = np.random.default_rng(0).integers(1, 9, (40, 80), dtype=np.uint8)
        index[:, :40] = 0
        image = Image.fromarray(index, "P")
        image.putpalette(noise(1, 256).tobytes())
        image.save(path, transparency=0)
    picture = opened(path)
    assert picture.read(Window(0, 0, 40, 40)) is None
    assert picture.read(Window(39, 0, 40, 40)) is not None


def test_deep_and_broken_pictures_are_refused(tmp_path):
    Image.fromarray(np.full((9, 9), 4000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(DatasetError, match="1 band of 16 bits"):
        opened(tmp_path / "deep.png")
    Image.fromarray(noise(64, 64)).save(tmp_path / "cut.png")
    content = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match="unreadable"):
        opened(tmp_path / "cut.png")


# --- videos ---------------------------------------------------------------------------------------


@pytest.fixture
def video(tmp_path):
    """Five frames of 64 x 48 pixels; frame n is n x 40 grey, with a red corner."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 5, (64, 48))
    for n in range(5):
        frame = np.full((48, 64, 3), 40 * n, np.uint8)
        frame[:20, :20] = (0, 0, 250)  # BGR
        writer.write(frame)
    writer.release()
    return path


def test_the_frames_of_a_video(video):
    (source,) = find_sources([str(video)])
    found = [(p.picture, p.read(p.whole())) for p in open_source(source, first_id=3)]
    assert [p.frame for p, _ in found] == [0, 1, 2, 3, 4]
    assert [p.image_id for p, _ in found] == [3, 4, 5, 6, 7]
    assert found[2][0].name == "film.avi/frame_000002" and found[2][0].path == str(video)
    for n, (_, pixels) in enumerate(found):
        assert abs(int(pixels[40, 50, 0]) - 40 * n) < 8
        assert pixels[5, 5, 0] > 200 > 60 > pixels[5, 5, 2]  # red, in RGB


def test_a_video_that_was_cut_off_says_how_far_it_went(video, caplog):
    (source,) = find_sources([str(video)])
    assert len(list(open_source(source, first_id=1))) == 5 and not caplog.records
    whole = video.read_bytes()
    video.write_bytes(whole[: len(whole) * 9 // 10])
    found = list(open_source(source, first_id=1))
    assert 1 <= len(found) < 4
    (record,) = caplog.records
    assert f"film.avi: {len(found)} frames could be decoded of the 5" in record.getMessage()


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"no film")
    (source,) = find_sources([str(tmp_path)])
    with pytest.raises(DatasetError, match="decodes no frame"):
        list(open_source(source, first_id=1))


def test_tiles_are_counted_from_headers(folder, video, tmp_path):
    plan = TilePlan((16, 16), (4, 4))
    (folder / "broken.png").write_bytes(b"")
    sources = find_sources([str(folder), str(video)])
    assert count_tiles(sources, plan) == 3 * len(plan.windows((30, 20))) + 5
    assert count_tiles(sources, plan, limit=1) == len(plan.windows((30, 20)))
    assert count_tiles(sources[-1:], plan, limit=2) == 2
