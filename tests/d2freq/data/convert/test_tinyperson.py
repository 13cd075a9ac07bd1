"""TinyPerson to tiles, on a file in the published form: ids from 0, flags, dense images."""

import json

import numpy as np
import pytest
from detectron2.data.datasets import load_coco_json
from PIL import Image

from d2freq.data import check_coco
from d2freq.data.convert.tinyperson import convert_tinyperson, erase_ignored
from d2freq.errors import DatasetError

WIDTH, HEIGHT = 700, 520  # two tiles by two at 640 x 512
SEA, EARTH = 1, 2
BOXES = [  # image, category, x, y, w, h, flags
    (0, SEA, 100.25, 50.5, 12.5, 20.0, ()),
    (0, EARTH, 110.0, 60.0, 6.0, 5.0, ()),
    (0, SEA, 90.0, 40.0, 60.0, 50.0, ("ignore", "logo")),
    (0, SEA, 300.0, 300.0, 4.0, 6.0, ("uncertain",)),
    (1, EARTH, 10.0, 10.0, 5.0, 5.0, ("in_dense_image",)),
    (1, SEA, 20.0, 10.0, 5.0, 5.0, ("in_dense_image", "uncertain")),
]


def annotation(number, image, category, x, y, w, h, flags):
    corners = [x, y, x + w, y, x + w, y + h, x, y + h]
    record = {"segmentation": [corners], "bbox": [x, y, w, h], "category_id": category}
    record |= {"area": w * h, "iscrowd": 0, "image_id": image, "id": number}
    names = ("ignore", "uncertain", "logo", "in_dense_image")
    return record | {name: name in flags for name in names}


