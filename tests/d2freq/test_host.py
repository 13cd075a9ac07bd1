"""The choice of the host in a new process: what Python finds, and what D2FREQ_HOST asks for."""

import os
import sys
import types
from types import SimpleNamespace

import pytest

import minid2
from d2freq import host

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


@pytest.fixture
def nothing_installed(monkeypatch):
    """No host has been chosen in this process yet, and Python finds no Detectron2."""
    monkeypatch.setattr(minid2, "is_installed_as_detectron2", lambda: False)
    monkeypatch.setattr(host.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(minid2, "install_as_detectron2", lambda: None)
    monkeypatch.delitem(sys.modules, "detectron2")
    monkeypatch.setenv(host.VARIABLE, "auto")
    return monkeypatch


def test_the_choice_in_this_process(nothing_installed, caplog):
    patch = nothing_installed
    caplog.set_level("INFO", logger=host.logger.name)
    assert host.choose_host() == "minid2" and "not found" in caplog.text
    patch.setattr(host.importlib.util, "find_spec", lambda name: SimpleNamespace(origin="there"))
    assert host.choose_host() == "detectron2"
    patch.setenv(host.VARIABLE, "minid2")
    assert host.choose_host() == "minid2"
    real = types.ModuleType("detectron2")
    real.__version__, real.__file__ = "0.7", "/there/detectron2/__init__.py"
    patch.setitem(sys.modules, "detectron2", real)
    assert host.describe_host() == "Detectron2 0.7 (/there/detectron2)"
    with pytest.raises(ImportError, match="import d2freq before detectron2"):
        host.choose_host()


def test_a_wish_of_this_process_that_cannot_be_met(nothing_installed):
    patch = nothing_installed
    patch.setenv(host.VARIABLE, "detectron2")
    with pytest.raises(ImportError, match="git clone"):
        host.choose_host()
    patch.setattr(minid2, "is_installed_as_detectron2", lambda: True)
    with pytest.raises(ImportError, match="start a new process"):
        host.choose_host()
    patch.setenv(host.VARIABLE, "minidd2")
    with pytest.raises(ValueError, match="choose one of auto, detectron2, minid2"):
        host.choose_host()
