"""What training saves of its data, and what configs say about sizes."""

import json

import numpy as np
import pytest

from d2freq.engine.config import LazyConfig, YamlConfig, load_config
from d2freq.engine.hooks.training_data import SaveTrainingData
from d2freq.engine.training_data import describe, known_names, read_training_data, save
from d2freq.errors import UserError
from tests.d2freq.inference.conftest import ROOT


@pytest.fixture
def birds(dataset):
    """Two pictures of 400 x 300 and one of 100 x 80, 100 boxes from 1 to 100 px long."""
    sizes = [(400, 300), (400, 300), (100, 80)]
    images = [
        {"id": n, "file_name": f"{n}.png", "width": w, "height": h}
        for n, (w, h) in enumerate(sizes, start=1)
    ]
    annotations = [
        {"id": n, "image_id": 1, "category_id": 5, "iscrowd": 0, "area": n}
        | {"bbox": [0, 0, 1, n] if n % 2 else [0, 0, n, 1]}
        for n in range(1, 101)
    ]
    annotations.append(annotations[0] | {"id": 900, "iscrowd": 1, "bbox": [0, 0, 300, 300]})
    annotations.append(annotations[0] | {"id": 901, "bbox": [0, 0, 300, 0]})
    kinds = [{"id": 9, "name": "tern"}, {"id": 5, "name": "gull"}]
    return dataset({"images": images, "annotations": annotations, "categories": kinds})


def test_sizes_and_names_in_the_order_of_the_models_numbers(birds):
    found = describe([birds])
    assert found.classes == ("gull", "tern") and found.picture == (400, 300)
    assert found.objects == 100
    assert found.long_side == tuple(np.quantile(np.arange(1, 101), [0.5, 0.99]).round(2))
    assert known_names(["nobody_knows", birds]) == ("gull", "tern")
    assert describe([]).classes == () and describe([]).picture == (0, 0)


def test_training_writes_it_and_detecting_reads_it(birds, tmp_path):
    words = ["DATASETS.TRAIN", f"('{birds}',)", "OUTPUT_DIR", str(tmp_path), "MODEL.DEVICE", "cpu"]
    config = load_config(str(ROOT / "configs/demo/faster_rcnn_R18_FPN_scenes.yaml"), words)
    SaveTrainingData(config).before_train()
    assert read_training_data(tmp_path) == describe([birds])
    assert json.loads((tmp_path / "classes.json").read_text())["classes"] == ["gull", "tern"]


def test_a_training_of_other_tasks_writes_nothing(tmp_path):
    words = ["OUTPUT_DIR", str(tmp_path), "MODEL.DEVICE", "cpu"]
    config = load_config(str(ROOT / "configs/derefnet/lista_seqcsist.yaml"), words)
    assert save(config) is None and not list(tmp_path.iterdir())
    assert read_training_data(tmp_path) is None


@pytest.mark.parametrize("ending", ["yaml", "py"])
@pytest.mark.parametrize(
    ("name", "test", "train", "crop", "order"),
    [
        ("demo/faster_rcnn_R18_FPN_scenes", (0, 0), (0, 0), (192, 192), "RGB"),
        ("hs_fpn/faster_rcnn_R50_HSFPN_aitod", (800, 800), (800, 800), None, None),
    ],
)
def test_both_kinds_of_config_say_the_same_sizes(name, test, train, crop, order, ending):
    config = load_config(str(ROOT / f"configs/{name}.{ending}"))
    sizes = config.image_sizes
    assert (sizes.test, sizes.train, sizes.crop) == (test, train, crop)
    assert order in (None, config.channel_order) and config.channel_order in ("RGB", "BGR")


