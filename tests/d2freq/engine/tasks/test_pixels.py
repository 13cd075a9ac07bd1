"""Deep pictures: refused before training until a reader is chosen, then trained on as 8 bits."""

import json

import numpy as np
import pytest
import tifffile
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.utils.events import EventStorage

from d2freq.data import register_coco
from d2freq.data.scenes.dataset import generate_scenes
from d2freq.data.scenes.sensor import as_sensor
from d2freq.engine import check, load_lazy, load_yaml
from d2freq.engine.config import as_config
from d2freq.engine.tasks import task_of
from d2freq.errors import DatasetError, UserError
from d2freq.utils.pixels import read_samples, write_samples

from ....configs.config_cases import CONFIGS

DEMO = str(CONFIGS / "demo/faster_rcnn_R18_FPN_scenes")
SMALL = {
    "MODEL.DEVICE": "cpu",
    "MODEL.ROI_HEADS.NUM_CLASSES": 5,
    "MODEL.FPN.OUT_CHANNELS": 16,
    "MODEL.FPN.NORM": "''",
    "MODEL.ROI_BOX_HEAD.FC_DIM": 16,
    "MODEL.RPN.POST_NMS_TOPK_TRAIN": 20,
    "INPUT.CROP.SIZE": "[64, 64]",
    "SOLVER.IMS_PER_BATCH": 2,
    "SOLVER.BASE_LR": 0.005,
    "DATALOADER.NUM_WORKERS": 0,
    "SEED": 7,
}
DENSE = {
    "MODEL.META_ARCHITECTURE": "RetinaNet",
    "MODEL.BACKBONE.NAME": "build_retinanet_resnet_fpn_backbone",
    "MODEL.RESNETS.OUT_FEATURES": "['res3', 'res4', 'res5']",
    "MODEL.FPN.IN_FEATURES": "['res3', 'res4', 'res5']",
    "MODEL.RETINANET.IN_FEATURES": "['p3', 'p4', 'p5', 'p6', 'p7']",
    "MODEL.RETINANET.NUM_CLASSES": 5,
    "MODEL.RETINANET.NUM_CONVS": 1,
}
TIMES_16 = "scenes_times_16"  # 0 to 4080 in steps of 16: the samples lose nothing by rounding
SENSORS = {
    "scenes_8": (8, 3),
    TIMES_16: (16, 3),
    "scenes_16": (16, 3),
    "scenes_4bands": (16, 4),
    "scenes_grey": (16, 1),
}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """The same four scenes by different sensors, each a registered data set."""
    root = tmp_path_factory.mktemp("scenes")
    made = dict(train=4, val=1, size=96, workers=1, progress=False)
    truth = generate_scenes(root / "scenes_8", **made)["train"]
    content = json.loads(truth.read_text())
    for name, (bits, bands) in SENSORS.items():
        if name != "scenes_8":
            file = root / f"{name}.json"
            for image in content["images"]:
                eight, _ = read_samples(root / "scenes_8/train" / f"00000{image['id']}.png")
                image["file_name"] = f"00000{image['id']}.{'tif' if bands == 4 else 'png'}"
                (root / name / "train").mkdir(parents=True, exist_ok=True)
                path = root / name / "train" / image["file_name"]
                exact = eight.astype(np.uint16) * 16
                sensed = as_sensor(eight[:, :, ::-1], bits, bands)
                write_samples(path, exact if name == TIMES_16 else sensed)
            file.write_text(json.dumps(content))
            truth = file
        register_coco(name, truth, root / name / "train")
    yield root
    for name in SENSORS:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def yaml(train: str, **keys):
    keys = SMALL | {"DATASETS.TRAIN": f"('{train}',)", "DATASETS.TEST": "()"} | keys
    return load_yaml(f"{DEMO}.yaml", [str(word) for pair in keys.items() for word in pair])


def lazy(train: str, *words: str):
    names = [f"dataloader.{split}.dataset.names={train}" for split in ("train", "test")]
    return load_lazy(f"{DEMO}.py", [*names, *words])


