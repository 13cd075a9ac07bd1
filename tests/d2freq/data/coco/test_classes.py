"""Two sound files that number their classes differently: said, with ids and names of both."""

import json
import re
from pathlib import Path

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances
from PIL import Image

from d2freq.cli import main
from d2freq.data.coco.classes import Classes, classes_of_file, compare_classes
from d2freq.engine import load_config
from d2freq.engine.tasks.detection import check_agreement
from d2freq.errors import DatasetError

BOATS = {1: "boat", 2: "buoy"}
CASES = {
    "swapped": ({1: "buoy", 2: "boat"}, True, "boat is class 0 .* class 1"),
    "swapped by ids": ({7: "boat", 3: "buoy"}, True, "3 buoy, 7 boat"),
    "one more in front": ({0: "anchor", 1: "boat", 2: "buoy"}, True, "0 anchor, 1 boat"),
    "other ids": ({5: "boat", 9: "buoy"}, False, "other ids.*5 boat, 9 buoy"),
    "other names": ({1: "ship", 2: "buoy"}, False, "other names.*1 ship"),
    "from 0": ({0: "boat", 1: "buoy"}, False, "other ids"),
}


def write(folder, name, categories):
    content = dict(images=[dict(id=1, file_name=f"{name}.png", width=9, height=9)])
    box = dict(id=1, image_id=1, category_id=min(categories), bbox=[1, 1, 5, 5], area=25, iscrowd=0)
    content["annotations"] = [box]
    content["categories"] = [dict(id=i, name=n) for i, n in categories.items()]
    Image.effect_noise((9, 9), 99).convert("RGB").save(folder / f"{name}.png")
    (folder / f"{name}.json").write_text(json.dumps(content))
    return folder / f"{name}.json"


@pytest.mark.parametrize("case", CASES)
def test_files_that_differ(case, tmp_path):
    other, fatal, said = CASES[case]
    files = write(tmp_path, "train", BOATS), write(tmp_path, "val", other)
    found = compare_classes(*map(classes_of_file, files))
    assert found is not None and found.fatal is fatal
    assert "train.json has 1 boat, 2 buoy" in found.text and "\n" not in found.text
    assert re.search(said, found.text), found.text


def test_the_same_in_another_order_of_records_is_the_same(tmp_path):
    files = write(tmp_path, "train", BOATS), write(tmp_path, "val", {2: "buoy", 1: "boat"})
    assert compare_classes(*map(classes_of_file, files)) is None


def test_long_lists_are_cut():
    many = Classes("a.json", tuple(range(80)), tuple(f"c{n}" for n in range(80)))
    other = Classes("b.json", tuple(range(80)), tuple(f"c{n}" for n in reversed(range(80))))
    assert "11 c11 and 68 more" in compare_classes(many, other).text


@pytest.mark.parametrize("suffix", [".yaml", ".py"])
@pytest.mark.parametrize("case", ["swapped", "other ids"])
def test_training_and_evaluation_say_it(case, suffix, tmp_path, caplog):
    names = {"classes_train": BOATS, "classes_val": CASES[case][0]}
    for name, categories in names.items():
        register_coco_instances(name, {}, str(write(tmp_path, name, categories)), str(tmp_path))
    config = Path(__file__).parents[4] / f"configs/demo/faster_rcnn_R18_FPN_scenes{suffix}"
    train, test = names
    words = ["DATASETS.TRAIN", f"('{train}',)", "DATASETS.TEST", f"('{test}',)"]
    if suffix == ".py":
        words = [
            f"dataloader.{k}.dataset.names={n}"
            for k, n in zip(("train", "test"), names, strict=True)
        ]
    try:
        if case == "swapped":
            with pytest.raises(DatasetError, match=r"classes_val.json has 1 buoy, 2 boat"):
                check_agreement(load_config(str(config), words))
        else:
            check_agreement(load_config(str(config), words))
            assert "the classes have other ids" in caplog.text
    finally:
        for name in names:
            DatasetCatalog.remove(name)
            MetadataCatalog.remove(name)


def test_the_classes_beside_the_weights_count(tmp_path):
    (tmp_path / "classes.json").write_text(json.dumps({"classes": ["buoy", "boat"]}))
    register_coco_instances("classes_val", {}, str(write(tmp_path, "v", BOATS)), str(tmp_path))
    config = Path(__file__).parents[4] / "configs/demo/faster_rcnn_R18_FPN_scenes.yaml"
    words = ["DATASETS.TRAIN", "()", "DATASETS.TEST", "('classes_val',)"]
    words += ["MODEL.WEIGHTS", str(tmp_path / "model_final.pth")]
    try:
        with pytest.raises(DatasetError, match=r"classes.json has 0 buoy, 1 boat"):
            check_agreement(load_config(str(config), words))
    finally:
        DatasetCatalog.remove("classes_val")
        MetadataCatalog.remove("classes_val")


@pytest.mark.parametrize(
    ("case", "flags", "code", "level"),
    [
        ("swapped", [], 2, "error"),
        ("other ids", [], 0, "note"),
        ("other ids", ["--strict"], 2, "note"),
    ],
)
def test_validate_against(case, flags, code, level, tmp_path, capsys):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    first = write(tmp_path / "a", "train", BOATS)
    second = write(tmp_path / "b", "val", CASES[case][0])
    words = ["validate", str(first), "--images", str(tmp_path / "a"), "--workers", "1"]
    words += ["--against", str(second), "--other-images", str(tmp_path / "b")]
    assert main([*words, *flags]) == code
    assert f"{level}: the " in capsys.readouterr().out


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(("case", "code"), [("swapped", 2), ("other ids", 0), (None, 0)])
def test_classes_are_compared_without_images(case, code, own, tmp_path, capsys):
    first = write(tmp_path, "train", BOATS)
    second = write(tmp_path, "val", CASES[case][0] if case else BOATS)
    (tmp_path / "val.png").unlink()
    images = ["--images", str(tmp_path)] if own else []
    assert main(["validate", str(first), *images, "--against", str(second)]) == code
    said = capsys.readouterr().out
    if case:
        assert all(f"{i} {n}" in said for i, n in [*BOATS.items(), *CASES[case][0].items()])
    else:
        assert f"classes: the same ids and names as in {second}" in said
    assert "content is not compared: that needs --images DIR and --other-images DIR" in said


@pytest.mark.parametrize("bad", [[{"name": "boat"}], ["boat"], {"1": "boat"}, 7, [{"id": "1"}]])
def test_categories_that_cannot_be_compared(bad, tmp_path, capsys):
    first, second = write(tmp_path, "train", BOATS), tmp_path / "val.json"
    second.write_text(json.dumps({"categories": bad}))
    assert main(["validate", str(first), "--against", str(second)]) == 2
    said = capsys.readouterr().err
    assert f"{second}: the category" in said and "d2freq validate" in said
