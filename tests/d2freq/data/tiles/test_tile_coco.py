"""A COCO data set in tiles: true pixels, boxes that map back, the same bytes however it is run."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from detectron2.data.datasets import load_coco_json
from PIL import Image

import d2freq.data.tiles.one_image as tile_files
from d2freq.data import check_coco
from d2freq.data.tiles.counts import describe_tiles
from d2freq.data.tiles.tile_coco import tile_coco
from d2freq.errors import DatasetError, UserError
from d2freq.evaluation.coco.guard import Detections
from d2freq.evaluation.coco.merge_tiles import map_to_originals

SIZES = {"a/1.png": (150, 90), "b/1.png": (61, 77), "c.png": (30, 20)}
QUICK = {"size": (64, 48), "overlap": (16, 12), "progress": False, "workers": 1}


@pytest.fixture
def source(tmp_path) -> Path:
    """Three images, two of one stem, with bright whole-pixel boxes, crowds and a region."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for image_id, (name, (width, height)) in enumerate(SIZES.items(), start=5):
        pixels = rng.integers(0, 100, (height, width, 3), dtype=np.uint8)
        for _ in range(9 if width > 40 else 0):
            w, h = (int(v) for v in rng.integers(3, 14, 2))
            x, y = int(rng.integers(0, width - w)), int(rng.integers(0, height - h))
            pixels[y : y + h, x : x + w] = 255
            annotations.append(
                dict(id=len(annotations) + 1, image_id=image_id, category_id=3, bbox=[x, y, w, h])
                | dict(area=w * h, iscrowd=0, occlusion=len(annotations) % 3)
            )
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "images" / name)
        images.append(dict(id=image_id, file_name=name, width=width, height=height))
    images[0]["ignore_regions"] = images[0]["other_objects"] = [[40, 30, 50, 20]]
    categories = [dict(id=3, name="thing"), dict(id=9, name="other")]
    content = dict(images=images, annotations=annotations, categories=categories)
    (tmp_path / "gt.json").write_text(json.dumps(content))
    return tmp_path


def edit_file(path: Path, change) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def tile(source: Path, name: str = "tiles", **options) -> tuple[Path, dict]:
    options = QUICK | options
    file = tile_coco(source / "gt.json", source / "images", source / name, **options)
    return file, json.loads(file.read_text())


def test_tiles_hold_the_pixels_and_boxes_of_their_place(source):
    file, data = tile(source, scales=(1.0,))
    originals = {
        i["id"]: np.array(Image.open(source / "images" / i["file_name"]))
        for i in json.loads((source / "gt.json").read_text())["images"]
    }
    covered = {number: np.zeros(pixels.shape[:2], int) for number, pixels in originals.items()}
    for image in data["images"]:
        place = image["tile"]
        pixels = np.array(Image.open(file.parent / "images" / image["file_name"]))
        assert pixels.shape == (image["height"], image["width"], 3)
        rows = slice(place["y"], place["y"] + image["height"])
        columns = slice(place["x"], place["x"] + image["width"])
        np.testing.assert_array_equal(pixels, originals[place["image_id"]][rows, columns])
        covered[place["image_id"]][rows, columns] += 1
        for annotation in data["annotations"]:
            if annotation["image_id"] == image["id"]:
                x, y, w, h = (int(v) for v in annotation["bbox"])
                assert (pixels[y : y + h, x : x + w] == 255).all()
    assert min(count.min() for count in covered.values()) == 1
    assert {i["file_name"].split("__")[0] for i in data["images"]} == {"a_1", "b_1", "c"}
    (small,) = (image for image in data["images"] if image["file_name"] == "c__1__0__0.png")
    assert (small["width"], small["height"]) == (30, 20)


def test_boxes_map_back_to_their_originals_at_every_scale(source):
    _, data = tile(source, scales=(1.0, 0.5))
    originals = {a["id"]: a for a in json.loads((source / "gt.json").read_text())["annotations"]}
    annotations = data["annotations"]
    arrays = Detections(
        image_id=np.array([a["image_id"] for a in annotations]),
        category_id=np.array([a["category_id"] for a in annotations]),
        xywh=np.array([a["bbox"] for a in annotations], np.float64),
        score=np.ones(len(annotations)),
    )
    back = map_to_originals(arrays, data)
    whole = [k for k, a in enumerate(annotations) if "visible" not in a]
    assert {annotations[k]["original_id"] for k in whole} == set(originals)
    for k in whole:
        assert back.xywh[k].tolist() == originals[annotations[k]["original_id"]]["bbox"]
    for k, annotation in enumerate(annotations):
        original = originals[annotation["original_id"]]
        assert back.image_id[k] == original["image_id"]
        assert annotation["occlusion"] == original["occlusion"]
        x, y, w, h = original["bbox"]
        a, b, c, d = back.xywh[k]
        assert x <= a and y <= b and a + c <= x + w and b + d <= y + h
        assert c * d / (w * h) == pytest.approx(annotation.get("visible", 1.0))


def test_the_files_pass_the_check_and_load(source):
    file, data = tile(source, scales=(1.0, 0.5))
    report = check_coco(file, file.parent / "images", images="decode")
    assert report.ok and not report.warning()
    assert check_coco(file.with_name("originals.json"), source / "images").ok
    dicts = load_coco_json(str(file), str(file.parent / "images"))
    assert len(dicts) == len(data["images"])
    assert sum(len(d["annotations"]) for d in dicts) == len(data["annotations"])
    assert not (source / "tiles.parts").exists()


