"""The two catalogues."""

import pytest

from minid2.data import DatasetCatalog, Metadata, MetadataCatalog


@pytest.fixture
def name():
    yield "catalogue_test"
    DatasetCatalog.pop("catalogue_test", None)
    MetadataCatalog.pop("catalogue_test", None)


def test_a_loader_is_called_at_each_get(name):
    calls = []
    DatasetCatalog.register(name, lambda: calls.append(1) or [{"image_id": len(calls)}])
    assert name in DatasetCatalog and name in DatasetCatalog.list() and not calls
    assert DatasetCatalog.get(name) == [{"image_id": 1}]
    assert DatasetCatalog.get(name) == [{"image_id": 2}]
    DatasetCatalog.remove(name)
    assert name not in DatasetCatalog


def test_registration_errors_name_the_data_set(name):
    DatasetCatalog.register(name, list)
    with pytest.raises(AssertionError, match=f"'{name}' is already registered"):
        DatasetCatalog.register(name, list)
    with pytest.raises(AssertionError, match="needs a function"):
        DatasetCatalog.register("other", [{}])
    with pytest.raises(KeyError, match=f"'nowhere' is not registered.*{name}"):
        DatasetCatalog.get("nowhere")


def test_metadata_never_changes_its_mind(name):
    metadata = MetadataCatalog.get(name)
    assert metadata is MetadataCatalog.get(name) and metadata.name == name
    assert metadata.set(thing_classes=["car"], evaluator_type="coco") is metadata
    metadata.thing_classes = ["car"]
    with pytest.raises(AssertionError, match="'thing_classes'.*cannot be set.*'car'.*'ship'"):
        metadata.thing_classes = ["ship"]
    with pytest.raises(AttributeError, match=f"'json_file'.*'{name}'.*thing_classes"):
        _ = metadata.json_file
    assert metadata.get("json_file", 3) == 3 and not hasattr(metadata, "json_file")
    metadata.as_dict()["thing_classes"] = []
    assert metadata.thing_classes == ["car"]
    with pytest.raises(AttributeError, match="'N/A', which has none"):
        _ = Metadata().anything
