"""Planted copies, crops and shifted tiles are found and nothing else."""

import json
import os
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from d2freq.cli import main
from d2freq.data.leaks.find import find_leaks
from d2freq.data.scenes.scene import render_scene
from d2freq.errors import DatasetError, UserError

SIDE = 400


@pytest.fixture(scope="module")
def scene():
    """A town from above, (800, 800, 3) uint8: uneven ground, 500 roofs and cars, sensor noise."""
    random = np.random.default_rng(5)
    ground = cv2.resize(random.normal(110, 12, (25, 25, 3)), (800, 800), None, 0, 0, 2)
    for _ in range(500):
        (x, y), sides = random.uniform(0, 800, 2), random.uniform(4, 30, 2)
        corners = cv2.boxPoints(((x, y), tuple(sides), random.uniform(0, 90)))
        cv2.fillPoly(ground, [np.int32(corners)], random.uniform(40, 220, 3).tolist())
    return np.uint8(np.clip(ground + random.normal(0, 3, ground.shape), 0, 255))


@pytest.fixture
def search(tmp_path):
    """From two lists of images to what is found: searches ``ours`` in ``theirs``."""

    def run(ours: list, theirs: list, *, suffix: str = ".png", **options):
        files = []
        for side, images in (("ours", ours), ("theirs", theirs)):
            folder = tmp_path / side
            folder.mkdir(exist_ok=True)
            records = []
            for number, image in enumerate(images, start=1):
                name = f"{number}{suffix}"
                cv2.imwrite(str(folder / name), image)
                records.append(dict(id=number, file_name=name, width=1, height=1))
            file = tmp_path / f"{side}.json"
            file.write_text(json.dumps(dict(images=records, annotations=[], categories=[])))
            files += [file, folder]
        return find_leaks(*files, **{"workers": 1, "progress": False, **options})

    return run


def tile(scene, x, y, width=SIDE, height=SIDE):
    return scene[y : y + height, x : x + width]


def jpeg(image, quality):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)


def half(image, method):
    return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=method)


@pytest.fixture(scope="module")
def unrelated():
    """A dozen other scenes of 160 x 160 pixels."""
    return [render_scene(9, "val", index, 160).image for index in range(12)]


CHANGES = {
    "copy": lambda image: image,
    "jpeg 75": partial(jpeg, quality=75),
    "jpeg 40": partial(jpeg, quality=40),
    "brighter": partial(cv2.convertScaleAbs, alpha=0.9, beta=20),
    "darker": partial(cv2.convertScaleAbs, alpha=0.8, beta=-5),
    "grey": lambda image: np.repeat(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None], 3, 2),
    "blurred": partial(cv2.GaussianBlur, ksize=(0, 0), sigmaX=0.8),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("x", "y", "width", "height"),
    [
        (100, 50, SIDE, SIDE),  # the whole image
        (300, 50, SIDE, SIDE),  # half of it, to the right
        (100, 250, SIDE, SIDE),  # half of it, below
        (183, 133, SIDE, SIDE),  # 63 %, both
        (0, 0, SIDE, SIDE),  # to the upper left
        (211, 99, 201, 175),  # a crop
        (0, 0, 800, 800),  # it is the crop
    ],
)
def test_what_overlaps_by_half_is_found_where_it_is(
    scene, search, unrelated, x, y, width, height, change
):
    ours = [tile(scene, 100, 50), unrelated[0]]
    theirs = [*unrelated[1:3], CHANGES[change](tile(scene, x, y, width, height))]
    found = search(ours, theirs)
    assert len(found.leaks) == 1 and not found.ok
    leak = found.leaks[0]
    assert (leak.image, leak.other, leak.image_id, leak.other_id) == ("1.png", "3.png", 1, 3)
    left, top = max(100, x), max(50, y)
    right, bottom = min(100 + SIDE, x + width), min(50 + SIDE, y + height)
    size = (right - left, bottom - top)
    assert leak.box == (left - 100, top - 50, *size)
    assert leak.other_box == (left - x, top - y, *size)
    assert leak.share == pytest.approx(size[0] * size[1] / SIDE**2)
    assert leak.other_share == pytest.approx(size[0] * size[1] / (width * height))
    if change == "copy":
        assert leak.difference == 0 and leak.correlation == 1
    assert leak.difference < 8 and leak.correlation > 0.7


