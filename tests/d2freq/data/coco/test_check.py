"""check_coco: each fault is found, named and classed as an error or a repair."""

import copy
import json

import numpy as np
import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances
from PIL import Image

from d2freq.data import DatasetError, check_coco, check_dataset
from d2freq.data.coco.faults_of_images import PAGES

GOOD = {
    "images": [
        {"id": 1, "file_name": "a.png", "width": 40, "height": 30},
        {"id": 2, "file_name": "b.png", "width": 40, "height": 30},
    ],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 6, 5], "area": 30, "iscrowd": 0},
        {"id": 2, "image_id": 2, "category_id": 2, "bbox": [9, 9, 4, 4], "area": 16, "iscrowd": 0},
    ],
    "categories": [{"id": 1, "name": "ship"}, {"id": 2, "name": "person"}],
}


@pytest.fixture
def folder(tmp_path):
    for record in GOOD["images"]:
        pixels = np.arange(30 * 40 * 3, dtype=np.uint32).reshape(30, 40, 3)
        Image.fromarray((pixels * 7919 % 251).astype(np.uint8)).save(tmp_path / record["file_name"])
    return tmp_path


def check(folder, data, **options):
    path = folder / "truth.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return check_coco(path, folder, **options)


def changed(section: str, **changes) -> dict:
    data = copy.deepcopy(GOOD)
    data[section][1].update(changes)
    return data


def without(section: str, key: str) -> dict:
    data = copy.deepcopy(GOOD)
    del data[section][1][key]
    return data


def test_good_file_passes(folder):
    report = check(folder, GOOD, images="decode")
    assert report.ok and not report.warning()
    assert (report.images, report.annotations, report.categories) == (2, 2, 2)


