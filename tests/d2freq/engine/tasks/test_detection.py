"""Data that a mask head cannot use are an error with culprit and cure before training."""

import importlib.util
import json

import pytest
from detectron2.config import LazyCall
from detectron2.data.transforms import RandomCrop

from d2freq.engine import check, load_lazy, load_yaml
from d2freq.errors import DatasetError, UserError

from ....configs.config_cases import CONFIGS

CONFIG = str(CONFIGS / "frequency_input/mask_rcnn_R18_FPN_scenes")
CROP = ["INPUT.CROP.ENABLED", "True"]


def yaml(train: str, test: str, *options: str):
    sets = ["DATASETS.TRAIN", (train,), "DATASETS.TEST", (test,), "MODEL.DEVICE", "cpu"]
    return load_yaml(f"{CONFIG}.yaml", [*sets, "MODEL.ROI_HEADS.NUM_CLASSES", 1, *options])


def lazy(train: str, test: str, *options: str):
    sets = [f"dataloader.train.dataset.names={train}", f"dataloader.test.dataset.names={test}"]
    return load_lazy(f"{CONFIG}.py", [*sets, "model.roi_heads.num_classes=1", *options])


def both(train: str, test: str) -> list:
    return [yaml(train, test), lazy(train, test)]


@pytest.fixture
def masked(tiny_data):
    """A registered data set of one class whose objects all have polygons."""
    return tiny_data(1)


@pytest.fixture
def no_shapely(monkeypatch):
    find = importlib.util.find_spec

    def found(name: str, package: str | None = None):
        return None if name == "shapely" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", found)


def test_objects_without_masks_are_refused(vehicles, masked):
    words = r"vehicles_test has no mask for 4 of 4 objects.*1\.png \(image_id 1\).*MASK_ON False"
    for cfg in (*both("vehicles_test", masked), *both(masked, "vehicles_test")):
        with pytest.raises(DatasetError, match=words):
            check(cfg)
    check(yaml("vehicles_test", "vehicles_test", "MODEL.MASK_ON", "False"))

    content = json.loads(vehicles.read_text())
    for annotation in content["annotations"][:2]:
        annotation["segmentation"] = [[1, 1, 9, 1, 9, 9]]
    content["annotations"][2]["iscrowd"] = 1  # no target, so it needs no mask
    vehicles.write_text(json.dumps(content))
    for cfg in both("vehicles_test", masked):
        with pytest.raises(DatasetError, match=r"no mask for 1 of 3 objects, .*4\.png"):
            check(cfg)


def test_where_boxes_alone_are_measured_the_test_data_need_no_masks(vehicles, masked):
    with pytest.raises(DatasetError, match="no mask"):
        check(lazy(masked, "vehicles_test"))
    cfg = lazy(masked, "vehicles_test")
    cfg.dataloader.evaluator.tasks = ["bbox"]
    check(cfg)


def test_a_lazy_mapper_that_drops_the_masks_is_refused(masked):
    check(lazy(masked, masked))
    with pytest.raises(UserError, match=r"mapper\.use_instance_mask to True"):
        check(lazy(masked, masked, "dataloader.train.mapper.use_instance_mask=False"))


def test_polygons_are_cropped_with_shapely_alone(masked, no_shapely):
    for cfg in both(masked, masked):
        check(cfg)
    with pytest.raises(UserError, match=r"polygons.*1\.png.*needs shapely: .*CROP\.ENABLED"):
        check(yaml(masked, masked, *CROP))
    cfg = lazy(masked, masked)
    crop = LazyCall(RandomCrop)(crop_type="absolute", crop_size=[32, 32])
    cfg.dataloader.train.mapper.augmentations.insert(0, crop)
    with pytest.raises(UserError, match=r"polygons.*1\.png.*pip install .d2freq\[shapely\]"):
        check(cfg)
    check(yaml(masked, masked, *CROP, "MODEL.MASK_ON", "False"))


def test_run_lengths_are_cropped_without_shapely(vehicles, no_shapely):
    content = json.loads(vehicles.read_text())
    for annotation in content["annotations"]:
        annotation["segmentation"] = {"size": [64, 64], "counts": [100, 50, 64 * 64 - 150]}
    vehicles.write_text(json.dumps(content))
    check(yaml("vehicles_test", "vehicles_test", *CROP, "INPUT.MASK_FORMAT", "bitmask"))
