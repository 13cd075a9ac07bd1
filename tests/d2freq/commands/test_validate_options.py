"""``d2freq validate`` with options that do not belong together, and repairs that meet."""

import json

import pytest

from d2freq.cli import main

from ..coco_cases import coco

TRUTH = coco([{"bbox": [38, -3, 9, 9], "area": 99}], kinds={1: "ship"}, size=(40, 30))


@pytest.fixture
def truth(tmp_path):
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(TRUTH))
    return str(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--images {file}", "--images {file}: no such folder"),
        ("--images {folder}/none", "--images {folder}/none: no such folder"),
        ("--against {file} --images {folder} --pairs x", "--other-images is missing"),
        ("--against {file} --pairs x", "--images is missing"),
        ("--against {folder}/gone.json", "--against {folder}/gone.json: no such file"),
        ("--against {file} --other-images {folder}", "--images is missing"),
        ("--images {folder} --other-images {folder}", "--other-images is of --against"),
        ("--images {folder} --pairs x", "--pairs is of --against"),
        ("--against {file} --images {folder} --other-images {folder}/none", "/none: no such"),
    ],
)
def test_options_that_make_no_sense_are_refused(truth, tmp_path, capsys, options, message):
    names = {"file": truth, "folder": str(tmp_path)}
    assert main(["validate", truth, *options.format(**names).split()]) == 2
    assert message.format(**names) in capsys.readouterr().err


def test_an_area_that_the_cut_has_corrected_is_not_changed_again(truth, tmp_path, capsys):
    """The box reaches over two borders, and its area is larger than itself."""
    fixed = tmp_path / "fixed.json"
    assert main(["validate", truth, "--fix", str(fixed)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("fix: ")]
    assert len(lines) == 1
    assert "has bbox [38, 0, 2, 6], was [38, -3, 9, 9]" in lines[0]
    (annotation,) = json.loads(fixed.read_text())["annotations"]
    assert (annotation["bbox"], annotation["area"]) == ([38, 0, 2, 6], 12)
