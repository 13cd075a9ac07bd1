"""A file given to the wrong command is named with the right one."""

import json

import pytest

from d2freq.cli import main
from d2freq.data.convert.recognise import hint, recognise
from d2freq.data.own import find_own_data
from d2freq.errors import UserError

FILES = {
    "labelme": ("a.json", {"version": "5", "shapes": [], "imagePath": "a.jpg"}),
    "cvat": ("b.xml", "<annotations><version>1.1</version><meta/></annotations>"),
    "via": ("c.json", {"a.jpg9": {"filename": "a.jpg", "size": 9, "regions": []}}),
    "createml": ("d.json", [{"image": "a.jpg", "annotations": []}]),
    "labelstudio": ("e.json", [{"id": 1, "data": {"image": "a.jpg"}, "annotations": []}]),
    "voc": ("f.xml", "<annotation><object><name>a</name></object></annotation>"),
    "yolo": ("g.txt", "0 0.5 0.5 0.1 0.1\n"),
    "coco": ("h.json", {"images": [], "annotations": [], "categories": []}),
    "results": ("i.json", [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 1, 1], "score": 1}]),
}


@pytest.fixture
def put(tmp_path):
    def write(word):
        name, content = FILES[word]
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
        return tmp_path / name

    return write


@pytest.mark.parametrize("word", FILES)
def test_each_is_known(put, word):
    path = put(word)
    assert recognise(path) == word
    assert recognise(path.parent) == word
    assert hint(path).startswith("; it looks like ")


def test_what_nobody_knows_is_nothing(tmp_path):
    for name, text in (("a.json", "{"), ("b.json", "3"), ("c.txt", "hello"), ("d.xml", "<x")):
        (tmp_path / name).write_text(text)
        assert recognise(tmp_path / name) == hint(tmp_path / name) == ""
    assert recognise(tmp_path / "gone.json") == ""


WRONG = [
    (command, word)
    for command in ("validate", "convert tiles", "convert cvat", "convert via")
    for word in ("labelme", "createml", "labelstudio", "via", "results")
    if command != f"convert {word}"
]


@pytest.mark.parametrize(("command", "word"), WRONG)
def test_wrong_commands_say_the_right_one(put, word, command, tmp_path, capsys):
    words = [*command.split(), str(put(word))]
    if command != "validate":
        words += ["--output", str(tmp_path / "out.json")]
    if command not in ("validate", "convert cvat"):
        words += ["--images", str(tmp_path)]
    assert main(words) == 2
    captured = capsys.readouterr()
    right = "d2freq evaluate" if word == "results" else f"d2freq convert {word}"
    assert right in captured.err + captured.out


def test_training_on_such_a_folder_says_it_too(put, tmp_path):
    put("voc")
    with pytest.raises(UserError, match="looks like Pascal VOC's XML: 'd2freq convert voc'"):
        find_own_data(tmp_path, work=tmp_path / "work")