@pytest.mark.parametrize("method", [cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC])
@pytest.mark.parametrize("swap", [False, True])
def test_half_size_is_found_whole_and_shifted(scene, search, method, swap):
    large, small = tile(scene, 0, 100, 600, 600), half(tile(scene, 200, 100, 600, 600), method)
    found = search(*([small], [large])[:: -1 if swap else 1])
    assert len(found.leaks) == 1
    boxes = [found.leaks[0].box, found.leaks[0].other_box]
    of_small, of_large = boxes[::-1] if swap else boxes
    assert np.abs(np.subtract(of_large, (200, 0, 400, 600))).max() <= 2
    assert np.abs(np.subtract(of_small, (0, 0, 200, 300))).max() <= 1
    assert " there)" in found.text()


@pytest.mark.parametrize("factor", [0.3, 0.77, 1.6])
def test_a_whole_image_is_found_at_any_size(scene, search, unrelated, factor):
    image = tile(scene, 100, 100)
    other = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    (leak,) = search([image], [*unrelated[:2], other]).leaks
    assert leak.other_id == 3 and leak.share == pytest.approx(1, abs=0.03)


def test_unrelated_scenes_share_nothing(search, unrelated):
    found = search(unrelated[:6], unrelated[6:])
    assert found.ok and found.text().endswith(
        f"none of 6 images shares content with the 6 of {found.other_file}"
    )


KIT_AIS = Path(os.environ.get("DETECTRON2_DATASETS", "datasets")) / "kit-ais-half"


@pytest.mark.skipif(not KIT_AIS.is_dir(), reason="kit-ais-half is not there (datasets/README.md)")
def test_two_streets_share_nothing_and_frames_of_one_do(tmp_path):
    images = KIT_AIS / "images"
    options = dict(workers=1, progress=False)
    assert find_leaks(KIT_AIS / "val.json", images, KIT_AIS / "train.json", images, **options).ok
    records = json.loads((KIT_AIS / "val.json").read_text())["images"]
    for name, part in (("odd", records[::2]), ("even", records[1::2])):
        (tmp_path / f"{name}.json").write_text(json.dumps(dict(images=part)))
    found = find_leaks(tmp_path / "odd.json", images, tmp_path / "even.json", images, **options)
    assert {leak.image_id for leak in found.leaks} == {record["id"] for record in records[::2]}


def test_flat_images_flood_nothing_and_are_named(search):
    random = np.random.default_rng(0)
    ramp = np.linspace(80, 160, SIDE)[:, None, None] + np.zeros((SIDE, SIDE, 3))
    sea = [np.clip(random.normal(90, 4, (SIDE, SIDE, 3)), 0, 255) for _ in range(4)]
    sky = [ramp + step for step in range(4)]
    noisy_sky = [ramp + random.normal(0, 1.5, ramp.shape) for _ in range(4)]
    plain = [np.full((SIDE, SIDE, 3), level) for level in (0, 0, 90, 255)]
    images = [[np.uint8(image) for image in kind] for kind in (sea, sky, noisy_sky, plain)]
    for suffix in (".png", ".jpg"):
        ours, theirs = ([i for kind in images for i in kind[k::2]] for k in (0, 1))
        found = search(ours, theirs, suffix=suffix)
        assert found.ok, found.text()
        assert len(found.flat) == 4
        assert "not compared: 4 images of a single grey level" in found.text()


