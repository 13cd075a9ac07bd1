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


@pytest.mark.parametrize("what", ["coco-to-voc", "results"])
def test_a_name_whose_bytes_are_no_text_is_named(tmp_path, capsys, what):
    data = coco([{"bbox": [1, 2, 3, 4]}])
    data["images"][0]["file_name"] = "\udcff.png"
    (tmp_path / "gt.json").write_text(json.dumps(data))
    entry = dict(image_id=1, category_id=1, bbox=[1, 2, 3, 4], score=0.5)
    (tmp_path / "found.json").write_text(json.dumps([entry]))
    truth, out = str(tmp_path / "gt.json"), str(tmp_path / "out")
    words = {
        "coco-to-voc": [truth, "--output", out],
        "results": [str(tmp_path / "found.json"), out, "--ground-truth", truth, "--format", "csv"],
    }
    assert main(["convert", what, *words[what]]) == 2
    error = capsys.readouterr().err
    assert "\\udcff" in error and "cannot be written as text; rename that file" in error
