"""COCO's files: read back by pycocotools, by our own reader, and measured by d2freq evaluate."""

import json

import numpy as np
import pytest
from pycocotools.coco import COCO

from d2freq.cli import main
from d2freq.evaluation.coco.detections_file import read_detections
from d2freq.inference.outputs import RunInfo, write_outputs

from ..cases import NAMES, three_pictures


@pytest.fixture
def files(tmp_path):
    run = RunInfo(NAMES, category_ids=(4, 2), title="demo")
    return write_outputs(three_pictures(), tmp_path, run, ["coco"])


def test_results_read_back_to_the_bit(files):
    back = read_detections(files[0])
    assert back.image_id.tolist() == [7, 7] and back.category_id.tolist() == [4, 2]
    assert back.xywh.tolist() == [[10.25, 20.5, 8.5, 10.5], [0, 0, 5, 4]]
    assert back.score.tolist() == [0.9, 0.25]


def test_pycocotools_reads_results_and_names(files, capsys):
    truth = COCO(str(files[1]))
    found = truth.loadRes(str(files[0]))
    assert {i: kind["name"] for i, kind in truth.cats.items()} == {4: "ship", 2: "person"}
    # the picture that could not be read is none of them
    assert {image["file_name"] for image in truth.imgs.values()} == {"a/scene.png", "b/scene.png"}
    assert [a["bbox"] for a in found.anns.values()] == [a["bbox"] for a in truth.anns.values()]
    assert [a["score"] for a in truth.anns.values()] == [0.9, 0.25]


def test_detections_measured_against_themselves_are_all_right(files, capsys):
    assert main(["evaluate", str(files[1]), str(files[0]), "--protocol", "coco"]) == 0
    assert "100.00" in capsys.readouterr().out


def test_a_run_that_found_nothing_is_an_empty_list(tmp_path):
    results = three_pictures()[1:]
    paths = write_outputs(results, tmp_path, RunInfo(NAMES), ["coco"])
    assert json.loads(paths[0].read_text()) == []
    assert np.isfinite(read_detections(paths[0]).xywh).all()
    assert [k["id"] for k in json.loads(paths[1].read_text())["categories"]] == [1, 2]
