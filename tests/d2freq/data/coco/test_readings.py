"""Boxes that were written as corners or shares: said with the evidence, changed only when asked."""

import json

import numpy as np
import pytest

from d2freq.cli import main
from d2freq.commands import validate
from d2freq.data.coco.readings import READINGS, suspect
from d2freq.evaluation.coco.guard import guard_ground_truth
from d2freq.evaluation.protocols import get_protocol
from tests.d2freq.coco_cases import coco

BOXES = [[60, 50, 12, 10], [40, 30, 20, 20], [80, 10, 15, 8], [5, 60, 6, 10], [70, 70, 9, 9]]


def as_corners(x, y, w, h):
    return [x, y, x + w, y + h]


def as_shares(x, y, w, h):
    return [x / 100, y / 80, w / 100, h / 80]


def as_corner_shares(x, y, w, h):
    return as_shares(*as_corners(x, y, w, h))


WRITTEN = {"corners": as_corners, "shares": as_shares, "corner-shares": as_corner_shares}


def write(folder, boxes):
    data = coco([{"bbox": box} for box in boxes], size=(100, 80))
    (folder / "truth.json").write_text(json.dumps(data))
    return data, ["validate", str(folder / "truth.json")]


@pytest.mark.parametrize("reading", WRITTEN)
def test_the_hint_and_the_repair_that_is_asked_for(reading, tmp_path, capsys):
    data, words = write(tmp_path, [WRITTEN[reading](*box) for box in BOXES])
    assert main(words) == 2
    out = capsys.readouterr().out
    assert "repair: boxes that fit otherwise (5)" in out and f"--boxes {reading}" in out
    fix = [*words, "--fix", str(tmp_path / "fixed.json")]
    assert main(fix) == 2  # no box is cut before it is known how to read it
    said = capsys.readouterr()
    assert "cannot be repaired: boxes that fit otherwise" in said.out and "not written" in said.err
    assert main([*fix, "--boxes", reading]) == 0
    assert "fix: changed 5 annotations, boxes that fit otherwise" in capsys.readouterr().out
    fixed = json.loads((tmp_path / "fixed.json").read_text())["annotations"]
    assert np.allclose([a["bbox"] for a in fixed], BOXES)
    assert np.allclose([a["area"] for a in fixed], [w * h for *_, w, h in BOXES])
    truth = guard_ground_truth(data, get_protocol("aitod"), "truth.json")
    assert any("read as" in fault.cure for fault in truth.report.repairs)


def test_the_share_that_leaves_is_said(tmp_path, capsys):
    _, words = write(tmp_path, [*map(lambda b: as_corners(*b), BOXES * 4), [1, 1, 5, 5]])
    main(words)
    assert "% of the boxes leave their image; read as corners" in capsys.readouterr().out


def test_kept_as_they_are_written(tmp_path, capsys):
    _, words = write(tmp_path, [as_corners(*box) for box in BOXES])
    assert main([*words, "--fix", str(tmp_path / "fixed.json"), "--boxes", "xywh"]) == 0
    assert "box over the border" in capsys.readouterr().out


def test_corners_that_fit_are_read_where_asked(tmp_path):
    corners = [as_corners(*box) for box in ([5, 5, 9, 9], [8, 4, 20, 30], [20, 20, 7, 7])]
    _, words = write(tmp_path, corners)
    assert main(words) == 0
    assert main([*words, "--fix", str(tmp_path / "fixed.json"), "--boxes", "corners"]) == 0
    fixed = json.loads((tmp_path / "fixed.json").read_text())["annotations"]
    assert [a["bbox"] for a in fixed] == [[5, 5, 9, 9], [8, 4, 20, 30], [20, 20, 7, 7]]


def test_sound_boxes_are_not_suspected():
    rng = np.random.default_rng(0)
    sizes = np.tile([100.0, 80.0], (200, 1))
    boxes = np.hstack([rng.random((200, 2)) * [90, 70], rng.random((200, 2)) * 30 + 1])
    assert suspect(boxes, sizes) == ("", "")  # though some leave their image
    assert suspect(np.array([[50.0, 50, 90, 70]]), sizes[:1]) == ("", "")  # one slip


def test_the_option_has_all_readings():
    assert validate.BOXES == ("xywh", *READINGS)


def test_boxes_is_of_fix(tmp_path, capsys):
    _, words = write(tmp_path, BOXES)
    assert main([*words, "--boxes", "corners"]) == 2
    assert "--boxes is of --fix" in capsys.readouterr().err
