"""``d2freq train --data``: data sets, class count and config by the place of the data alone."""

import json

import pytest
from detectron2.data import DatasetCatalog

from d2freq.engine.own_data import apply_own_data
from d2freq.errors import UserError
from d2freq.train import build_parser, main
from d2freq.train_arguments import OWN_DATA_CONFIG

from ...conftest import write_vehicles

STEPS = "SOLVER.MAX_ITER 2 SOLVER.STEPS () SOLVER.WARMUP_ITERS 1 TEST.EVAL_PERIOD 0"
SMALL = "MODEL.DEVICE cpu MODEL.WEIGHTS '' DATALOADER.NUM_WORKERS 0 INPUT.AUGMENT.OBJECT_CROP_SIZE "
SMALL += "[64,64] MODEL.RPN.POST_NMS_TOPK_TEST 20 TEST.DETECTIONS_PER_IMAGE 10"


@pytest.fixture(scope="module")
def own_folder(tmp_path_factory):
    """Four pictures in one COCO file, of which three train."""
    folder = tmp_path_factory.mktemp("own")
    write_vehicles(folder)
    return folder


@pytest.fixture
def clean_catalog():
    yield
    for name in ("own_train", "own_val"):
        if name in DatasetCatalog.list():
            DatasetCatalog.remove(name)


def test_a_folder_is_all_that_a_training_needs(own_folder, tmp_path, clean_catalog, loggers):
    words = [*STEPS.split(), *SMALL.replace("''", "").split(), "OUTPUT_DIR", str(tmp_path / "out")]
    place = words.index("MODEL.WEIGHTS")
    words.insert(place + 1, "")
    assert main(["--data", str(own_folder), *words]) == 0
    results = json.loads((tmp_path / "out/inference/tiny_results.json").read_text())
    assert "AP" in results["bbox"]
    assert (tmp_path / "out/model_final.pth").is_file()


def test_class_counts_of_every_detector(own_folder, tmp_path):
    out = ["OUTPUT_DIR", str(tmp_path / "out"), "MODEL.ROI_HEADS.NUM_CLASSES", "9"]
    args = build_parser().parse_args(["--data", str(own_folder), *out])
    said = apply_own_data(args, default_config=OWN_DATA_CONFIG)
    keys = dict(zip(args.opts[::2], args.opts[1::2], strict=True))
    assert keys["MODEL.RETINANET.NUM_CLASSES"] == keys["MODEL.FCOS.NUM_CLASSES"] == "1"
    assert keys["MODEL.DINO.NUM_CLASSES"] == keys["MODEL.AUTOASSIGN.NUM_CLASSES"] == "1"
    assert keys["MODEL.ROI_HEADS.NUM_CLASSES"] == "9"  # what a user says comes last, and holds
    assert "1 class: vehicle" in said[-1]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([], "nothing to train: name data of your own"),
        (["--images", "x"], "--images belongs to --data"),
        (["--val-data", "x"], "--val-data belongs to --data"),
        (
            ["--data", ".", "--config-file", "demo/faster_rcnn_R18_FPN_scenes.py"],
            "register the data there",
        ),
    ],
)
def test_flags_that_do_not_fit(words, fault):
    with pytest.raises(UserError, match=fault):
        apply_own_data(build_parser().parse_args(words), default_config=OWN_DATA_CONFIG)


def test_a_place_that_is_not_there_is_all_that_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("d2freq.utils.notices._noted", [])
    for words in (["--data", str(tmp_path / "no")], ["--data", str(tmp_path), "--val-data", "no"]):
        with pytest.raises(UserError, match="no: no such file or folder"):
            apply_own_data(build_parser().parse_args(words), default_config=OWN_DATA_CONFIG)
    assert not caplog.records  # above all, no word of the device: it comes with the config


def test_a_used_folder_is_not_written_to(own_folder, tmp_path):
    (tmp_path / "model_final.pth").write_bytes(b"weights")
    args = build_parser().parse_args(["--data", str(own_folder), "OUTPUT_DIR", str(tmp_path)])
    with pytest.raises(UserError, match="former training"):
        apply_own_data(args, default_config=OWN_DATA_CONFIG)
    assert [file.name for file in tmp_path.iterdir()] == ["model_final.pth"]
