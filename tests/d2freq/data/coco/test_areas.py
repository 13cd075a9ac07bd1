"""An ``area`` far from its box: said, and neither validate nor a protocol goes by it."""

import json

import pytest

from d2freq.analysis.box_sizes import read_sizes
from d2freq.cli import main
from d2freq.evaluation.coco.guard import guard_ground_truth
from d2freq.evaluation.protocols import get_protocol
from tests.d2freq.coco_cases import coco

BOX = [10, 10, 20, 20]
THIN = [[10, 10, 29, 30, 30, 29, 11, 10]]  # a diagonal of a pixel or two
# area, segmentation, how it is taken, severity
CASES = {
    "in another unit": (0.05, [], 400, "note: area far smaller than the box (1)"),
    "normalised": (400 / 8000, [], 400, "note: area far smaller"),
    "of the width": (20, [], 400, "note: area far smaller"),
    "polygon that differs": (0.5, [[10, 10, 30, 10, 30, 30]], 400, "note: area far smaller"),
    "thin polygon": (19, THIN, 19, ""),
    "of a mask": (120, [], 120, ""),
    "of another scale": (400 * 64, [], 400, "repair: area far larger than the box (1)"),
    "a row too many": (21 * 21, [], 21 * 21, "repair: area larger than the box (1)"),
}


@pytest.mark.parametrize("case", CASES)
def test_taken_and_said(case, tmp_path, capsys):
    area, outline, taken, said = CASES[case]
    data = coco([{"bbox": BOX, "area": area, "segmentation": outline}], size=(100, 80))
    truth = guard_ground_truth(data, get_protocol("aitod"), "truth.json")
    assert truth.area.tolist() == [taken]
    assert read_sizes(data).area.tolist() == [taken]
    file, fixed = tmp_path / "truth.json", tmp_path / "fixed.json"
    file.write_text(json.dumps(data))
    main(["validate", str(file)])
    out = capsys.readouterr().out
    assert said in out if said else "area" not in out.split("sizes by protocol")[0]
    assert main(["validate", str(file), "--fix", str(fixed)]) == 0
    mended = json.loads(fixed.read_text())["annotations"][0]["area"]
    assert mended == (400 if said else area)
    assert ("fix: changed 1 annotation, area" in capsys.readouterr().out) is bool(said)