TEXT, FLAG = "name that is no text", "flag that is neither 0 nor 1"
ERRORS = {
    "cut off": (json.dumps(GOOD)[:-40], "unreadable file", "cut off at line 1"),
    "empty file": ("", "unreadable file", "byte 0 of 0"),
    "a list": ("[]", "missing section", "list"),
    "no categories": ({k: GOOD[k] for k in ("images", "annotations")}, "missing section", "categ"),
    "no bbox": (without("annotations", "bbox"), "missing key", "annotation 2 of image 2"),
    "no height": (without("images", "height"), "missing key", "image 2 lacks"),
    "id as text": (changed("annotations", id="2"), "id that is no integer", "'2'"),
    "image id twice": (changed("images", id=1), "duplicate image id", "id 1 x 2"),
    "annotation id twice": (changed("annotations", id=1), "duplicate annotation id", "id 1 x 2"),
    "category id twice": (changed("categories", id=1), "duplicate category id", "id 1 x 2"),
    "name twice": (changed("categories", name="ship"), "duplicate category name", "'ship' x 2"),
    "unknown image": (changed("annotations", image_id=7), "unknown image_id", "image_id 7"),
    "unknown category": (changed("annotations", category_id=5), "unknown category_id", "id 5"),
    "three numbers": (changed("annotations", bbox=[1, 2, 3]), "malformed box", "annotation 2"),
    "empty bbox": (changed("annotations", bbox=[]), "malformed box", "annotation 2"),
    "text in a box": (changed("annotations", bbox=[1, 2, 3, "x"]), "malformed box", "'x'"),
    "box of text": (changed("annotations", bbox=["1", "2", "3", "4"]), "malformed box", "tion 2"),
    "true in a box": (changed("annotations", bbox=[1, 2, 3, True]), "malformed box", "tion 2"),
    "endless number": (changed("annotations", bbox=[1, 2, 3, 10**400]), "malformed box", "tion 2"),
    "name as list": (changed("categories", name=["person"]), TEXT, "category 2 has name"),
    "file name as list": (
        changed("images", file_name=["b.png"]),
        TEXT,
        "image 2 has file_name",
    ),
    "crowd as text": (
        changed("annotations", iscrowd="no"),
        FLAG,
        "annotation 2 of image 2 has isc",
    ),
    "crowd 2": (changed("annotations", iscrowd=2), FLAG, "annotation 2 of image 2 has iscrowd 2"),
    "ignore as text": (
        changed("annotations", ignore="no"),
        FLAG,
        "annotation 2 of image 2 has ign",
    ),
    "width true": (changed("images", width=True), "image without a size", "image 2 is True x 30"),
    "width as text": (changed("images", width="40"), "image without a size", "2 is '40' x 30"),
    "NaN": (changed("annotations", bbox=[1, 2, float("nan"), 4]), "NaN or infinite box", "nan"),
    "inf": (changed("annotations", bbox=[1, float("inf"), 3, 4]), "NaN or infinite box", "inf"),
    "ignore": (changed("annotations", ignore=1), "ignore flag", "annotation 2 of image 2"),
    "no image": (changed("images", file_name="c.png"), "missing image", "c.png"),
    "other size": (changed("images", width=99), "image of another size", "is 40 x 30"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_fault_is_refused(folder, case):
    data, kind, hint = ERRORS[case]
    report = check(folder, data)
    assert kind in [fault.kind for fault in report.errors]
    with pytest.raises(DatasetError) as error:
        report.raise_if_faulty()
    assert "truth.json" in str(error.value) and kind in str(error.value)
    assert hint in str(error.value)


REPAIRS = {
    "id 0": (changed("annotations", id=0), "annotation id 0"),
    "empty box": (changed("annotations", bbox=[1, 2, 0, 4]), "empty box"),
    "negative box": (changed("annotations", bbox=[9, 9, -4, 4]), "negative width or height"),
    "outside": (changed("annotations", bbox=[50, 9, 4, 4]), "box outside its image"),
    "over the border": (changed("annotations", bbox=[38, 9, 4, 4]), "box over the border"),
    "no area": (without("annotations", "area"), "no area"),
    "area true": (changed("annotations", area=True), "no area"),
    "NaN area": (changed("annotations", area=float("nan")), "no area"),
}


@pytest.mark.parametrize("case", REPAIRS)
def test_fault_is_repaired_and_counted(folder, case):
    data, kind = REPAIRS[case]
    report = check(folder, data)
    assert report.ok
    assert [(fault.kind, fault.count) for fault in report.repairs] == [(kind, 1)]
    assert kind in report.warning() and "truth.json" in report.warning()


def test_error_names_the_command_that_mends_records(folder):
    cure = f"d2freq validate {folder / 'truth.json'} --fix OUT.json"
    with pytest.raises(DatasetError) as error:
        check(folder, changed("annotations", ignore=1)).raise_if_faulty()
    assert cure in str(error.value)
    with pytest.raises(DatasetError) as error:  # which no repair brings back
        check(folder, {"images": []}).raise_if_faulty()
    assert "--fix" not in str(error.value)


def test_unlabelled_file_is_sound_and_noted(folder):
    report = check(folder, {**GOOD, "annotations": []})
    assert not report.errors and not report.repairs and not report.warning()
    assert [(fault.kind, fault.count) for fault in report.notes] == [("no annotation", 1)]


def test_many_faults_are_counted_and_few_are_named(folder):
    data = copy.deepcopy(GOOD)
    box = {"image_id": 1, "category_id": 9, "bbox": [1, 1, 2, 2], "area": 4}
    data["annotations"] = [{"id": n, **box} for n in range(1, 51)]
    (fault,) = check(folder, data).errors
    assert fault.count == 50 and len(fault.examples) == 3
    assert "and 47 more" in str(fault)


def test_truncated_image_is_found_when_asked(folder):
    path = folder / "b.png"
    path.write_bytes(path.read_bytes()[:-200])
    assert check(folder, GOOD).ok  # the header is whole
    (fault,) = check(folder, GOOD, images="decode").errors
    assert fault.kind == "truncated image" and "b.png" in str(fault)


def test_rotated_photograph_has_the_size_that_detectron2_sees(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 40)).save(folder / "a.jpg", exif=exif)
    data = copy.deepcopy(GOOD)
    data["images"][0]["file_name"] = "a.jpg"
    assert check(folder, data).ok


def test_check_dataset_raises_warns_and_notices_an_edit(folder, caplog):
    path, name = folder / "named.json", f"coco_check_{folder.name}"
    path.write_text(json.dumps(changed("annotations", bbox=[1, 2, 0, 4])))
    register_coco_instances(name, {}, str(path), str(folder))
    try:
        first = check_dataset(name)
        assert first.repairs and "empty box" in caplog.text
        caplog.clear()
        assert check_dataset(name) is first and not caplog.text  # nothing changed since
        path.write_text(json.dumps(changed("annotations", category_id=5)))
        with pytest.raises(DatasetError, match="unknown category_id"):
            check_dataset(name)
    finally:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


@pytest.mark.parametrize(
    ("outline", "kept"), [([], 1), ([[1, 1, 5, 1, 5, 5]], 1), ([[]], 0), ([[1, 2, 3, 4]], 0)]
)
def test_objects_that_the_loader_leaves_out_are_counted(folder, outline, kept):
    """The check agrees with load_coco_json, which drops an object for its segmentation."""
    from detectron2.data.datasets import load_coco_json

    report = check(folder, changed("annotations", segmentation=outline))
    records = load_coco_json(str(folder / "truth.json"), str(folder))
    assert len(records[1]["annotations"]) == kept
    kinds = [fault.kind for fault in report.repairs]
    assert kinds == ([] if kept else ["segmentation without a polygon"])


@pytest.mark.parametrize("between", ["\n", " ", "\r\n\r\n"])
def test_json_lines_are_not_called_cut_off(tmp_path, between):
    path = tmp_path / "lines.json"
    path.write_bytes(between.join(json.dumps({"id": n}) for n in range(3)).encode())
    (fault,) = check_coco(path).errors
    assert "JSON lines; write one value" in str(fault) and "cut off" not in str(fault)


def test_files_of_several_pictures_are_noted(tmp_path):
    pages = [Image.new("L", (20, 10)) for _ in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    images = [{"id": 1, "file_name": "a.tif", "width": 20, "height": 10}]
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "area": 25, "iscrowd": 0}
    data = {"images": images, "annotations": [box], "categories": [{"id": 1, "name": "a"}]}
    (tmp_path / "gt.json").write_text(json.dumps(data))
    for depth in ("size", "decode"):
        (note,) = check_coco(tmp_path / "gt.json", tmp_path, images=depth).notes
        assert note.kind == PAGES and "a.tif has 3" in str(note)
