"""The registered names: where they lie, how they load, and what is said where they are missing."""

import json
import logging
import os
import pickle
from pathlib import Path

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog

from d2freq.data import DatasetError, check_dataset, register_coco
from d2freq.data.builtin import AITOD, SOURCES
from d2freq.data.scenes.dataset import generate_scenes
from d2freq.data.scenes.objects import KINDS
from d2freq.errors import UserError

from ...process import ROOT, output_of_python

V1_NAMES = (
    *("aitod_{}_v1.json", "aitod_{}_v1_1.0.json", "aitod_{}_v1.0.json"),
    "small_{}_v1_1.0.json",
)
V2_NAMES = ("aitodv2_{}.json", "small_{}_v2_2.0.json", "small_{}_v2_1.0.json")


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_missing_data_set_names_every_path_tried_the_cure_and_the_variable(data_root, name):
    source = SOURCES[name]
    for call in (DatasetCatalog.get, check_dataset):
        with pytest.raises(DatasetError) as error:
            call(name)
        text = str(error.value)
        assert all(str(data_root / file) in text for file in source.json_files)
        assert (
            source.cure in text and f"now: {data_root}" in text and "$DETECTRON2_DATASETS" in text
        )


def test_cures_say_how_to_get_it():
    assert "d2freq generate scenes" in SOURCES["tiny_scenes_train"].cure
    assert "CC BY" in SOURCES["kit_ais_half_val"].cure
    assert "datasets/README.md" in SOURCES["dota_v2_train"].cure


def test_missing_image_folder_names_every_folder_tried(data_root, write_coco_file):
    write_coco_file("aitod/annotations/aitod_train_v1.json", AITOD)
    with pytest.raises(DatasetError, match="aitod/train/images not found, nor ") as error:
        DatasetCatalog.get("aitod_train")
    for folder in ("images/train", "train", "trainval/images", "images/trainval", "trainval"):
        assert str(data_root / "aitod" / folder) in str(error.value)


def test_importing_d2freq_registers_all_names_without_any_file(tmp_path):
    code = (
        "import d2freq; from detectron2.data import DatasetCatalog, MetadataCatalog\n"
        f"assert set({list(SOURCES)}) <= set(DatasetCatalog.list())\n"
        "print(MetadataCatalog.get('tiny_scenes_val').json_file)"
    )
    printed = output_of_python("-c", code, DETECTRON2_DATASETS=str(tmp_path))
    assert Path(printed) == tmp_path / "tiny_scenes/annotations/val.json"


def test_scenes_load_by_name_from_a_root_that_was_set_after_the_import(data_root):
    generate_scenes(data_root / "tiny_scenes", train=2, val=1, size=96, workers=1, progress=False)
    assert check_dataset("tiny_scenes_train").ok
    records = DatasetCatalog.get("tiny_scenes_train")
    assert len(records) == 2 and all(os.path.isfile(record["file_name"]) for record in records)
    assert MetadataCatalog.get("tiny_scenes_train").thing_classes == list(KINDS)


@pytest.mark.parametrize("pattern", V1_NAMES + V2_NAMES)
@pytest.mark.parametrize(
    ("split", "word", "folder"),
    [
        ("train", "training", "train/images"),
        ("val", "validation", "images/val"),
        ("trainval", "trainval", "trainval"),
        ("test", "test", "test/images"),
    ],
)
def test_file_names_in_the_wild_are_found(
    data_root, write_coco_file, pattern, split, word, folder, caplog
):
    for spelling in {word, split}:
        file = f"aitod/annotations/{pattern.format(spelling)}"
        write_coco_file(file, AITOD, images=f"aitod/{folder}")
        name = f"aitod{'v2' if pattern in V2_NAMES else ''}_{split}"
        metadata = MetadataCatalog.get(name)
        assert metadata.json_file == str(data_root / file)
        assert metadata.image_root == str(data_root / "aitod" / folder)
        assert check_dataset(name).ok
        assert os.path.isfile(DatasetCatalog.get(name)[0]["file_name"])
        (data_root / file).unlink()
    assert not caplog.records


def test_train_images_are_also_found_in_trainval(data_root, write_coco_file):
    write_coco_file("aitod/annotations/aitod_train_v1.json", AITOD, images="aitod/trainval/images")
    assert check_dataset("aitod_train").ok


def test_several_files_of_other_content_take_the_first_and_say_so(
    data_root, write_coco_file, caplog
):
    first = write_coco_file("aitod/annotations/aitod_val_v1.json", AITOD, images="aitod/val/images")
    second = data_root / "aitod/annotations/small_val_v1_1.0.json"
    second.write_bytes(first.read_bytes())
    DatasetCatalog.get("aitod_val")
    assert not caplog.records
    second.write_text(second.read_text().replace("[5, 5, 8, 8]", "[5, 5, 9, 8]"))
    with caplog.at_level(logging.WARNING):
        DatasetCatalog.get("aitod_val")
    assert f"took {first}; other content in {second}" in caplog.text


