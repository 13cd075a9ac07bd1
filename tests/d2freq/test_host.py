"""The choice of the host in a new process: what Python finds, and what D2FREQ_HOST asks for."""

import os

import pytest

from ..process import ROOT, output_of_python, run_python

# The file alone: `import d2freq` would go on to import what the chosen host has.
CHOOSE = 'import runpy; print(runpy.run_path("d2freq/host.py")["choose_host"]())'


@pytest.fixture
def environment(tmp_path):
    """Variables of a process that finds no Detectron2, unless ``tmp_path`` holds one."""
    return {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)]), "D2FREQ_HOST": "auto"}


def test_a_detectron2_on_the_path_wins_unless_minid2_is_asked_for(environment, tmp_path):
    (tmp_path / "detectron2.py").touch()
    assert output_of_python("-c", CHOOSE, **environment) == "detectron2"
    assert output_of_python("-c", CHOOSE, **environment | {"D2FREQ_HOST": "minid2"}) == "minid2"


def test_where_there_is_none_minid2_answers(environment):
    assert output_of_python("-c", CHOOSE, **environment) == "minid2"


def test_a_folder_that_is_no_package_is_not_the_host(environment, tmp_path):
    (tmp_path / "detectron2/detectron2").mkdir(parents=True)  # a clone one folder too high
    assert output_of_python("-c", CHOOSE, **environment) == "minid2"


@pytest.mark.parametrize(
    ("wish", "before", "said"),
    [
        ("detectron2", "", "git clone"),
        ("detectron2", "import minid2; minid2.install_as_detectron2(); ", "start a new process"),
        ("minid2", "import detectron2; ", "import d2freq before detectron2"),
        ("minidd2", "", "choose one of auto, detectron2, minid2"),
    ],
)
def test_a_wish_that_cannot_be_met_says_what_to_do(wish, before, said, environment, tmp_path):
    if "import detectron2" in before:
        (tmp_path / "detectron2.py").touch()
    done = run_python("-c", before + CHOOSE, **environment | {"D2FREQ_HOST": wish})
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