@pytest.mark.parametrize(
    ("words", "crop", "first"),
    [
        ("INPUT.CROP.TYPE relative INPUT.CROP.SIZE [0.5,0.25]", (200, 300), True),
        ("INPUT.CROP.TYPE relative_range INPUT.CROP.SIZE [0.5,0.5]", (600, 450), True),
        ("INPUT.CROP.TYPE absolute_range INPUT.CROP.SIZE [384,600]", (492, 492), True),
        ("INPUT.CROP.TYPE absolute INPUT.CROP.SIZE [64,128]", (128, 64), True),
        ("INPUT.CROP.ENABLED False", None, False),
        (
            "INPUT.CROP.ENABLED False INPUT.AUGMENT.OBJECT_CROP 1.0 "
            "INPUT.AUGMENT.OBJECT_CROP_SIZE [128,256]",
            (256, 128),
            True,
        ),
        # half of the pictures are seen whole
        ("INPUT.CROP.ENABLED False INPUT.AUGMENT.OBJECT_CROP 0.5", None, False),
        # to 500 pixels, and a window of 492 at that scale
        ("INPUT.CROP.ENABLED False INPUT.AUGMENT.RESIZE_CROP 0.9", (492, 492), False),
        ("INPUT.CROP.ENABLED False INPUT.AUGMENT.MOSAIC 1.0", None, False),
    ],
)
def test_every_kind_of_crop_says_what_the_network_saw(words, crop, first):
    path = str(ROOT / "configs/demo/faster_rcnn_R18_FPN_scenes.yaml")
    sizes = load_config(path, words.split()).image_sizes
    assert (sizes.crop_of((800, 600)), sizes.crop_first) == (crop, first)
    assert sizes.share is None or sizes.crop_of((0, 0)) is None


def test_a_window_at_another_scale_is_one_resize_of_the_picture():
    """500 / short side, then 800 / 492 of the window: as if to 813."""
    path = str(ROOT / "configs/demo/faster_rcnn_R18_FPN_scenes.yaml")
    words = "INPUT.CROP.ENABLED False INPUT.AUGMENT.RESIZE_CROP 1.0 INPUT.MIN_SIZE_TRAIN (800,)"
    sizes = load_config(path, words.split()).image_sizes
    assert sizes.train == (813, 0) and sizes.crop == (800, 800) and not sizes.crop_first


@pytest.mark.parametrize(
    ("steps", "sizes"),
    [
        # LSJ: a picture is fitted into 1024 pixels, then cut or padded to it
        (
            [
                {
                    "_target_": "x.ResizeScale",
                    "min_scale": 0.1,
                    "max_scale": 2.0,
                    "target_height": 1024,
                    "target_width": 1024,
                },
                {"_target_": "x.FixedSizeCrop", "crop_size": [1024, 1024]},
            ],
            ((1075, 1075), (1024, 1024), False),
        ),
        (
            [
                {"_target_": "x.RandomObjectCrop", "crop_size": [256, 128]},
                {"_target_": "x.ResizeShortestEdge", "short_edge_length": [256, 512]},
            ],
            ((512, 2**63 - 1), (128, 256), True),
        ),
        ([{"_target_": "x.RandomObjectCrop", "crop_size": [9, 9], "prob": 0.2}], ((0, 0), None, 0)),
        (
            [
                {
                    "_target_": "x.RandomApply",
                    "tfm_or_aug": {"_target_": "x.FixedSizeCrop", "crop_size": [9, 8]},
                    "prob": 0.9,
                }
            ],
            ((0, 0), (8, 9), False),
        ),
    ],
)
def test_a_lazy_config_says_its_crops_by_the_order_of_its_steps(steps, sizes):
    lazy = load_config(str(ROOT / "configs/demo/faster_rcnn_R18_FPN_scenes.py"))
    lazy.cfg.dataloader.train.mapper.augmentations = steps
    found = lazy.image_sizes
    assert (found.train, found.crop, found.crop_first) == sizes


def test_other_steps_of_testing_are_refused():
    path = str(ROOT / "configs/demo/faster_rcnn_R18_FPN_scenes.yaml")
    lazy = load_config(path.replace(".yaml", ".py"))
    step = {"_target_": "detectron2.data.transforms.RandomFlip"}
    lazy.cfg.dataloader.test.mapper.augmentations.append(step)
    with pytest.raises(UserError, match="augmentations has RandomFlip"):
        _ = lazy.image_sizes


def test_the_yaml_that_a_lazy_run_leaves_is_a_lazy_config(tmp_path):
    from detectron2.config import LazyConfig as Host

    lazy = load_config(str(ROOT / "configs/demo/faster_rcnn_R18_FPN_scenes.py"))
    Host.save(lazy.cfg, str(tmp_path / "config.yaml"))
    again = load_config(str(tmp_path / "config.yaml"))
    assert isinstance(again, LazyConfig) and again.image_sizes == lazy.image_sizes
    plain = load_config(str(ROOT / "configs/demo/faster_rcnn_R18_FPN_scenes.yaml"))
    (tmp_path / "config.yaml").write_text(plain.cfg.dump())
    assert isinstance(load_config(str(tmp_path / "config.yaml")), YamlConfig)
