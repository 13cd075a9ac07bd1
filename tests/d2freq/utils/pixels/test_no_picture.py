"""Files that are called pictures and are none: what they are is told."""

import json

import pytest

from d2freq.cli import main
from d2freq.utils.pixels import look_at

from ...coco_cases import coco

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n"


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        (POINTER, "a pointer of Git LFS, whose picture 'git lfs pull' fetches"),
        ("\n<!DOCTYPE html><html></html>", "a web page"),
        ("<HTML>404</HTML>", "a web page"),
        ("nothing known", "cannot identify image file"),
    ],
)
def test_it_is_told_what_the_file_is(tmp_path, text, wish):
    (tmp_path / "1.png").write_text(text)
    look = look_at(str(tmp_path / "1.png"))
    assert look.fault == "unreadable image" and wish in look.reason


def test_a_link_to_nothing_is_not_found_under_its_own_name(tmp_path, capsys):
    (tmp_path / "1.png").symlink_to("objects/ab.png")
    (tmp_path / "gt.json").write_text(json.dumps(coco([{"bbox": [1, 2, 3, 4]}])))
    arguments = [str(tmp_path / "gt.json"), "--images", str(tmp_path)]
    assert main(["validate", *arguments, "--fix", str(tmp_path / "fixed.json")]) == 2
    text = capsys.readouterr().out
    assert "1.png: a link to objects/ab.png, which is not there" in text
    assert "found as" not in text and not (tmp_path / "fixed.json").exists()
