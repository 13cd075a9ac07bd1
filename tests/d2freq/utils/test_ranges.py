"""Ranges of numbers: what lies in them, and how messages name them."""

import numpy as np
import pytest

from d2freq.errors import UserError
from d2freq.utils.ranges import (
    ALPHA,
    ANY,
    COUNT,
    FROM_ZERO,
    PART,
    POSITIVE,
    SHARE,
    WEIGHT,
    Range,
    check_ranges,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("allowed", "inside", "outside"),
    [
        (ANY, [-3, 0.5, np.float32(2)], [NAN, INF, -INF, None, "1", True, [1]]),
        (WEIGHT, [0, 0.0, 2.5], [-1e-9, INF, NAN]),
        (POSITIVE, [1e-9, 3], [0, -1, INF]),
        (PART, [0.1, 1], [0, 1.1]),
        (SHARE, [0, 0.3, 1], [-0.1, 1.1, NAN]),
        (ALPHA, [0, 1, -1, -1.0], [-0.5, 2]),
        (COUNT, [1, 3000, np.int64(4)], [0, -1, 1.0, True]),
        (FROM_ZERO, [0, 9], [-1, 0.5]),
    ],
)
def test_what_lies_in_a_range(allowed, inside, outside):
    assert all(value in allowed for value in inside)
    assert not any(value in allowed for value in outside)


def test_ranges_in_words():
    words = [
        str(each) for each in (ANY, WEIGHT, POSITIVE, PART, SHARE, COUNT, ALPHA, Range(high=3))
    ]
    assert words == [
        "a finite number",
        "a finite number from 0 on",
        "a finite number above 0",
        "a finite number above 0 and at most 1",
        "a finite number from 0 to 1",
        "a whole number from 1 on",
        "a finite number from 0 to 1, or -1 for no weights",
        "a finite number to 3",
    ]


def test_the_first_value_out_of_its_range_is_told():
    ranges = {"TOPK": COUNT, "LOC_WEIGHT": WEIGHT}
    check_ranges({"TOPK": 9, "LOC_WEIGHT": 0.0, "OTHER": NAN}, ranges, section="MODEL.ATSS")
    with pytest.raises(UserError, match=r"^MODEL\.ATSS\.TOPK: got 0; give a whole number from 1 o"):
        check_ranges({"TOPK": 0, "LOC_WEIGHT": NAN}, ranges, section="MODEL.ATSS")
