"""Boxes and flags in another notation: what has one reading is mended, and nothing is lost."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from d2freq.cli import main
from d2freq.data.coco.plain_boxes import box_around, plain_box

RING = [[3, 4, 9, 4, 9, 11, 3, 11]]


@pytest.mark.parametrize(
    ("value", "wish"),
    [
        (["1", "2.5", 3, 4], [1, 2.5, 3, 4]),
        ("1, 2.5, 3, 4", [1, 2.5, 3, 4]),
        ("[1 2.5 3 4]", [1, 2.5, 3, 4]),
        ([[1, 2, 3, 4]], [1, 2, 3, 4]),
        ({"x": 1, "y": 2, "width": 3, "height": "4"}, [1, 2, 3, 4]),
        ({"Left": 1, "Top": 2, "Width": 3, "Height": 4}, [1, 2, 3, 4]),
        ({"xmin": 1, "ymin": 2, "xmax": 4, "ymax": 6}, [1, 2, 3, 4]),
        ([[1, 2], [3, 4]], None),  # a size, or the other corner
        ({"x": 1, "y": 2, "width": 3}, None),
        ({"cx": 1, "cy": 2, "w": 3, "h": 4}, None),
        ([1, 2, 3, 4, 0.5], None),
        ([True, 2, 3, 4], None),
        ("1,5 2 3 4", None),
        ([], None),
        (None, None),
        ("", None),
    ],
)
def test_one_reading_or_none(value, wish):
    assert plain_box(value) == wish


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_the_box_around_a_random_mask(seed, as_text):
    random = np.random.default_rng(seed)
    inside = random.random((9, 12)) < random.choice([0.02, 0.1, 0.6])
    coded = coco_mask.encode(np.asfortranarray(inside.astype(np.uint8)))
    ends = np.flatnonzero(np.diff(inside.T.ravel().astype(int), prepend=0)).tolist()
    lengths = np.diff([0, *ends, inside.size]).tolist()
    counts = coded["counts"].decode() if as_text else lengths
    found = box_around({"size": [9, 12], "counts": counts})
    wish = coco_mask.toBbox(coded).tolist()
    assert found == (wish if inside.any() else None)


def test_the_box_around_polygons():
    assert box_around([*RING, [1, 1, 2, 1, 2, 2]]) == [1, 1, 8, 10]
    assert box_around([[[3, 4], [9, 4], [9, 11]]]) == [3, 4, 6, 7]  # points as pairs
    assert box_around([[3, 4, 9, 4]]) is box_around([[3, 4, 5, 4, 7, 4]]) is None
    assert box_around([]) is box_around(None) is box_around([[float("nan")] * 6]) is None


def fixed(two_images, changes):
    """The annotation that was changed, after a repair that has to leave a sound file."""
    folder, data = two_images
    data["annotations"][1].update(changes)
    for key in [key for key, value in changes.items() if value == "gone"]:
        del data["annotations"][1][key]
    file, output = folder / "truth.json", folder / "fixed.json"
    file.write_text(json.dumps(data))
    assert main(["validate", str(file), "--images", str(folder)]) == 2
    assert main(["validate", str(file), "--images", str(folder), "--fix", str(output)]) == 0
    assert main(["validate", str(output), "--images", str(folder)]) == 0
    kept = json.loads(output.read_text())["annotations"]
    assert len(kept) == len(data["annotations"])
    return kept[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"bbox": "gone", "segmentation": RING},
        {"bbox": [], "segmentation": RING},
        {"bbox": None, "segmentation": [[[3, 4], [9, 4], [9, 11], [3, 11]]]},
        {"bbox": [0, 0, 0, 0], "segmentation": RING},
        {"bbox": [9, 11, -6, -7], "segmentation": RING},
        {"bbox": [float("nan"), 4, 6, 7], "segmentation": RING},
        {"bbox": "3,4,6,7"},
    ],
)
def test_a_box_is_kept_where_it_can_be_told(two_images, changes):
    annotation = fixed(two_images, changes)
    assert annotation["bbox"] == [3, 4, 6, 7]
    assert annotation["area"] in (42, 16)  # what was written, where that may be a mask's


@pytest.mark.parametrize(
    ("changes", "key", "wish"),
    [
        ({"iscrowd": None}, "iscrowd", 0),
        ({"iscrowd": "False"}, "iscrowd", 0),
        ({"iscrowd": "true"}, "iscrowd", 1),
        ({"ignore": None}, "ignore", 0),
        ({"area": "11.5"}, "area", 11.5),  # of a mask, and not width x height
    ],
)
def test_flags_and_areas_that_are_text_or_null(two_images, changes, key, wish):
    assert fixed(two_images, changes)[key] == wish


def test_ids_beyond_64_bits_are_numbered_anew(two_images):
    folder, data = two_images
    data["images"][0]["id"] = 20240101123456789012
    for annotation in data["annotations"][:2]:
        annotation["image_id"] = 20240101123456789012
    (folder / "truth.json").write_text(json.dumps(data))
    output = folder / "fixed.json"
    assert main(["validate", str(folder / "truth.json"), "--fix", str(output)]) == 0
    found = json.loads(output.read_text())
    assert [image["id"] for image in found["images"]] == [3, 2]
    assert [a["image_id"] for a in found["annotations"]] == [3, 3, 2, 2]


def said(two_images, capsys, change):
    folder, data = two_images
    change(data)
    (folder / "truth.json").write_text(json.dumps(data))
    main(["validate", str(folder / "truth.json")])
    return capsys.readouterr().out


def test_ids_that_count_from_another_number_are_told(two_images, capsys):
    def from_0(data):
        for annotation in data["annotations"]:
            annotation["category_id"] -= 1

    text = said(two_images, capsys, from_0)
    assert "All of them are known once +1 is added, as if annotations counted from 0" in text


def test_a_section_is_named_with_what_it_is(two_images, capsys):
    text = said(two_images, capsys, lambda data: data.update(images={"1": {}}, annotations=None))
    assert "images is an object, annotations is null" in text


def test_names_of_classes_that_look_alike_or_are_blank(two_images, capsys):
    def rename(data):
        data["categories"] = [dict(id=1, name="Big ship"), dict(id=2, name="big_ship")]
        data["categories"].append(dict(id=3, name=" "))

    text = said(two_images, capsys, rename)
    assert "differ in spelling alone (1): 'Big ship' and 'big_ship'" in text
    assert "class without a name (1): category 3 is ' '" in text
