"""Pictures of detections: of a registered set, of a config's, of a COCO file and its folder."""

import json

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog

from d2freq.cli import main

DEMO = "demo/faster_rcnn_R18_FPN_scenes"


@pytest.fixture
def files(vehicles, tmp_path):
    """(ground truth, detections that are right) on pictures of tmp_path; the catalog as before."""
    rows = [
        {key: each[key] for key in ("image_id", "category_id", "bbox")} | {"score": 0.9}
        for each in json.loads(vehicles.read_text())["annotations"]
    ]
    found = tmp_path / "found.json"
    found.write_text(json.dumps(rows))
    before = set(DatasetCatalog.list())
    yield str(vehicles), str(found)
    for name in set(DatasetCatalog.list()) - before:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def draw(tmp_path, *words) -> int:
    return main(["visualize", "detections", "--output", str(tmp_path / "drawn"), *words])


def names(tmp_path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "drawn").glob("*.png"))


FOUR = [f"{number}.png" for number in (1, 2, 3, 4)]


def test_a_coco_file_and_its_pictures(files, tmp_path):
    truth, found = files
    for _ in range(2):  # the same again
        words = ("--truth", truth, "--images", str(tmp_path), "--predictions", found)
        assert draw(tmp_path, *words) == 0
    assert names(tmp_path) == FOUR


@pytest.mark.parametrize("ending", ["", ".py"])
def test_a_config_names_its_test_set_and_has_its_detections(ending, files, tmp_path):
    truth, found = files
    folder = tmp_path / "run/inference"
    folder.mkdir(parents=True)
    (folder / "coco_instances_results.json").write_text(open(found).read())
    if ending:
        words = [
            'dataloader.test.dataset.names="vehicles_test"',
            f"train.output_dir={tmp_path}/run",
        ]
    else:
        entry = f"[['mine_val','{truth}','{tmp_path}']]"
        words = ["D2FREQ.DATASETS", entry, "DATASETS.TEST", "('mine_val',)"]
        words += ["OUTPUT_DIR", str(tmp_path / "run")]
    assert draw(tmp_path, "--count", "0", "--config-file", DEMO + ending, *words) == 0
    assert names(tmp_path) == FOUR


def test_a_registered_set(files, tmp_path):
    assert draw(tmp_path, "--dataset", "vehicles_test", "--predictions", files[1]) == 0
    assert names(tmp_path) == FOUR


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dataset", "vehicles_tset", "--predictions", "{found}"], "did you mean vehicles_test"),
        (["--predictions", "{found}"], "no data set"),
        (["--dataset", "vehicles_test"], "no detections"),
        (["--truth", "{truth}", "--predictions", "{found}"], "give both"),
        (["--truth", "gone.json", "--images", "."], "gone.json: no such file"),
        (["--truth", "{truth}", "--images", "gone"], "gone: no such folder"),
        (["--truth", "{truth}", "--images", ".", "--dataset", "x"], "give one of them"),
        (["--dataset", "x", "OUTPUT_DIR", "y"], "no --config-file"),
        (["--config-file", DEMO, "OUTPUT_DIR", "gone"], "name the detections"),
        (["--config-file", DEMO, "DATASETS.TEST", "()"], "names no test set"),
    ],
)
def test_what_is_missing_is_told_in_one_line(words, said, files, tmp_path, capsys):
    truth, found = files
    assert draw(tmp_path, *(word.format(truth=truth, found=found) for word in words)) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not names(tmp_path)
