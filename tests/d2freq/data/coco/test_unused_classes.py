"""Classes without a box, and files whose every box is a crowd."""

import json

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog

from d2freq.cli import main
from d2freq.data import register_coco
from d2freq.engine.tasks.detection import check_objects
from d2freq.errors import DatasetError
from tests.d2freq.coco_cases import coco

ROOT = dict(id=0, name="boat", supercategory="none")


def run(tmp_path, capsys, data, *options):
    file, fixed = tmp_path / "truth.json", tmp_path / "fixed.json"
    file.write_text(json.dumps(data))
    code = main(["validate", str(file)])
    said = capsys.readouterr().out
    fixing = main(["validate", str(file), "--fix", str(fixed), *options])
    left = json.loads(fixed.read_text()) if fixed.exists() else None
    return code, said, fixing, capsys.readouterr().out, left


def with_classes(*categories, boxes=(1,)):
    data = coco([{"bbox": [1, 1, 5, 5], "category_id": kind} for kind in boxes])
    return {**data, "categories": list(categories)}


@pytest.mark.parametrize(
    ("categories", "kept", "said"),
    [
        ([ROOT, dict(id=1, name="boat")], [1], "boat (supercategory none)"),
        ([dict(id=1, name="boat"), dict(id=7, name="boat")], [1], "7 boat"),
        (
            [dict(ROOT, name="ships"), dict(id=1, name="boat", supercategory="ships")],
            [1],
            "0 ships (supercategory none)",
        ),
    ],
)
def test_a_class_beside_the_real_one_is_dropped(categories, kept, said, tmp_path, capsys):
    data = with_classes(*categories)
    _, out, fixing, changed, left = run(tmp_path, capsys, data)
    assert said in out and "--fix drops it" in out
    assert fixing == 0 and "fix: dropped 1 category, class without a box" in changed
    assert [c["id"] for c in left["categories"]] == kept
    assert len(left["annotations"]) == 1


def test_a_class_that_another_split_may_have_is_noted_and_stays(tmp_path, capsys):
    data = with_classes(dict(id=1, name="boat"), dict(id=2, name="buoy"))
    code, out, fixing, _, left = run(tmp_path, capsys, data)
    assert (code, fixing) == (0, 0)
    assert "note: class without a box (1): 2 buoy. It costs an output of the detector" in out
    assert len(left["categories"]) == 2


def test_two_of_one_name_that_both_have_boxes_are_not_guessed(tmp_path, capsys):
    data = with_classes(dict(id=1, name="boat"), dict(id=2, name="boat"), boxes=(1, 2))
    code, out, fixing, _, left = run(tmp_path, capsys, data)
    assert (code, fixing, left) == (2, 2, None)
    assert "duplicate category name (1)" in out


def test_text_ids_are_numbered_and_names_are_text(tmp_path, capsys):
    data = with_classes(dict(id="boat", name=7), dict(id="buoy", name="buoy"), boxes=("boat",))
    data["images"][0]["id"] = "img_1"
    data["annotations"][0]["image_id"] = "img_1"
    code, out, fixing, changed, left = run(tmp_path, capsys, data)
    assert (code, fixing) == (2, 0) and "--fix numbers images and classes" in out
    assert "id 'img_1' is now 1" in changed
    assert left["annotations"][0]["image_id"] == left["images"][0]["id"] == 1
    names = {c["id"]: c["name"] for c in left["categories"]}
    assert names == {1: "7", 2: "buoy"} and left["annotations"][0]["category_id"] == 1


def test_a_name_of_yaml_that_has_several_readings_stays_an_error(tmp_path, capsys):
    code, out, fixing, _, _ = run(tmp_path, capsys, with_classes(dict(id=1, name=False)))
    assert (code, fixing) == (2, 2) and "name that is no text (1): category 1 has name False" in out


def crowds(*flags):
    return coco([{"bbox": [1, 1, 5, 5], "iscrowd": flag} for flag in flags])


def test_crowds_alone(tmp_path, capsys):
    code, out, fixing, _, _ = run(tmp_path, capsys, crowds(1, 1))
    assert (code, fixing) == (2, 2)
    assert "repair: crowds alone (2): annotation 1 of image 1" in out and "no fault" not in out
    _, _, fixing, changed, left = run(tmp_path, capsys, crowds(1, 1), "--uncrowd")
    assert fixing == 0 and "fix: changed 2 annotations, crowds alone" in changed
    assert [a["iscrowd"] for a in left["annotations"]] == [0, 0]


def test_flags_that_become_crowds_alone_are_told(tmp_path, capsys):
    data = coco([{"bbox": [1, 1, 5, 5], "ignore": 1}])
    _, _, fixing, changed, _ = run(tmp_path, capsys, data)
    assert fixing == 2 and "cannot be repaired: crowds alone (1)" in changed


@pytest.mark.parametrize(
    ("data", "said"),
    [(crowds(1, 1, 1), "crowds alone"), (crowds(), "nothing to train on"), (crowds(0, 1), "")],
)
def test_training_refuses_what_has_nothing_to_learn(data, said, tmp_path):
    (tmp_path / "truth.json").write_text(json.dumps(data))
    register_coco("all_crowds", tmp_path / "truth.json", tmp_path)
    try:
        if said:
            with pytest.raises(DatasetError, match=f"{said}.*|.*{said}"):
                check_objects(["all_crowds"], {"all_crowds": "none"})
        else:
            check_objects(["all_crowds"], {"all_crowds": "none"})
    finally:
        DatasetCatalog.remove("all_crowds")
        MetadataCatalog.remove("all_crowds")
