"""One thread for each process, a fixed seed for every test, and tiny data sets in the catalog."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two xdist workers share two cores

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import d2freq  # noqa: F401  makes 'detectron2' importable on either host

from detectron2.data import DatasetCatalog, MetadataCatalog  # isort: skip
from detectron2.data.datasets import register_coco_instances  # isort: skip

from d2freq.data.builtin import SOURCES
from d2freq.data.catalog import register_all

torch.set_num_threads(1)

COLOURS = {"blue": (40, 40, 200), "green": (40, 200, 40), "red": (200, 40, 40)}


@pytest.fixture(autouse=True)
def _fixed_seed():
    torch.manual_seed(0)


def write_vehicles(folder: Path) -> Path:
    """Four noise images of 64 pixels with a bright vehicle each; returns their COCO file."""
    random = np.random.default_rng(0)
    images, annotations = [], []
    for number in (1, 2, 3, 4):
        pixels = random.integers(0, 120, (64, 64, 3), dtype=np.uint8)
        pixels[20:30, 10 * number : 10 * number + 9] = 250
        Image.fromarray(pixels).save(folder / f"{number}.png")
        images.append(dict(id=number, file_name=f"{number}.png", height=64, width=64))
        box = [10 * number, 20, 9, 10]
        annotations.append(
            dict(id=number, image_id=number, category_id=1, iscrowd=0, bbox=box, area=90)
        )
    content = dict(images=images, annotations=annotations, categories=[dict(id=1, name="vehicle")])
    file = folder / "gt.json"
    file.write_text(json.dumps(content))
    return file


@pytest.fixture
def vehicles(tmp_path):
    """The COCO file of the registered data set ``vehicles_test``."""
    file = write_vehicles(tmp_path)
    register_coco_instances("vehicles_test", {}, str(file), str(tmp_path))
    yield file
    DatasetCatalog.remove("vehicles_test")
    MetadataCatalog.remove("vehicles_test")


@pytest.fixture
def data_root(tmp_path, monkeypatch):
    """An empty $DETECTRON2_DATASETS, and every known name as if nothing had been loaded yet."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    _register_anew()
    yield tmp_path
    _register_anew()


def _register_anew() -> None:
    for name in SOURCES:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)
    register_all()


@pytest.fixture(scope="module")
def tiny_data(tmp_path_factory):
    """Three noise images, one empty, for any class count; yields a function to a name."""
    root = tmp_path_factory.mktemp("tiny_data")
    random = np.random.default_rng(0)
    images, annotations = [], []
    for image_id in (1, 2, 3):
        pixels = random.integers(0, 256, (208, 224, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{image_id}.png")
        images.append(dict(id=image_id, file_name=f"{image_id}.png", height=208, width=224))
        for x in (40, 100) if image_id < 3 else ():
            annotations.append(
                dict(id=len(annotations) + 1, image_id=image_id, category_id=1, iscrowd=0)
                | dict(bbox=[x, 90, 22, 18], area=396)
                | dict(segmentation=[[x, 90, x + 22, 90, x + 22, 108, x, 108]])
            )
    registered = []

    def name_for(classes: int) -> str:
        name = f"tiny_data_{classes}"
        if name not in registered:
            content = dict(images=images, annotations=annotations)
            content["categories"] = [dict(id=i + 1, name=f"c{i}") for i in range(classes)]
            (root / f"{name}.json").write_text(json.dumps(content))
            register_coco_instances(name, {}, str(root / f"{name}.json"), str(root))
            registered.append(name)
        return name

    yield name_for
    for name in registered:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


@pytest.fixture(autouse=True)
def loggers():
    """What default_setup does to the loggers is undone, for tests that read warnings.

    Also what a test before has left: a logger that does not propagate hides warnings from caplog,
    and a terminal's handler shortens the records that it sees.
    """
    names = ("detectron2", "minid2", "fvcore", "d2freq")
    before = [(log, log.handlers[:], log.level) for log in map(_log, names)]
    for log, handlers, _ in before:
        log.propagate = True
        log.handlers[:] = handlers[:] = []
    yield
    for log, handlers, level in before:
        for handler in set(log.handlers) - set(handlers):
            handler.close()
        log.handlers[:], log.propagate = handlers, True
        log.setLevel(level)


def _log(name: str) -> logging.Logger:
    return logging.getLogger(name)


@pytest.fixture
def two_images(tmp_path):
    """A folder with two images of 40 x 30 pixels, and COCO data on them without a fault."""
    images, annotations = [], []
    for number, name in enumerate(("a.png", "b.png"), start=1):
        pixels = np.arange(30 * 40 * 3, dtype=np.uint32).reshape(30, 40, 3)
        Image.fromarray((pixels * 7919 % 251).astype(np.uint8)).save(tmp_path / name)
        images.append(dict(id=number, file_name=name, width=40, height=30))
        for box in ([1, 2, 6, 5], [9, 9, 4, 4]):
            annotations.append(
                dict(id=len(annotations) + 1, image_id=number, category_id=number, iscrowd=0)
                | dict(bbox=box, area=box[2] * box[3])
            )
    categories = [dict(id=1, name="ship"), dict(id=2, name="person")]
    return tmp_path, dict(images=images, annotations=annotations, categories=categories)


@pytest.fixture
def dataset(tmp_path):
    """Registers a COCO file, or COCO content, under a name of its own."""
    names = []

    def register(truth: dict | Path, **metadata) -> str:
        path = truth if isinstance(truth, Path) else tmp_path / f"truth{len(names)}.json"
        if isinstance(truth, dict):
            path.write_text(json.dumps(truth))
        name = f"tiny_coco_test_{tmp_path.name}_{len(names)}"
        register_coco_instances(name, metadata, str(path), str(tmp_path))
        names.append(name)
        return name

    yield register
    for name in names:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def write_colours(root: Path, images: int = 2) -> None:
    """imagenet/{train,val}/<colour>/<number>.png, noisy pictures of 40 x 50 pixels."""
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for name, colour in COLOURS.items():
            folder = root / "imagenet" / split / name
            folder.mkdir(parents=True)
            for number in range(images):
                pixels = np.array(colour) + random.normal(0, 25, (40, 50, 3))
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")


@pytest.fixture
def colours(data_root):
    """$DETECTRON2_DATASETS with imagenet_train and imagenet_val, two images of three classes."""
    write_colours(data_root)
    return data_root / "imagenet"