def test_classes_are_known_without_the_file_and_the_files_order_wins(
    data_root, write_coco_file, caplog
):
    metadata = MetadataCatalog.get("aitod_test")
    assert metadata.thing_classes == metadata.get("thing_classes") == list(AITOD)
    shuffled = (AITOD[1], AITOD[0], *AITOD[2:])
    write_coco_file("aitod/annotations/aitod_test_v1.json", shuffled, images="aitod/test/images")
    with caplog.at_level(logging.WARNING):
        DatasetCatalog.get("aitod_test")
    assert "lists its categories as bridge, airplane" in caplog.text
    assert metadata.thing_classes == list(shuffled)
    assert metadata.thing_dataset_id_to_contiguous_id == {k + 1: k for k in range(8)}


def test_spelling_of_classes_does_not_matter(data_root, write_coco_file, caplog):
    spelled = [word.replace("-", " ").title() for word in AITOD]
    write_coco_file("aitod/annotations/aitod_test_v1.json", spelled, images="aitod/test/images")
    DatasetCatalog.get("aitod_test")
    assert not caplog.records and MetadataCatalog.get("aitod_test").thing_classes == spelled


def test_another_number_of_classes_is_an_error(data_root, write_coco_file):
    write_coco_file("aitod/annotations/aitod_test_v1.json", AITOD[:7], images="aitod/test/images")
    with pytest.raises(DatasetError, match=r"7 categories .* has 8 .*register_coco"):
        DatasetCatalog.get("aitod_test")


def test_tiles_say_where_their_originals_are(data_root):
    wish = str(data_root / "dota-v2.0/tiles/val/originals.json")
    assert MetadataCatalog.get("dota_v2_val").originals_json == wish
    assert MetadataCatalog.get("visdrone_val").get("originals_json") is None


def test_metadata_copies_with_all_that_is_looked_up(data_root):
    metadata = MetadataCatalog.get("soda_d_test")
    for copy in (metadata, pickle.loads(pickle.dumps(metadata))):
        known = copy.as_dict()
        assert known["json_file"] == str(data_root / "soda-d/tiles/test/annotations.json")
        assert known["evaluator_type"] == "coco" and len(known["thing_classes"]) == 9
        assert not hasattr(copy, "keypoint_names")


def test_any_coco_file_by_one_call(data_root, write_coco_file, monkeypatch):
    file = write_coco_file("mine/boats.json", ["boat", "buoy"], images="mine/pictures")
    monkeypatch.chdir(data_root / "mine")
    names = ["boat", "buoy"]
    try:
        for _ in range(2):  # a lazy config is read twice
            register_coco("boats", "boats.json", "pictures", thing_classes=names)
        monkeypatch.chdir(ROOT)
        metadata = MetadataCatalog.get("boats")
        assert metadata.json_file == str(file) and metadata.thing_classes == names
        assert check_dataset("boats").ok and len(DatasetCatalog.get("boats")) == 1
        with pytest.raises(UserError, match="registered already with .*boats.json; choose another"):
            register_coco("boats", "other.json", "pictures")
    finally:
        DatasetCatalog.remove("boats")
        MetadataCatalog.remove("boats")


def test_missing_file_of_a_users_own_data_set(tmp_path):
    register_coco("nowhere", tmp_path / "no.json", tmp_path)
    try:
        with pytest.raises(DatasetError, match="no.json not found. Get it: register it with"):
            DatasetCatalog.get("nowhere")
    finally:
        DatasetCatalog.remove("nowhere")
        MetadataCatalog.remove("nowhere")


@pytest.fixture
def write_coco_file(data_root):
    """Writes a COCO file of one image under the root of the data sets, and the image."""
    import numpy as np
    from PIL import Image

    def write(name: str, classes, *, images: str = "") -> Path:
        content = dict(
            images=[dict(id=1, file_name="1.png", width=32, height=32)],
            annotations=[
                dict(id=1, image_id=1, category_id=1, bbox=[5, 5, 8, 8], area=64, iscrowd=0)
            ],
            categories=[dict(id=k, name=name) for k, name in enumerate(classes, start=1)],
        )
        file = data_root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
        if images:
            (data_root / images).mkdir(parents=True, exist_ok=True)
            pixels = np.full((32, 32, 3), 90, np.uint8)
            Image.fromarray(pixels).save(data_root / images / "1.png")
        return file

    return write
