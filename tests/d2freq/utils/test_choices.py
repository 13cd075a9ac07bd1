"""Names that are none of those known."""

import pytest

from d2freq.errors import UserError
from d2freq.utils.choices import choice, did_you_mean


def test_a_known_value_comes_back_and_another_is_refused_with_key_value_and_choices() -> None:
    assert choice("sgd", {"sgd": 1, "adam": 2}, key="OPTIMIZER") == "sgd"
    assert choice(2, (1, 2), key="alignments") == 2
    with pytest.raises(UserError, match=r"^NORM: 'XX' is unknown; choose one of '', GN$"):
        choice("XX", ("", "GN"), key="NORM")
    with pytest.raises(UserError, match=r"^NORM: \['GN'\] is unknown"):
        choice(["GN"], {"GN": None}, key="NORM")  # what no dictionary could look up


def test_the_nearest_names_are_told() -> None:
    known = ["aitod", "aitod-v2", "coco"]
    assert did_you_mean("aitood", known) == "; did you mean aitod?"
    assert did_you_mean("aitood", known, n=2) == "; did you mean aitod, aitod-v2?"
    assert did_you_mean("pascal", known) == ""
    assert did_you_mean("pascal", ["xyz"], cutoff=0) == "; did you mean xyz?"
