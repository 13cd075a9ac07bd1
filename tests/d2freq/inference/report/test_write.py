"""What a page says, against plain counts, and that nothing in it can run."""

import logging
import re
from dataclasses import replace

import numpy as np
import pytest

from d2freq.errors import UserError
from d2freq.evaluation import get_protocol
from d2freq.evaluation.coco.judge import HIT, MISS, judge
from d2freq.inference.detections import Detections, Picture, PictureResult
from d2freq.inference.outputs.coco import join_detections
from d2freq.inference.outputs.run_info import RunInfo
from d2freq.inference.report import write_report

from .cases import CLASSES, EVIL, made_run, page_data, truth_of


@pytest.fixture
def made(tmp_path):
    return made_run(tmp_path)


def test_counts_at_every_step_of_the_slider(made, tmp_path):
    results, run, _ = made
    data = page_data(write_report(results, tmp_path / "report.html", run))
    found = join_detections(results, run)
    judged = judge(run.truth, found, get_protocol("aitod"))
    rows, objects = np.array(data["counts"]), np.array(data["truth"]["objects"])
    for step in range(101):
        kept = found.score >= step / 100
        for kind in (0, 1):
            own = kept & (found.category_id == kind + 1)
            sums = rows[(rows[:, 1] >= step) & (rows[:, 0] == kind), 3:].sum(0)
            assert sums[:2].tolist() == [(judged.state[own] == s).sum() for s in (HIT, MISS)]
            chosen = (objects[:, 1] < step) & (objects[:, 0] == kind)
            missed = judged.counted & (judged.found_at < step / 100)
            missed &= run.truth.category_id == kind + 1
            assert objects[chosen, 3].sum() == missed.sum()


def test_pictures_hold_what_is_drawn(made, tmp_path):
    results, run, content = made
    data = page_data(write_report(results, tmp_path / "report.html", run))
    assert [p["name"] for p in data["pictures"]] == [r.picture.name for r in results]
    for picture, result in zip(data["pictures"], results, strict=True):
        boxes = np.array(picture["boxes"]).reshape(-1, 6)
        assert boxes[:, :4] == pytest.approx(result.detections.boxes, abs=0.051)
        assert boxes[:, 5] / 1e4 == pytest.approx(result.detections.scores, abs=2e-4)
        assert picture["judged"] and len(picture["state"]) == len(boxes)
        own = [
            a["bbox"] for a in content["annotations"] if a["image_id"] == result.picture.image_id
        ]
        objects = np.array(picture["objects"]).reshape(-1, 6)
        assert objects[:, 2] - objects[:, 0] == pytest.approx([box[2] for box in own])
        missed = (objects[:, 5] < 0).sum()
        assert missed == result.picture.image_id  # as the run was made


def test_nothing_but_the_pages_own_script_can_run(made, tmp_path):
    results, run, _ = made
    text = write_report(results, tmp_path / "report.html", run).read_text("utf-8")
    assert EVIL not in text and "<script>document" not in text
    scripts = re.findall(r"<script([^>]*)>", text)
    plain = [attributes for attributes in scripts if "application/json" not in attributes]
    assert len(plain) == 1
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy
    assert not re.search(r'(?:src|href)="(?!data:)', text) and "http" not in policy


def test_without_ground_truth_nothing_is_judged(tmp_path):
    results, run, _ = made_run(tmp_path, truth=False)
    data = page_data(write_report(results, tmp_path / "report.html", run))
    assert "truth" not in data and data["score"] == 0.3
    rows = np.array(data["counts"])
    assert rows[:, 3:5].sum() == 0
    assert rows[:, 5].sum() == sum(len(result.detections) for result in results)
    assert not any(picture["judged"] for picture in data["pictures"])


def test_the_hardest_pictures_are_shown_and_the_page_says_how_many_are_not(made, tmp_path):
    results, run, _ = made
    data = page_data(write_report(results, tmp_path / "report.html", run, pictures=2))
    assert [p["name"] for p in data["pictures"]] == ["p3.png", "p4.png"]
    assert data["searched"] == 4
    whole = page_data(write_report(results, tmp_path / "whole.html", run))
    assert data["counts"] == whole["counts"] and data["truth"] == whole["truth"]


