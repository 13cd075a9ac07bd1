"""What is reported of a measurement: the keys, the means, and tables of readable width."""

import json
import math

import numpy as np
import pytest

from d2freq.evaluation import get_protocol
from d2freq.evaluation.coco.guard import Detections
from d2freq.evaluation.coco.measure import Measurement, check_truth, measure

from ...coco_cases import coco

SIDES = [(8, 8), (10, 12), (20, 20), (40, 40)]  # one in each of aitod's sizes
KINDS = (3, 6, 9, 12)


def measured(scores: dict[int, list[float]], protocol: str = "aitod") -> Measurement:
    """Three categories have the same four boxes; ``scores`` of exact detections, in their order."""
    boxes = [(60 * n + 1, 5, *side) for n, side in enumerate(SIDES)]
    objects = [dict(image_id=7, category_id=k, bbox=box) for k in KINDS[:3] for box in boxes]
    content = coco(objects, images=(7,), kinds=KINDS, size=(256, 256))
    found = [
        (kind, box, score)
        for kind, own in scores.items()
        for box, score in zip(boxes[: len(own)], own, strict=True)
    ]
    detections = Detections(
        np.full(len(found), 7),
        np.array([kind for kind, _, _ in found], np.int64),
        np.array([box for _, box, _ in found], np.float64).reshape(-1, 4),
        np.array([score for _, _, score in found], np.float64),
    )
    rules = get_protocol(protocol)
    return measure(check_truth(content, rules, "gt.json"), detections, rules, name="gt.json")


def rows_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def test_olrp_is_the_mean_of_the_categories_in_percent(tmp_path):
    """One category perfect, one found by half, one not at all, one without ground truth."""
    found = measured({3: [0.9, 0.8, 0.7, 0.6], 6: [0.5, 0.25]})
    box = found.results
    # with exact boxes and no false alarm oLRP is what is missed: 0 of 4, 2 of 4, 4 of 4
    assert box["oLRP"] == box["oLRP_FN"] == pytest.approx(50.0)
    assert box["oLRP_Loc"] == box["oLRP_FP"] == pytest.approx(0.0)  # of the two that found some
    saved = json.loads(found.save(tmp_path / "new").read_text())
    rows = saved["per_category"]
    assert [rows[f"kind{kind}"]["oLRP"] for kind in KINDS] == [0.0, 50.0, 100.0, None]
    thresholds = [rows[f"kind{kind}"]["oLRP_threshold"] for kind in KINDS]
    assert thresholds == [0.6, 0.25, None, None]
    assert saved["bbox"]["AP-kind12"] is None and math.isnan(box["AP-kind12"])
    assert "oLRP_threshold" not in box and "lower is better" in found.text


def test_sizes_stand_in_the_columns_of_their_names():
    """Only the first box of each category is found, which is 8 x 8: very tiny, and tiny."""
    box = measured({kind: [0.5] for kind in KINDS[:3]}).results
    sizes = {key: box[key] for key in ("ARvt", "ARt", "ARs", "ARm", "AR@100")}
    assert sizes == {"ARvt": 100.0, "ARt": 50.0, "ARs": 0.0, "ARm": 0.0, "AR@100": 25.0}


def test_tables_hold_each_category_in_rows_of_readable_width():
    rows = rows_of(measured({3: [0.9]}).text)
    assert sum("kind3" in row for row in rows) == 4  # precision, recall, oLRP, F1
    heads = [row for row in rows if "AP75" in row or "AR@1500" in row or "oLRP_FN" in row]
    assert len(heads) == 6 and max(map(len, rows)) <= 100


def test_a_protocol_of_few_overlaps_reports_sizes_at_each():
    scores = {kind: [0.9] * 4 for kind in KINDS[:3]}
    found = measured(scores, "tinyperson")
    box = found.results
    keys = ("AP25", "AP50tiny1", "AP75tiny", "AP50reasonable")
    assert [box[key] for key in keys] == pytest.approx([100.0] * 4)
    assert not any(key.startswith("oLRP") for key in box)
    assert "AP50t" not in measured(scores).results
    rows = rows_of(found.text)
    assert max(map(len, rows)) <= 110
    printed = [word for row in rows if "AP" in row for word in row.split() if word[:2] == "AP"]
    assert sorted(set(printed)) == sorted(k for k in box if k.startswith("AP") and "-" not in k)


@pytest.mark.parametrize("protocol", ["aitod", "visdrone", "tinyperson", "soda-d", "coco"])
def test_every_protocol_is_reported_and_saved(protocol, tmp_path):
    found = measured({3: [0.9, 0.8], 6: []}, protocol)
    saved = json.loads(found.save(tmp_path).read_text())
    rules = get_protocol(protocol)
    assert saved["protocol"] == protocol and saved["max_dets"] == list(rules.max_dets)
    assert saved["precision_at"] in rules.max_dets
    assert list(saved["bbox"])[0] == "AP" and 0 < saved["bbox"]["AP"] < 100
