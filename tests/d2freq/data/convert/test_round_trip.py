"""COCO to YOLO or VOC and back: equal within the format's rounding; what is left out is said."""

import json

import numpy as np
import pytest
from PIL import Image

from d2freq.data.coco.write import write_coco
from d2freq.data.convert.coco_to_voc import write_voc
from d2freq.data.convert.coco_to_yolo import write_yolo
from d2freq.data.convert.voc import convert_voc
from d2freq.data.convert.yolo import convert_yolo
from d2freq.errors import DatasetError, UserError

NAMES = ["storage-tank", "ship & boat", "wind <mill>"]


@pytest.fixture
def truth(tmp_path):
    """A COCO file of six images with random boxes of parts of a pixel, some crowds, one bare."""
    random = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(1, 7):
        width, height = random.integers(40, 900, 2).tolist()
        name = f"{'sub/' if number % 2 else ''}{number:03d}.png"
        images.append(dict(id=number, file_name=name, width=width, height=height))
        for _ in range(12 if number < 6 else 0):
            w, h = random.uniform(0.6, 30, 2)
            x, y = random.uniform(0, width - w), random.uniform(0, height - h)
            box = dict(id=len(annotations) + 1, image_id=number, bbox=[x, y, w, h], area=w * h)
            crowd = int(random.random() < 0.2)
            annotations.append(box | dict(category_id=int(random.integers(1, 4)), iscrowd=crowd))
    images[0]["ignore_regions"] = [[1, 2, 3, 4]]
    categories = [dict(id=i, name=name) for i, name in enumerate(NAMES, start=1)]
    file = tmp_path / "val.json"
    write_coco(file, images=images, annotations=annotations, categories=categories)
    return file