def test_pixels_are_bounded(tmp_path):
    results, run, _ = made_run(tmp_path, size=(480, 360))
    path = write_report(results, tmp_path / "report.html", run)
    bare = write_report(results, tmp_path / "bare.html", replace(run, read=None))
    bound = write_report(results, tmp_path / "bound.html", run, pixel_bytes=500_000)
    sizes = [file.stat().st_size for file in (bare, bound, path)]
    assert sizes[0] < sizes[1] < sizes[2] and sizes[1] - sizes[0] < 510_000 < sizes[2] - sizes[0]
    assert not any("shown_width" in picture for picture in page_data(bare)["pictures"])


def test_a_picture_that_is_gone_is_shown_without_pixels(made, tmp_path, caplog):
    results, run, _ = made
    (tmp_path / "2.png").unlink()
    data = page_data(write_report(results, tmp_path / "report.html", run))
    assert ["shown_width" in picture for picture in data["pictures"]] == [True, False, True, True]
    (record,) = caplog.records
    assert record.message.startswith("1 of 4 pictures are shown without their pixels: ")
    assert "2.png: no such image" in record.message


def test_failures_are_told_and_count_nowhere(made, tmp_path):
    results, run, _ = made
    picture = replace(results[1].picture, width=0, height=0)
    broken = PictureResult(picture, Detections.none(CLASSES), "cut off")
    data = page_data(write_report([results[0], broken], tmp_path / "report.html", run))
    assert data["failures"] == [["p2.png", "cut off"]] and data["searched"] == 1
    assert data["truth"]["curves"][0]["objects"] == 10  # those of the picture that was searched


def test_pictures_without_ground_truth_are_neither_right_nor_wrong(made, tmp_path, caplog):
    results, run, content = made
    part = {**content, "images": content["images"][:2]}
    part["annotations"] = [a for a in content["annotations"] if a["image_id"] < 3]
    with caplog.at_level(logging.WARNING):
        known = replace(run, truth=truth_of(part))
        data = page_data(write_report(results, tmp_path / "report.html", known))
    assert [record.message for record in caplog.records] == [
        "2 of 4 pictures have no ground truth, as p3.png: nothing on them is right or wrong"
    ]
    assert [picture["judged"] for picture in data["pictures"]] == [True, True, False, False]
    assert set(data["pictures"][2]["state"]) == {"2"} and data["pictures"][2]["objects"] == []
    alone = page_data(write_report(results[:2], tmp_path / "two.html", known))
    assert alone["truth"] == data["truth"]


def test_ids_in_another_order_than_names(tmp_path):
    """A model may have its classes in any order of ids; the page goes by ids."""
    results, run, content = made_run(tmp_path)
    flipped = [
        replace(r, detections=replace(r.detections, classes=1 - r.detections.classes))
        for r in results
    ]
    other = replace(run, names=CLASSES[::-1], category_ids=(2, 1))
    one = page_data(write_report(results, tmp_path / "one.html", run))
    two = page_data(write_report(flipped, tmp_path / "two.html", other))
    assert one == two


def test_classes_of_another_ground_truth_are_refused(made, tmp_path):
    results, run, _ = made
    strange = replace(run, category_ids=(1, 5))
    with pytest.raises(UserError, match="has the categories .* the detections .*5: "):
        write_report(results, tmp_path / "report.html", strange)
    assert not (tmp_path / "report.html").exists()


def test_a_run_that_found_nothing_has_a_page(tmp_path):
    results = [PictureResult(Picture("a.png", "a.png", 9, 9, 1), Detections.none(CLASSES))]
    data = page_data(write_report(results, tmp_path / "report.html", RunInfo(CLASSES)))
    assert data["counts"] == [] and len(data["pictures"]) == 1
