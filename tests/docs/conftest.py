"""A page runs in an empty folder, and leaves nothing behind in this process."""

import os
import sys

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import BACKBONE_REGISTRY, META_ARCH_REGISTRY


@pytest.fixture
def page_folder(data_root, monkeypatch):
    """The working directory, with an empty ``datasets`` for all data sets.

    Afterwards the names that the page added to the catalog and to the registries are gone, and so
    are its modules and settings.
    """
    monkeypatch.chdir(data_root)
    monkeypatch.setenv("PWD", str(data_root))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("DETECTRON2_DATASETS", str(data_root / "datasets"))
    settings, known = dict(os.environ), set(DatasetCatalog.list())
    registries = [each._obj_map for each in (BACKBONE_REGISTRY, META_ARCH_REGISTRY)]
    before = [dict(each) for each in registries]
    yield data_root
    os.environ.clear()
    os.environ.update(settings)
    for name in set(DatasetCatalog.list()) - known:
        DatasetCatalog.remove(name)
        MetadataCatalog.pop(name, None)
    for registry, names in zip(registries, before, strict=True):
        registry.clear()
        registry.update(names)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(data_root)):
            del sys.modules[name]