def test_equal_images_without_an_anchor_are_found_by_their_pixels(scene, search):
    faint = np.full((SIDE, SIDE, 3), 90, np.uint8)
    faint[::7, ::3] += 1
    small = tile(scene, 0, 0, 40, 40)
    (first, second) = search([faint, small], [small, faint]).leaks
    assert {(first.image_id, first.other_id), (second.image_id, second.other_id)} == {
        (1, 2),
        (2, 1),
    }


def test_threads_and_bars_do_not_change_the_result(scene, search, capfd):
    ours = [tile(scene, x, 0) for x in range(0, 400, 50)]
    theirs = [tile(scene, x, 200) for x in range(0, 400, 80)]
    one, two = (search(ours, theirs, workers=n, progress=n == 2) for n in (1, 2))
    assert one == two and len(one.leaks) >= 8 * 5 / 2
    bars = capfd.readouterr().err
    assert "hashes" in bars and "compares" in bars
    shares = [leak.share for leak in one.leaks]
    assert shares == sorted(shares, reverse=True)


def test_unreadable_images_are_named(scene, search, tmp_path):
    search([tile(scene, 0, 0)], [tile(scene, 0, 0)])
    (tmp_path / "ours/1.png").write_bytes(b"no picture")
    found = find_leaks(
        *(tmp_path / "ours.json", tmp_path / "ours"),
        *(tmp_path / "theirs.json", tmp_path / "theirs"),
        progress=False,
    )
    assert found.ok and found.unreadable == [str(tmp_path / "ours/1.png")]
    assert "not compared: 1 images unreadable" in found.text()


def test_text_and_json_tell_all(scene, search, tmp_path):
    found = search([tile(scene, x, 0) for x in (0, 20, 40)], [tile(scene, 10, 30)])
    text = found.text(lines=1)
    assert "3 of 3 images share content with 1 of 1" in text and "and 2 more pairs" in text
    assert "1.png and 1.png: 390 x 370 px at (10, 30) and (0, 0), 90% and 90%" in text
    written = json.loads(found.write(tmp_path / "leaks.json").read_text())
    assert len(written["leaks"]) == 3 and written["leaks"][0]["box"] == [10, 30, 390, 370]
    assert written["leaks"][0]["difference"] == 0


def test_validate_lists_leaks_and_ends_with_exit_code_2(scene, search, tmp_path, capsys):
    images = [tile(scene, 0, 0), tile(scene, 390, 390)]
    found = search(images[:1], images)
    for file in (found.file, found.other_file):  # search() writes a size of 1 x 1
        data = json.loads(Path(file).read_text())
        for record in data["images"]:
            record.update(width=SIDE, height=SIDE)
        box = dict(id=1, image_id=1, category_id=1, bbox=[5, 5, 9, 9], area=81, iscrowd=0)
        data.update(annotations=[box], categories=[dict(id=1, name="car")])
        Path(file).write_text(json.dumps(data))
    ours = ["validate", found.file, "--images", str(tmp_path / "ours")]
    against = ["--against", found.other_file, "--other-images", str(tmp_path / "theirs")]
    assert main(ours) == 0
    assert main([*ours, *against, "--pairs", str(tmp_path / "pairs.json")]) == 2
    assert "1 of 1 images share content with 1 of 2" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "pairs.json").read_text())["leaks"]) == 1
    (tmp_path / "theirs/1.png").unlink()
    assert main([*ours, *against]) == 0
    assert "not compared: 1 images unreadable" in capsys.readouterr().out


def test_faulty_input_is_named(scene, search, tmp_path):
    with pytest.raises(DatasetError, match=r"ours\.json: no images"):
        search([], [tile(scene, 0, 0)])
    with pytest.raises(UserError, match="workers=0"):
        search([tile(scene, 0, 0)], [tile(scene, 0, 0)], workers=0)
    (tmp_path / "ours.json").write_text('{"images": [{"id": 1}]}')
    with pytest.raises(DatasetError, match=r"ours\.json: an image lacks an id or a file_name"):
        find_leaks(*(tmp_path / "ours.json", tmp_path) * 2, progress=False)
