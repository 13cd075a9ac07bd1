"""YOLO's, VisDrone's and Label Studio's files against the boxes that went in."""

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import yaml

from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs import RunInfo, write_outputs

from ..cases import NAMES, found, picture, three_pictures


def boxes_of(rows: np.ndarray) -> np.ndarray:
    """Corners from columns left, top, width, height."""
    return np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:4]])


def test_yolo_comes_back_as_shares_of_the_picture(tmp_path):
    results = three_pictures()
    (root,) = write_outputs(results, tmp_path, RunInfo(NAMES), ["yolo"])
    rows = np.loadtxt(root / "labels/a/scene.txt", ndmin=2)
    centre, size = rows[:, 1:3] * (200, 100), rows[:, 3:5] * (200, 100)
    boxes = np.hstack([centre - size / 2, centre + size / 2])
    assert boxes == pytest.approx(results[0].detections.boxes, abs=1e-5)
    assert rows[:, 0].tolist() == [0, 1] and rows[:, 5].tolist() == [0.9, 0.25]
    assert (root / "labels/b/scene.txt").read_text() == ""
    # the picture that could not be read has no labels, which is not the same as none found
    assert len(list(root.rglob("*.txt"))) == 2
    assert yaml.safe_load((root / "data.yaml").read_text())["names"] == {0: "ship", 1: "person"}


def test_yolo_cuts_boxes_at_the_border(tmp_path):
    result = PictureResult(picture("a.png", 1), found((-10, 50, 20, 120, 0.5, 0)))
    (root,) = write_outputs([result], tmp_path, RunInfo(NAMES), ["yolo"])
    row = np.loadtxt(root / "labels/a.txt")
    assert row[1:5] == pytest.approx([0.05, 0.75, 0.1, 0.5])


def test_visdrone_comes_back(tmp_path):
    results = three_pictures()
    run = RunInfo(NAMES, category_ids=(4, 1))
    (root,) = write_outputs(results, tmp_path, run, ["visdrone"])
    rows = np.loadtxt(root / "a/scene.txt", delimiter=",", ndmin=2)
    assert boxes_of(rows) == pytest.approx(results[0].detections.boxes, abs=1e-3)
    assert rows[:, 4:].tolist() == [[0.9, 4, -1, -1], [0.25, 1, -1, -1]]
    assert (root / "b/scene.txt").read_text() == ""


def test_label_studio_comes_back_in_percent(tmp_path):
    names = ('a "b" <c> & d', "person")
    results = three_pictures(names)
    tasks, config = write_outputs(results, tmp_path, RunInfo(names), ["label-studio"])
    one, other = json.loads(tasks.read_text())
    assert one["data"]["image"] == "/data/local-files/?d=a/scene.png"
    regions = one["predictions"][0]["result"]
    values = [region["value"] for region in regions]
    rows = np.array([[v[key] for key in ("x", "y", "width", "height")] for v in values])
    rows *= np.array([200, 100, 200, 100]) / 100
    assert boxes_of(rows) == pytest.approx(results[0].detections.boxes)
    assert values[0]["rectanglelabels"] == [names[0]] and regions[1]["score"] == 0.25
    assert other["predictions"][0]["result"] == []
    labels = ElementTree.parse(config).iter("Label")  # well-formed whatever a class is called
    assert [label.get("value") for label in labels] == list(names)


def test_label_studio_names_files_by_url_and_leaves_out_frames(tmp_path):
    results = [
        PictureResult(picture("an image#1.png", 1)),
        PictureResult(picture("film.mp4/000003", 2, frame=3)),
    ]
    tasks, _ = write_outputs(results, tmp_path, RunInfo(NAMES), ["label-studio"])
    (task,) = json.loads(tasks.read_text())
    assert task["data"]["image"] == "/data/local-files/?d=an%20image%231.png"
