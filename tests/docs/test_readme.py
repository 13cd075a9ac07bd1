"""README: its script for a Detectron2 project runs to the end, and its commands have such words."""

import re
import shlex

import pytest

from d2freq import cli

from .pages import ROOT, blocks_of

README = (ROOT / "README.md").read_text("utf-8")
# of all pages that a new user reads first
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def test_hs_fpn_in_a_script_of_ones_own_runs_to_the_end(page_folder, capsys):
    scripts = [block.text for block in blocks_of(README) if block.language == "python"]
    (script,) = [text for text in scripts if "build_resnet_hsfpn_backbone" in text]
    assert cli.main("generate scenes --train 1 --val 4 --size 96 --workers 1".split()) == 0
    capsys.readouterr()
    names: dict = {}
    exec(compile(script, "README.md", "exec"), names)
    assert type(names["found"]).__name__ == "Instances"
    assert len(names["found"].pred_boxes.tensor) == len(names["found"].scores)
    assert "tensor(" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_have_words_that_the_parser_knows(page):
    lines = [
        shlex.split(line.replace("| scontrol", "").split(" || ")[0], comments=True)
        for block in blocks_of(page.read_text("utf-8"))
        if block.language in ("bash", "console")
        for line in block.text.replace("\\\n", " ").splitlines()
        if line.startswith("d2freq ")
    ]
    for words in lines:
        try:
            cli.build_parser().parse_args(words[1:])
        except SystemExit as error:
            assert error.code == 0, f"{page.name}: {shlex.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_one_way_to_call_the_command(page):
    assert not re.search(r"\.venv/bin/d2freq|\.venv\\Scripts\\d2freq", page.read_text("utf-8"))
