"""What a terminal cannot print is printed as an escape."""

import io
import json
import sys

import pytest

from d2freq.cli import main

from ..coco_cases import coco


@pytest.mark.parametrize(
    ("encoding", "name", "wish"),
    [
        ("ascii", "船", "\\u8239"),
        ("latin-1", "船 Ü", "\\u8239 Ü"),
        ("utf-8", "\udcff.png", "\\udcff.png"),  # a byte that is no text, as of a file's name
        ("utf-8", "船", "船"),
    ],
)
def test_letters_that_the_terminal_lacks(tmp_path, monkeypatch, encoding, name, wish):
    data = coco([{"bbox": [1, 2, 3, 4], "category_id": 9}], kinds={1: name})
    data["images"][0]["file_name"] = name
    (tmp_path / "gt.json").write_text(json.dumps(data))
    screen = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(["validate", str(tmp_path / "gt.json")]) == 2
    screen.flush()
    assert wish in screen.buffer.getvalue().decode(encoding)
