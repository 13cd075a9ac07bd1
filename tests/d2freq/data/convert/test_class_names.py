"""Names of classes from YAML stay the text that is written there."""

import pytest

from d2freq.data.convert.class_names import read_names
from d2freq.errors import UserError


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [no, yes]", ["no", "yes"]),
        ("names: {0: off, 1: on, 2: ~}", ["off", "on", "~"]),
        ("names:\n  1: 1.0\n  0: 2026-01-02\n", ["2026-01-02", "1.0"]),
        ("nc: 2\nnames: ['007', 1e3]", ["007", "1e3"]),
    ],
)
def test_names_are_text(text, names, tmp_path):
    (tmp_path / "data.yaml").write_text(text)
    assert read_names(tmp_path / "data.yaml") == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("names: {0: a, 2: b}", r"numbered \[0, 2\], expected 0, 1, 2, .*name the missing"),
        ("names: [[a], b]", "a name is .'a'., no text"),
        ("names: {a: b}", r"numbered \[a\]"),
        ("nc: 1", "no 'names'"),
    ],
)
def test_what_is_no_list_of_names(text, said, tmp_path):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(UserError, match=said):
        read_names(tmp_path / "data.yaml")
