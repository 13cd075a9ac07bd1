"""Numbers out of their range are refused by name, value and range."""

import numpy as np
import pytest

from d2freq.errors import UserError
from d2freq.utils.numbers import in_range, pair_in_range


@pytest.mark.parametrize("value", [0, 1.0, 3, np.float64(2), np.int64(3)])
def test_numbers_within_pass(value):
    in_range(value, 0, 3, key="KEY", what="pixels")
    pair_in_range((value, 3), 0, 3, key="KEY", what="pixels")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(float("nan"), "nan"), (float("inf"), "inf"), (-1, "-1"), (4.5, "4.5"), ("2", "'2'")]
    + [(None, "None"), (True, "True"), (10**30, "1" + 30 * "0")],
)
def test_others_are_named_with_the_range(value, shown):
    with pytest.raises(UserError, match=f"^KEY {shown}: pixels, 0 to 3$"):
        in_range(value, 0, 3, key="KEY", what="pixels")


@pytest.mark.parametrize(
    ("values", "shown"),
    [((2, 1), "2 1"), ((1,), "1"), ((1, float("nan")), "1 nan"), (7, "7"), ("12", "'12'")]
    + [((1, 2, 3), "1 2 3"), ((1, "2"), "1 '2'"), ((), "")],
)
def test_what_is_no_pair_is_named(values, shown):
    with pytest.raises(UserError, match=f"^KEY {shown}: pixels, two numbers of 0 to 3, the smal"):
        pair_in_range(values, 0, 3, key="KEY", what="pixels")