def pixels(value_range, bands=(), **more):
    found = {"INPUT.PIXELS.RANGE": value_range, "INPUT.PIXELS.BANDS": list(bands)}
    return {key: json.dumps(value) for key, value in found.items()} | more


def losses(cfg, steps: int = 6) -> list[float]:
    """The first losses of a training; the seed decides weights, order and crops."""
    config = as_config(cfg)
    check(config)
    torch.manual_seed(0)
    model = config.model("cpu").train()
    optimizer = config.optimizer(model)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - augmentations draw from it
    found = []
    loader = iter(task_of(config.train_sets()[0]).train_loader(config.cfg))
    with EventStorage():
        for _ in range(steps):
            loss = sum(model(next(loader)).values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(float(loss.detach()))
    return found


def test_16_bits_train_as_their_8_bit_original(scenes):
    """Of 8 bits the losses are the same numbers, of 16 they agree to 1e-3.

    RetinaNet: which boxes are positive does not depend on the pixels. In Faster R-CNN a hundredth
    of a grey level decides on a proposal now and then, and the curves part as two seeds do.
    """
    eight = losses(yaml("scenes_8", **DENSE), steps=5)
    assert losses(yaml("scenes_8", **DENSE, **pixels([0, 255])), steps=2) == eight[:2]
    deep = losses(yaml("scenes_16", **DENSE, **pixels([0, 4095])), steps=5)
    np.testing.assert_allclose(deep, eight, rtol=1e-3, atol=1e-4)
    assert eight[0] > 0.1 and len(set(eight)) == len(eight)


def test_20_steps_are_the_same_numbers_where_the_samples_lose_nothing(scenes):
    eight = losses(yaml("scenes_8"), steps=20)
    assert losses(yaml(TIMES_16, **pixels([0, 4080])), steps=20) == eight
    assert len(set(eight)) == len(eight)


@pytest.mark.parametrize("name", ["scenes_4bands", "scenes_grey"])
def test_one_and_four_bands_train(scenes, name):
    bands = SENSORS[name][1]
    channels = {"MODEL.PIXEL_MEAN": [110.0] * bands, "MODEL.PIXEL_STD": [57.0] * bands}
    keys = pixels([0, 4095], range(1, bands + 1), **channels)
    found = losses(yaml(name, **keys), steps=2)
    assert np.isfinite(found).all()
    assert losses(yaml(name, **keys, **{"INPUT.AUGMENT.MOSAIC": 1.0}), steps=1)[0] > 0


def test_a_range_of_the_data_set_and_of_each_image_train(scenes):
    for value_range in ("image", "dataset"):
        cfg = yaml("scenes_16", **pixels(value_range))
        assert np.isfinite(losses(cfg, steps=1)).all()
    config = as_config(cfg)
    config.settle_pixels()
    pairs = cfg.INPUT.PIXELS.RANGE
    assert len(pairs) == 3 and all(0 <= low < high <= 4095 for low, high in pairs)


DEEP = {
    "uint16 RGB PNG": ("3 bands of 16 bits", lambda path: write_samples(path, noise(3, 2046))),
    "uint16 RGB TIFF": ("3 bands of 16 bits", lambda path: tiff(path, noise(3, 2046))),
    "16-bit grey": ("1 band of 16 bits", lambda path: write_samples(path, noise(1, 60000))),
    "five bands": ("5 bands of 16 bits", lambda path: tiff(path, noise(5, 60000))),
    "four bands": ("4 bands of 16 bits", lambda path: tiff(path, noise(4, 60000))),
    "float": ("1 band of 32 bits", lambda path: tiff(path, noise(1, 9).astype(np.float32))),
    "five bands of 8 bits": ("5 bands of 8 bits", lambda p: tiff(p, noise(5, 255).astype("u1"))),
}


def noise(bands, high):
    return np.random.default_rng(0).integers(0, high, (96, 96, bands), dtype=np.uint16)


def tiff(path, values):
    """Under the name of a PNG: the file's own words count, not its ending."""
    squeezed = values[:, :, 0] if values.shape[2] == 1 else values
    options = {} if values.shape[2] == 1 else {"planarconfig": "contig"}
    tifffile.imwrite(path, squeezed, photometric="minisblack", **options)


@pytest.mark.parametrize("kind", DEEP)
def test_deep_pictures_are_refused_until_a_reader_is_chosen(vehicles, kind):
    said, write = DEEP[kind]
    write(vehicles.parent / "3.png")
    content = json.loads(vehicles.read_text())
    content["images"][2].update(width=96, height=96)
    vehicles.write_text(json.dumps(content))
    one = {"MODEL.ROI_HEADS.NUM_CLASSES": 1}
    cases = [yaml("vehicles_test", **one)]
    if kind == "five bands":
        cases.append(yaml("vehicles_test", **one, **{"DATALOADER.BAD_IMAGES": "skip"}))
        cases.append(lazy("vehicles_test", "model.roi_heads.num_classes=1"))
    for cfg in cases:
        with pytest.raises(DatasetError, match=rf"3\.png: {said}.*INPUT\.PIXELS\.RANGE") as caught:
            check(cfg)
        assert "\n" not in str(caught.value)


def test_a_data_set_without_a_file_of_its_own_is_looked_at(scenes):
    records = DatasetCatalog.get("scenes_16")
    DatasetCatalog.register("pixels_by_hand", lambda: records)
    MetadataCatalog.get("pixels_by_hand").thing_classes = list("abcde")
    try:
        with pytest.raises(DatasetError, match=r"000001\.png: 3 bands of 16 bits"):
            check(yaml("pixels_by_hand"))
        check(yaml("pixels_by_hand", **pixels([0, 4095])))
    finally:
        DatasetCatalog.remove("pixels_by_hand")
        MetadataCatalog.remove("pixels_by_hand")


def test_channels_that_do_not_fit_the_model(scenes):
    with pytest.raises(UserError, match=r"000001\.tif: 4 bands.*gives 2 channels.*has 3 values"):
        check(yaml("scenes_4bands", **pixels([0, 4095], [4, 1])))
    with pytest.raises(DatasetError, match=r"000001\.png: 3 bands.*asks for band 4"):
        check(yaml("scenes_16", **pixels([0, 4095], [4, 3, 2])))
    check(yaml("scenes_4bands", **pixels([0, 4095], [4, 3, 2])))
    with pytest.raises(UserError, match="RANGE has 2 pairs"):
        check(yaml("scenes_16", **pixels([[0, 1], [0, 1]], [1, 2, 3])))


def test_the_lazy_twin_reads_alike(scenes):
    one = str(CONFIGS / "demo/faster_rcnn_R18_HSFPN_scenes_16bit_4band")
    names = [f"dataloader.{split}.dataset.names=scenes_4bands" for split in ("train", "test")]
    from_lazy = as_config(load_lazy(f"{one}.py", names))
    from_yaml = as_config(load_yaml(f"{one}.yaml"))
    assert from_lazy.pixels == from_yaml.pixels and from_lazy.pixels.bands == (1, 2, 3, 4)
    check(from_lazy)
    record = DatasetCatalog.get("scenes_4bands")[0]
    found = from_lazy.test_mapper("scenes_4bands", truth=True)(record)
    assert found["image"].shape == (4, 96, 96) and len(found["instances"])
    values = read_samples(record["file_name"])[0].transpose(2, 0, 1)
    np.testing.assert_allclose(found["image"], values * (255 / 4095), atol=1e-4)
    step = "dataloader.train.mapper.augmentations=[{_target_:" + (
        "detectron2.data.transforms.RandomSaturation,intensity_min:0.5,intensity_max:1.5}]"
    )
    with pytest.raises(UserError, match="RandomSaturation mixes red"):
        check(load_lazy(f"{one}.py", [*names, step]))
