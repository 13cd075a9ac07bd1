"""A lazy config that takes a model of Detectron2's zoo, where the zoo cannot be used."""

import sys

import pytest

from d2freq.engine import load_lazy
from d2freq.errors import UserError


def load(text, tmp_path):
    file = tmp_path / "config.py"
    file.write_text(text)
    with pytest.raises(UserError) as told:
        load_lazy(str(file))
    assert "\n" not in str(told.value)
    return str(told.value)


def test_without_pkg_resources_the_cure_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pkg_resources", None)  # as setuptools 82 leaves it
    told = load("import pkg_resources\n", tmp_path)
    assert "config.py: detectron2.model_zoo imports pkg_resources" in told
    assert told.endswith("pip install 'setuptools<82'")


def test_without_the_link_to_its_configs_the_cure_is_named(tmp_path, monkeypatch):
    package = tmp_path / "detectron2" / "__init__.py"
    monkeypatch.setattr("detectron2.__file__", str(package))
    failing = "raise RuntimeError('common/train.py not available in Model Zoo!')\n"
    told = load(failing, tmp_path)
    assert told.endswith(f"ln -s ../../configs {package.parent / 'model_zoo' / 'configs'}")
    (package.parent / "model_zoo" / "configs").mkdir(parents=True)
    assert load(failing, tmp_path).endswith("common/train.py not available in Model Zoo!")


def test_other_errors_stay_what_they_are(tmp_path):
    told = load("import no_such_module_of_anybody\n", tmp_path)
    assert "No module named 'no_such_module_of_anybody'" in told and "setuptools" not in told