def test_hardly_visible_boxes_and_old_crowds_are_ignored_and_counted(source, capsys):
    edit_file(source / "gt.json", lambda d: d["annotations"][0].update(ignore=1, iscrowd=0))
    edit_file(source / "gt.json", lambda d: d["annotations"][1].update(iscrowd=1))
    edit_file(source / "gt.json", lambda d: d["annotations"][2].update(bbox=[5, 5, 0, 4]))
    file, data = tile(source, min_visible=0.6)
    for annotation in data["annotations"]:
        hardly = annotation.get("visible", 1) < 0.6
        assert annotation["iscrowd"] == int(hardly or annotation["original_id"] in (1, 2))
        assert "ignore" not in annotation
        assert annotation.get("source_ignore", 0) == int(annotation["original_id"] == 1)
    counts = data["info"]["counts"]
    hardly = [a for a in data["annotations"] if a.get("visible", 1) < 0.6]
    assert counts["hardly_visible"] == len([a for a in hardly if a["original_id"] > 2]) > 0
    assert counts["ignored"] == sum(a["iscrowd"] for a in data["annotations"])
    assert counts["faulty_boxes_left_out"] == 1
    assert counts["only_ignored"] == 0
    text = "\n".join(describe_tiles(file))
    assert f"{counts['hardly_visible']} of them ignored" in text
    assert "1 boxes left out: empty, negative or outside" in text
    originals = json.loads(file.with_name("originals.json").read_text())
    assert [a["iscrowd"] for a in originals["annotations"]][:2] == [1, 1]


def test_regions_are_cut(source):
    _, data = tile(source)
    mask = np.zeros((90, 150), bool)
    for image in data["images"]:
        if image["tile"]["image_id"] == 5:
            assert image["other_objects"] == image["ignore_regions"]
            for x, y, w, h in image["ignore_regions"]:
                x, y = x + image["tile"]["x"], y + image["tile"]["y"]
                mask[int(y) : int(y + h), int(x) : int(x + w)] = True
    assert mask.sum() == 50 * 20 and mask[30:50, 40:90].all()


def test_one_and_two_processes_write_the_same_bytes(source):
    def grow(data):
        for number in range(20, 30):
            name = f"more{number}.png"
            Image.new("L", (70, 70), number).save(source / "images" / name)
            data["images"].append(dict(id=number, file_name=name, width=70, height=70))

    edit_file(source / "gt.json", grow)
    tile(source, "one", workers=1, scales=(1.0, 0.5))
    tile(source, "two", workers=2, scales=(1.0, 0.5))
    one = content(source / "one")
    assert len(one) > 20 and one == content(source / "two")


def test_an_interrupted_run_goes_on(source, monkeypatch):
    tile(source, "whole")
    real, read = tile_files.read_rgb, []

    def stop_at_second(path, size):
        if read:
            raise KeyboardInterrupt
        read.append(path)
        return real(path, size)

    monkeypatch.setattr(tile_files, "read_rgb", stop_at_second)
    with pytest.raises(KeyboardInterrupt):
        tile(source, "cut")
    assert not (source / "cut" / "annotations.json").exists()
    again = []
    monkeypatch.setattr(tile_files, "read_rgb", lambda p, s: again.append(p) or real(p, s))
    tile(source, "cut")
    assert len(read) == 1 and len(again) == 2
    assert content(source / "cut") == content(source / "whole")


def test_other_tiles_are_not_mixed_in_unasked(source):
    tile(source)
    with pytest.raises(UserError, match=r"holds tiles already.*--overwrite"):
        tile(source, size=(32, 32))
    _, data = tile(source, size=(32, 32), overwrite=True)
    tile(source, "fresh", size=(32, 32))
    assert content(source / "tiles") == content(source / "fresh")
    assert {image["width"] for image in data["images"]} == {32, 30}


def test_empty_tiles_are_kept_or_counted(source):
    _, kept = tile(source, "kept")
    _, dropped = tile(source, "dropped", keep_empty=False)
    solid = {a["image_id"] for a in kept["annotations"] if not a["iscrowd"]}
    assert len(dropped["images"]) == len(solid) < len(kept["images"])
    counts = dropped["info"]["counts"]
    assert counts["without_objects_left_out"] == len(kept["images"]) - len(solid)


def test_small_images_are_filled_up_on_demand(source):
    file, data = tile(source, pad=True)
    assert {(image["width"], image["height"]) for image in data["images"]} == {(64, 48)}
    pixels = np.array(Image.open(file.parent / "images" / "c__1__0__0.png"))
    assert pixels.shape == (48, 64, 3) and not pixels[20:].any() and not pixels[:, 30:].any()


def blacken(pixels, image, annotations, *, value):
    pixels = pixels.copy()
    for annotation in annotations:
        x, y, w, h = annotation["bbox"]
        pixels[y : y + h, x : x + w] = value
    return pixels


def test_originals_are_edited_before_they_are_cut(source):
    file, data = tile(source, edit=partial(blacken, value=7))
    for annotation in data["annotations"]:
        name = data["images"][annotation["image_id"] - 1]["file_name"]
        x, y, w, h = (int(v) for v in annotation["bbox"])
        pixels = np.array(Image.open(file.parent / "images" / name))
        assert (pixels[y : y + h, x : x + w] == 7).all()
    with pytest.raises(UserError, match="uint8 pixels of the shape it was given"):
        tile(source, "float", edit=lambda pixels, image, annotations: pixels / 2)


def test_faulty_sources_are_named(source):
    (source / "images" / "c.png").unlink()
    with pytest.raises(UserError, match=r"c\.png: no such image"):
        tile(source)
    edit_file(source / "gt.json", lambda d: d["images"].append({**d["images"][0], "id": 77}))
    with pytest.raises(DatasetError, match=r"a/1\.png has several image records"):
        tile(source)
    edit_file(source / "gt.json", lambda d: d["annotations"][0].update(category_id=4))
    with pytest.raises(DatasetError, match="unknown category_id"):
        tile(source)
