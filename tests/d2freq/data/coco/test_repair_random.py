"""The repair of random tangles of faults: nothing goes or changes without being counted."""

import copy
import json
from collections import Counter

import numpy as np
import pytest

from d2freq.data.coco.check import check_loaded
from d2freq.data.coco.repair import repair_coco
from d2freq.data.coco.report import Report

from ...coco_cases import coco

NAN = float("nan")

WRONG = {
    "images": [
        *({"id": value} for value in ("1", 2.0, "x", None)),
        *({"width": value} for value in ("40", 0, NAN, None, 7)),
        {"file_name": ["a"]},
        {"ignore_regions": [[1, 2], [0, 0, 3, 3]]},
    ],
    "annotations": [
        *({"id": value} for value in (0, 1, "3", 4.0, "x", None, 2**70, -5)),
        *({"image_id": value} for value in ("1", 2.0, 9, "x", None)),
        *({"category_id": value} for value in ("1", 1.0, 9)),
        *({"bbox": [1, 2, *wh]} for wh in ((0, 3), (-1, 3), (NAN, 1), (90, 3), (1,), ("3", "4"))),
        *({"bbox": value} for value in ([70, 2, 3, 3], None, "1 2 3 4", [1, 2, 3, True])),
        *({"area": value} for value in (None, NAN, 900, "4", -1)),
        *({"iscrowd": value} for value in (2, "1", None)),
        {"ignore": 1},
        *({"segmentation": value} for value in (None, [], [[1, 2]], [1, 2], "x", {})),
    ],
}


def tangle(seed: int) -> dict:
    """Data with up to eight faults."""
    random = np.random.default_rng(seed)
    boxes = [dict(image_id=i % 4 + 1, bbox=[i, i, 5, 4]) for i in range(1, 13)]
    data = coco(boxes, images=range(1, 5), kinds={1: "ship"}, size=(40, 30))
    for _ in range(random.integers(1, 9)):
        section = "annotations" if random.random() < 0.8 else "images"
        position = random.integers(len(data[section]))
        record = data[section][position]
        what = random.random()
        if what < 0.1:
            data[section].append(copy.deepcopy(record))
        elif what < 0.2 and isinstance(record, dict):
            record.pop(str(random.choice(sorted(record))), None)
        elif what < 0.25:
            data[section][position] = 7
        elif isinstance(record, dict):
            record.update(WRONG[section][random.integers(len(WRONG[section]))])
    return data


@pytest.mark.parametrize("start", range(0, 600, 100))
def test_every_record_stays_or_is_named(start):
    """Records in = records out + records named as dropped, for any tangle of faults."""
    sound = 0
    for seed in range(start, start + 100):
        data = tangle(seed)
        before = copy.deepcopy(data)
        report = Report("tangle.json")
        check_loaded(data, report)
        repaired = repair_coco(data, report)
        assert repr(data) == repr(before), "the input is left alone"
        dropped: Counter = Counter()
        changed: Counter = Counter()
        for change in repaired.changes:
            (dropped if change.dropped else changed)[change.section] += change.count
        for section, records in repaired.data.items():
            assert len(records) + dropped[section] == len(data[section]), (seed, section)
            altered = Counter(map(repr, records)) - Counter(map(repr, data[section]))
            assert altered.total() <= changed[section], (seed, section)
        if not repaired.remaining:
            sound += 1
            again = Report("again.json")
            assert check_loaded(json.loads(json.dumps(repaired.data)), again) is not None
            assert not again.errors and not again.repairs
            assert repair_coco(repaired.data, again).changes == []
    assert sound > 20


def test_two_ids_0_are_numbered_once_each(two_images):
    data = two_images[1]
    for position in (0, 2):
        data["annotations"][position]["id"] = 0
    report = Report("zeros.json")
    check_loaded(data, report)
    repaired = repair_coco(data, report)
    assert [a["id"] for a in repaired.data["annotations"]] == [6, 2, 5, 4]
    assert [change.count for change in repaired.changes] == [1, 1]
