"""Results as other tools write them: twenty random cases of each form, in every encoding."""

import gzip
import json

import pytest

from d2freq.commands.evaluate import read_guarded
from d2freq.evaluation.coco.guard import DetectionError
from d2freq.evaluation.coco.measure import read_truth
from d2freq.evaluation.protocols import get_protocol
from d2freq.evaluation.results import read_results
from tests.d2freq.evaluation.results.written import (
    BY_ID,
    CLASSES,
    assert_same,
    rows_of,
    stem,
    write_dota,
    write_visdrone,
    write_yolo,
)

CASES = range(20)


@pytest.mark.parametrize("seed", CASES)
def test_random_cases_of_text_files(seed, truth, tmp_path):
    rows = rows_of(seed)
    write_yolo(tmp_path / "run/labels", rows, track=seed % 2)
    assert_same(read_results(tmp_path / "run", truth), rows)
    write_visdrone(tmp_path / "visdrone", rows)
    assert_same(read_results(tmp_path / "visdrone", truth), rows)
    no_blank = [row for row in rows if row[0] != 3]
    if no_blank:
        write_dota(tmp_path / "dota", no_blank, 1 + seed % 2)
        assert_same(read_results(tmp_path / "dota", truth), no_blank)


@pytest.mark.parametrize("seed", CASES)
def test_random_cases_of_json(seed, truth, tmp_path):
    rows = rows_of(seed)
    by_id, by_name, yolo = [], [], []
    for image, kind, *box, score in rows:
        rest = dict(bbox=box, score=score)
        name = stem(BY_ID[image][0])
        number = int(name) if name.isnumeric() else name  # as ultralytics writes it
        by_id.append(dict(image_id=image, category_id=kind, **rest))
        by_name.append(dict(image_id=number, category_id=kind, **rest))
        file_name = BY_ID[image][0].split("/")[-1]
        yolo.append(dict(image_id=number, file_name=file_name, category_id=CLASSES[kind], **rest))
    path = tmp_path / "predictions.json"
    for content in (by_id, by_name, yolo):
        if content is yolo and not any(entry["category_id"] == 0 for entry in yolo):
            continue  # ids from 1 on, as far as anyone can tell
        path.write_text(json.dumps(content))
        assert_same(read_results(path, truth), rows)
        assert_same(read_results(tmp_path, truth), rows)


def test_numbers_of_files_are_no_ids(truth, tmp_path, caplog):
    entry = dict(image_id=7, category_id=2, bbox=[1, 2, 3, 4], score=0.5)
    (tmp_path / "x.json").write_text(json.dumps([entry]))
    assert read_results(tmp_path / "x.json", truth).image_id.tolist() == [23]
    assert "image ids are the numbers of the files" in caplog.text
    (tmp_path / "x.json").write_text(json.dumps([dict(entry, image_id=8)]))
    assert read_results(tmp_path / "x.json", truth).image_id.tolist() == [8]  # the guard names it


def test_class_names_beside_the_files(truth, tmp_path):
    write_yolo(tmp_path / "yolo/labels", [(3, 2, 1, 2, 3, 4, 0.5)])
    (tmp_path / "yolo/data.yaml").write_text("names: {0: Ship, 1: small-vehicle, 2: öltank}\n")
    assert read_results(tmp_path / "yolo", truth).category_id.tolist() == [5]
    found = read_results(tmp_path / "yolo", truth, names="small_vehicle,ship,Öltank")
    assert found.category_id.tolist() == [2]
    with pytest.raises(DetectionError, match="detections of class 'boat'; .* has small vehicle, "):
        read_results(tmp_path / "yolo", truth, names="boat,ship")
    one = tmp_path / "yolo/labels/a b.txt"
    assert len(read_results(one, truth)) == 1


def test_folders_of_runs(truth, tmp_path):
    rows = [(3, 2, 1, 2, 3, 4, 0.5)]
    entry = dict(image_id=3, category_id=2, bbox=[1, 2, 3, 4], score=0.5)
    run = tmp_path / "run"
    write_yolo(run / "yolo/labels", [*rows, *rows])
    for name in ("x_results.json", "detections.json"):
        (run / name).write_text(json.dumps([entry]))
        (run / "run.json").write_text("{}")
        assert_same(read_results(run, truth), rows)
    (run / "detections.json").unlink()
    (run / "y_results.json").write_text("[]")
    with pytest.raises(DetectionError, match="several files of results, x_results.json, y_res"):
        read_results(run, truth)
    with pytest.raises(DetectionError, match="no such file"):
        read_results(tmp_path / "gone.json", truth)
    write_dota(tmp_path / "both", [(13, 2, 1, 2, 3, 4, 0.5)], 1)
    write_dota(tmp_path / "both", [(13, 2, 1, 2, 3, 4, 0.5)], 2)
    with pytest.raises(DetectionError, match="both Task1_ and Task2_"):
        read_results(tmp_path / "both", truth)


def test_evaluate_reads_through_it(truth, tmp_path):
    write_yolo(tmp_path / "run", [(3, 2, 1, 2, 3, 4, 0.5)])
    found = read_guarded(str(tmp_path / "run"), read_truth(truth, get_protocol("aitod")))
    assert found.xywh.tolist() == [pytest.approx([1, 2, 3, 4])]


ENCODED = {
    "plain": str.encode,
    "mark": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "gzip": lambda text: gzip.compress(text.encode()),
}


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("before", [{}, {"segmentation": {"size": [80, 100], "counts": "0"}}])
def test_file_names_go_before_ids_in_every_encoding(encoding, before, truth, tmp_path):
    box = dict(image_id=3, category_id=2, bbox=[1, 2, 3, 4], score=0.5, file_name="0007.jpg")
    path = tmp_path / "predictions.json"
    path.write_bytes(ENCODED[encoding](json.dumps([{**before, **box}], indent=1)))
    assert read_results(path, truth).image_id.tolist() == [23]


def test_an_ending_that_is_none(tmp_path):
    images = [dict(id=4, file_name="img.v2.png", width=9, height=9)]
    data = dict(images=images, annotations=[], categories=[dict(id=1, name="ship")])
    (tmp_path / "gt.json").write_text(json.dumps(data))
    (tmp_path / "Task2_ship.txt").write_bytes(b"img.v2 0.9 1 1 5 5\r\n\r\n")
    assert read_results(tmp_path, tmp_path / "gt.json").image_id.tolist() == [4]