def put_images(truth, folder):
    data = json.loads(truth.read_text())
    for image in data["images"]:
        path = folder / image["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (image["width"], image["height"])).save(path)
    return data


def by_name(data):
    """{file name: sorted [(category name, iscrowd, x, y, w, h)]}"""
    names = {category["id"]: category["name"] for category in data["categories"]}
    found = {image["id"]: (image["file_name"], []) for image in data["images"]}
    for a in data["annotations"]:
        found[a["image_id"]][1].append((names[a["category_id"]], a["iscrowd"], *a["bbox"]))
    return {name: sorted(rows) for name, rows in found.values()}


def assert_equal(data, wish, tolerance):
    found, wish = by_name(data), by_name(wish)
    assert found.keys() == wish.keys()
    for name, rows in wish.items():
        assert [row[:2] for row in found[name]] == [row[:2] for row in rows]
        near = np.array([row[2:] for row in found[name]], float)
        assert np.allclose(near, np.array([row[2:] for row in rows], float), atol=tolerance, rtol=0)


def test_yolo_and_back(truth, tmp_path):
    folder = tmp_path / "yolo"
    lines = write_yolo(truth, folder, progress=False)
    wish = put_images(truth, folder / "images")
    crowds = sum(a["iscrowd"] for a in wish["annotations"])
    assert f"{60 - crowds} boxes" in lines[0]
    assert lines[1:] == [
        f"  {crowds} ignored boxes left out: YOLO has no such thing",
        "  1 ignore regions left out: YOLO has no such thing",
    ]
    back = convert_yolo(folder, tmp_path / "back.json", workers=1, progress=False)
    data = json.loads(back.read_text())
    assert [category["name"] for category in data["categories"]] == NAMES
    wish["annotations"] = [a for a in wish["annotations"] if not a["iscrowd"]]
    assert_equal(data, wish, 900 * 1e-8)
    # and the labels of what came back are the same, to the byte
    write_yolo(back, tmp_path / "again", progress=False)
    for label in (folder / "labels").rglob("*.txt"):
        other = tmp_path / "again" / label.relative_to(folder)
        assert other.read_bytes() == label.read_bytes()


def test_polygons_to_yolo_and_back(tmp_path):
    random = np.random.default_rng(3)
    images, annotations = [], []
    for number in range(1, 21):
        images.append(dict(id=number, file_name=f"{number:03d}.png", width=300, height=200))
        for _ in range(3):
            points = random.uniform(1, 199, (int(random.integers(4, 9)), 2))
            (x, y), (w, h) = points.min(0).tolist(), np.ptp(points, 0).tolist()
            box = dict(id=len(annotations) + 1, image_id=number, category_id=1, iscrowd=0)
            ring = points.ravel().tolist()
            annotations.append(box | dict(bbox=[x, y, w, h], area=w * h, segmentation=[ring]))
    annotations[0]["attributes"] = {"a": 1}
    del annotations[1]["segmentation"]
    truth = tmp_path / "gt.json"
    categories = [dict(id=1, name="a")]
    write_coco(truth, images=images, annotations=annotations, categories=categories)
    lines = write_yolo(truth, tmp_path / "boxes", progress=False)
    assert lines[1:] == [
        "  59 segmentations left out: the box alone is written",
        "  1 sets of attributes left out",
    ]
    folder = tmp_path / "yolo"
    assert not write_yolo(truth, folder, polygons=True, progress=False)[1:]
    put_images(truth, folder / "images")
    back = convert_yolo(folder, tmp_path / "back.json", workers=1, progress=False)
    found = json.loads(back.read_text())["annotations"]
    for one, other in zip(found, annotations, strict=True):
        assert one["bbox"] == pytest.approx(other["bbox"], abs=1e-5)
        ring = np.ravel(other.get("segmentation", []))
        assert np.ravel(one.get("segmentation", [])) == pytest.approx(ring, abs=1e-5)


def test_voc_and_back(truth, tmp_path):
    folder = tmp_path / "voc"
    lines = write_voc(truth, folder, progress=False)
    wish = put_images(truth, folder / "JPEGImages")
    crowds = sum(a["iscrowd"] for a in wish["annotations"])
    assert f"60 boxes, {crowds} of them difficult" in lines[0]
    assert lines[1:] == ["  1 ignore regions left out: VOC has no such thing"]
    options = {"workers": 1, "progress": False, "names": ",".join(NAMES)}
    back = convert_voc(folder, tmp_path / "back.json", split="val", **options)
    assert_equal(json.loads(back.read_text()), wish, 1e-3)
    write_voc(back, tmp_path / "again", progress=False)
    renamed = tmp_path / "again" / "ImageSets" / "Main" / "back.txt"
    assert renamed.read_text() == (folder / "ImageSets/Main/val.txt").read_text()


def test_whole_pixels_stay_whole_in_voc(tmp_path):
    image = dict(id=1, file_name="a.png", width=30, height=20)
    box = dict(id=1, image_id=1, category_id=1, bbox=[0, 4, 30, 1.0], area=30, iscrowd=0)
    file = tmp_path / "gt.json"
    write_coco(file, images=[image], annotations=[box], categories=[dict(id=1, name="a")])
    write_voc(file, tmp_path / "voc", progress=False)
    text = (tmp_path / "voc/Annotations/a.xml").read_text()
    for side in ("<xmin>1<", "<ymin>5<", "<xmax>30<", "<ymax>5<"):
        assert side in text


@pytest.mark.parametrize("write", [write_yolo, write_voc])
def test_refusals(truth, tmp_path, write):
    folder = tmp_path / "out"
    write(truth, folder, progress=False)
    data = json.loads(truth.read_text())
    sections = ("images", "annotations", "categories")

    def changed(**keys):
        data["images"][1] |= keys
        return write_coco(tmp_path / "new.json", **{key: data[key] for key in sections})

    with pytest.raises(UserError, match="holds 1 labels of other images.*--output"):
        write(changed(file_name="renamed.png"), folder, progress=False)
    with pytest.raises(UserError, match="would share it"):
        write(changed(file_name="sub/001.jpg"), tmp_path / "x", progress=False)
    with pytest.raises(UserError, match="leads out of the folder"):
        write(changed(file_name="../001.jpg"), tmp_path / "x", progress=False)
    with pytest.raises(DatasetError, match="duplicate image id"):
        write(changed(file_name="002.jpg", id=1), tmp_path / "x", progress=False)