@pytest.fixture
def source(tmp_path):
    """(tiny_set_train_with_dense.json, its folder of images): three images, one dense, one bare."""
    random = np.random.default_rng(0)
    folder = tmp_path / "train"
    images = []
    for number, name in enumerate(("labeled_images/a.jpg", "labeled_images/b.jpg", "bg/c.jpg")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        # a lossless file, whatever its name says, so that tiles can be compared with it
        Image.fromarray(pixels).save(folder / name, format="PNG")
        images.append({"file_name": name, "height": HEIGHT, "width": WIDTH, "id": number})
    kinds = ((SEA, "sea_person"), (EARTH, "earth_person"))
    categories = [{"id": i, "name": name, "supercategory": "person"} for i, name in kinds]
    annotations = [annotation(number, *box) for number, box in enumerate(BOXES)]
    content = {"type": "instance", "annotations": annotations}
    content |= {"images": images, "categories": categories}
    file = tmp_path / "tiny_set_train_with_dense.json"
    file.write_text(json.dumps(content))
    return file, folder


def convert(source, output, **options):
    file = convert_tinyperson(*source, output, progress=False, **{"workers": 1, **options})
    return json.loads(file.read_text()), json.loads(file.with_name("originals.json").read_text())


def test_persons_are_one_class_and_flags_are_kept(source, tmp_path):
    tiles, originals = convert(source, tmp_path / "tiles")
    assert [(c["id"], c["name"]) for c in tiles["categories"]] == [(1, "person")]
    assert [image["file_name"] for image in originals["images"]] == [
        *("labeled_images/a.jpg", "bg/c.jpg"),
    ]
    flags = ("iscrowd", "source_ignore", "uncertain", "logo")
    assert [(a["id"], *(a[flag] for flag in flags)) for a in originals["annotations"]] == [
        (1, 0, False, False, False),
        (2, 0, False, False, False),
        (3, 1, True, False, True),
        (4, 1, False, True, False),
    ]
    assert all("ignore" not in a for a in tiles["annotations"])
    assert tiles["info"]["notes"] == {
        "ignore boxes (iscrowd)": 1,
        "uncertain boxes (iscrowd)": 1,
        "logo boxes (iscrowd)": 1,
        "dense images left out": 1,
        "boxes in dense images left out": 2,
    }
    check_coco(tmp_path / "tiles/originals.json", source[1], images="size").raise_if_faulty()


def test_tiles_are_640_by_512_and_overlap(source, tmp_path):
    tiles, _ = convert(source, tmp_path / "tiles")
    assert {(image["width"], image["height"]) for image in tiles["images"]} == {(640, 512)}
    places = {(i["tile"]["x"], i["tile"]["y"]) for i in tiles["images"]}
    assert places == {(0, 0), (60, 0), (0, 8), (60, 8)}
    root = tmp_path / "tiles" / "images"
    report = check_coco(tmp_path / "tiles" / "annotations.json", root, images="decode")
    report.raise_if_faulty()
    assert len(load_coco_json(str(tmp_path / "tiles/annotations.json"), str(root))) == 8
    wide, _ = convert(source, tmp_path / "wide", size=(640, 640), overlap=50)
    assert {(image["width"], image["height"]) for image in wide["images"]} == {(640, 520)}


def test_dense_images_can_be_kept(source, tmp_path):
    _, originals = convert(source, tmp_path / "tiles", keep_dense=True)
    assert len(originals["images"]) == 3 and len(originals["annotations"]) == 6
    assert originals["annotations"][5]["iscrowd"] == 1


def test_training_images_are_erased_where_ignored_and_only_there(source, tmp_path):
    plain, _ = convert(source, tmp_path / "test", workers=2)
    tiles, _ = convert(source, tmp_path / "train_tiles", train=True)
    assert tiles["annotations"] == plain["annotations"] and tiles["images"] == plain["images"]

    def corner_tile(folder):
        record = next(i for i in tiles["images"] if (i["tile"]["x"], i["tile"]["y"]) == (0, 0))
        return np.array(Image.open(tmp_path / folder / "images" / record["file_name"]))

    before, after = corner_tile("test"), corner_tile("train_tiles")
    ignored = np.zeros(before.shape[:2], bool)
    ignored[40:90, 90:150] = True
    ignored[300:306, 300:304] = True
    ignored[50:71, 100:113] = False  # every pixel that the person touches
    ignored[60:65, 110:116] = False
    assert np.array_equal(after[~ignored], before[~ignored])
    crowd = np.array(Image.open(source[1] / "labeled_images/a.jpg"))[40:90, 90:150]
    assert (after[40, 90] == crowd.mean(axis=(0, 1)).round()).all()
    assert (after[300:306, 300:304] == after[300, 300]).all()
    assert (after[ignored] != before[ignored]).any(axis=1).mean() > 0.95


def test_boxes_over_the_border_and_outside_are_erased_without_harm():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    boxes = [
        [-5, -5, 10, 10],
        [25, 15, 50, 50],
        [40, 40, 5, 5],
        [-9, 2, 3, 3],
        [3.2, 8.9, 0.1, 0.05],
    ]
    annotations = [{"bbox": box, "iscrowd": 1} for box in boxes]
    erased = erase_ignored(pixels, {}, annotations)
    untouched = np.ones((20, 30), bool)
    untouched[:5, :5] = untouched[15:, 25:] = untouched[8, 3] = False
    assert np.array_equal(erased[untouched], pixels[untouched])
    assert (erased[:5, :5] == pixels[:5, :5].mean(axis=(0, 1)).round()).all()
    assert erased.dtype == np.uint8 and erased is not pixels


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["images"][0].update(corner=[0, 0, 640, 512]), "cut already.*tiny_set_train"),
        (lambda d: d["categories"][0].update(name="boat"), "category boat"),
        (lambda d: d["annotations"][1].pop("bbox"), "missing key"),
        (lambda d: d["annotations"][1].update(category_id=7), "unknown category_id"),
        (lambda d: d.pop("images"), "missing section"),
    ],
)
def test_other_files_are_refused(source, tmp_path, change, message):
    content = json.loads(source[0].read_text())
    change(content)
    source[0].write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=message):
        convert(source, tmp_path / "tiles")
