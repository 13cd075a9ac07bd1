"""Lazy configs that earlier releases dumped name modules where they stood then."""

import importlib

import pytest
from detectron2.utils.registry import locate

from d2freq.former_names import FORMER

DUMPED = {  # as LazyConfig.save of 0.1 wrote them
    "d2freq.data.image_mapper.ImageMapper": "d2freq.data.image_folders.mapper",
    "d2freq.data.loaders.build_seeded_train_loader": "d2freq.data.build",
    "d2freq.engine.clipped_sgd.clipped_sgd": "d2freq.engine.solver",
    "d2freq.modeling.fcos.FCOS": "d2freq.modeling.detectors.fcos",
}


@pytest.mark.parametrize("name", DUMPED)
def test_a_name_of_an_earlier_release_is_the_object_of_today(name):
    leaf = name.rsplit(".", 1)[1]
    assert locate(name) is getattr(importlib.import_module(DUMPED[name]), leaf)


def test_a_module_within_a_former_package_is_loaded_once():
    """A second copy of the builders would register the same backbone again, which is an error."""
    for leaf in ("meta_arch", "builders"):
        former = importlib.import_module(f"d2freq.modeling.fcos.{leaf}")
        assert former is importlib.import_module(f"d2freq.modeling.detectors.fcos.{leaf}")


@pytest.mark.parametrize("former", FORMER)
def test_what_is_not_there_today_is_missing_under_its_own_name(former):
    with pytest.raises(ModuleNotFoundError, match=rf"{former}\.nothing"):
        importlib.import_module(f"{former}.nothing")


@pytest.mark.parametrize("former", FORMER)
def test_the_module_of_today_keeps_its_own_name(former):
    today = importlib.import_module(FORMER[former])
    assert importlib.import_module(former) is today
    assert today.__name__ == today.__spec__.name == FORMER[former]
