"""COCO files, good and bad, and the round trip through the standard records."""

import json
import os

import numpy as np
import pytest
from pycocotools import mask

from minid2.data import DatasetCatalog, MetadataCatalog
from minid2.data.datasets import convert_to_coco_json, load_coco_json, register_coco_instances
from minid2.data.datasets import register_coco
from minid2.data.datasets.coco import _box_and_shape
from minid2.structures import BoxMode


def content():
    """Two images, two classes with a gap in their ids, two annotations."""
    return {
        "images": [
            {"id": 5, "file_name": "b.png", "width": 60, "height": 40},
            {"id": 2, "file_name": "a.png", "width": 60, "height": 40},
        ],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 9, "bbox": [1, 2, 3, 4], "iscrowd": 0},
            {"id": 2, "image_id": 5, "category_id": 4, "bbox": [1.5, 2, 3, 4.5], "iscrowd": 1},
        ],
        "categories": [{"id": 9, "name": "ship"}, {"id": 4, "name": "car"}],
    }


@pytest.fixture
def load(tmp_path):
    """Write a dict as a file and load it under a name that is forgotten afterwards."""
    path = tmp_path / "instances.json"

    def write_and_load(data, name="coco_test", **options):
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        return load_coco_json(str(path), "images", name, **options)

    yield write_and_load
    MetadataCatalog.pop("coco_test", None)


def test_records_are_sorted_and_classes_numbered_from_zero(load):
    records = load(content())
    assert [r["image_id"] for r in records] == [2, 5]
    assert records[1]["file_name"] == os.path.join("images", "b.png")
    assert records[0]["annotations"] == []
    first, second = records[1]["annotations"]
    expected = {"bbox": [1, 2, 3, 4], "bbox_mode": 1, "category_id": 1, "iscrowd": 0}
    assert first == expected and first["bbox_mode"] is BoxMode.XYWH_ABS
    assert (second["category_id"], second["iscrowd"]) == (0, 1)
    metadata = MetadataCatalog.get("coco_test")
    assert metadata.thing_classes == ["car", "ship"]
    assert metadata.thing_dataset_id_to_contiguous_id == {4: 0, 9: 1}


def test_without_a_name_the_ids_stay(load):
    data = content()
    data["annotations"][0]["track"] = "x"
    first = load(data, name=None, extra_annotation_keys=["track"])[1]["annotations"][0]
    assert first["category_id"] == 9 and first["track"] == "x"


def test_a_file_without_annotations_is_a_test_set(load):
    data = content()
    del data["annotations"]
    assert [r["annotations"] for r in load(data)] == [[], []]


@pytest.mark.parametrize(
    "change, culprit",
    [
        ({"ignore": 1}, 'annotation 1 of image 5 has an "ignore" flag.*iscrowd'),
        ({"bbox": []}, r"annotation 1 of image 5 has bbox \[\]"),
        ({"bbox": None}, "annotation 1 of image 5 has bbox None"),
        ({"bbox": [1, 2, 3]}, "annotation 1 of image 5 has bbox"),
        ({"category_id": 3}, r"annotation 1 of image 5 has category_id=3.*\[4, 9\]"),
        ({"id": 2}, "annotation ids are not unique"),
    ],
)
def test_a_bad_annotation_is_named(load, change, culprit):
    data = content()
    data["annotations"][0].update(change)
    with pytest.raises((ValueError, KeyError), match=f"instances.json.*{culprit}"):
        load(data)


def test_a_bad_file_is_named(load):
    with pytest.raises(ValueError, match=r"instances.json.*is cut off.*download it again"):
        load(json.dumps(content())[:150])


def test_a_registered_set_survives_the_round_trip(tmp_path):
    data, name = content(), "coco_round_trip"
    data["annotations"][0]["segmentation"] = [[1, 2, 4, 2, 4, 6, 1, 6]]
    source, target = tmp_path / "source.json", tmp_path / "made" / "target.json"
    source.write_text(json.dumps(data))
    try:
        register_coco_instances(name, {"extra": 1}, str(source), "images")
        metadata = MetadataCatalog.get(name)
        assert (metadata.evaluator_type, metadata.extra) == ("coco", 1)
        records = DatasetCatalog.get(name)
        convert_to_coco_json(name, str(target))
        written = json.loads(target.read_text())
        assert [a["area"] for a in written["annotations"]] == [12.0, 13.5]
        for key in ("id", "image_id", "category_id", "bbox", "iscrowd"):
            assert [a[key] for a in written["annotations"]] == [a[key] for a in data["annotations"]]
        assert load_coco_json(str(target), "", name) == [
            {**r, "file_name": os.path.join("images", os.path.basename(r["file_name"]))}
            for r in records
        ]
        target.write_text("{}")
        convert_to_coco_json(name, str(target))  # kept as it is
        assert target.read_text() == "{}" and os.listdir(target.parent) == ["target.json"]
    finally:
        DatasetCatalog.pop(name, None)
        MetadataCatalog.pop(name, None)


def test_real_aerial_images_load():
    root = os.environ.get("D2FREQ_KIT_AIS_HALF")
    if not root:
        pytest.skip("D2FREQ_KIT_AIS_HALF does not name the folder of the kit-ais-half data set")
    from minid2.data import DatasetMapper

    records = load_coco_json(os.path.join(root, "val.json"), os.path.join(root, "images"), None)
    assert (len(records), sum(len(r["annotations"]) for r in records)) == (20, 509)
    mapped = DatasetMapper(is_train=True, augmentations=[], image_format="BGR")(records[0])
    assert len(mapped["instances"]) == len(records[0]["annotations"])
    boxes = mapped["instances"].gt_boxes
    assert (boxes.area().sqrt() < 32).all()


def test_run_lengths_are_written_as_text_with_their_own_area():
    pixels = np.zeros((8, 8), np.uint8, order="F")
    pixels[2:6, 1:4] = 1
    rle = mask.encode(pixels)
    box = {"bbox": [0, 0, 5, 7], "bbox_mode": BoxMode.XYXY_ABS, "segmentation": rle}
    text = rle["counts"].decode("ascii")
    for counts in (rle["counts"], text):
        written = _box_and_shape({**box, "segmentation": {**rle, "counts": counts}})
        assert written["segmentation"] == {"size": [8, 8], "counts": text}
        assert written["area"] == 12 and written["bbox"] == [0, 0, 5, 7]


def test_the_former_place_of_the_registration_is_still_one():
    assert register_coco.register_coco_instances is register_coco_instances
