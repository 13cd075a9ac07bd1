"""The mapper with a reader gives what Detectron2's gives, of any depth and number of bands."""

import copy

import detectron2.data.transforms as T
import numpy as np
import pytest
import tifffile
import torch
from detectron2.config import get_cfg
from detectron2.data import DatasetMapper
from PIL import Image

import d2freq
from d2freq.data.augmentation import (
    AugmentingDatasetMapper,
    CopyPaste,
    Mosaic,
    RandomAngle,
    RandomObjectCrop,
    RandomRotation90,
)
from d2freq.data.pixels import PixelDatasetMapper, reader_of
from d2freq.data.pixels.channels import transformed
from d2freq.errors import DatasetError, UserError
from d2freq.utils.pixels import PixelReader, write_samples

# ruff: noqa: NPY002 - augmentations draw from the global generator

SIZE = (48, 36)  # width, height


def record_of(path, boxes=((3, 5, 20, 19), (30, 20, 40, 31))):
    annotations = [
        dict(bbox=list(box), bbox_mode=0, category_id=0, iscrowd=0)
        | dict(segmentation=[[*box[:2], box[2], box[1], *box[2:], box[0], box[3]]])
        for box in boxes
    ]
    about = dict(file_name=str(path), image_id=1, width=SIZE[0], height=SIZE[1])
    return about | dict(annotations=annotations)


@pytest.fixture
def pictures(tmp_path):
    """The same picture of 8 bits, as 16-bit numbers up to 4095, and with five bands."""
    rgb = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "8.png")
    deep = np.rint(rgb * (4095 / 255)).astype(np.uint16)
    write_samples(tmp_path / "16.png", deep)
    five = np.concatenate([deep, deep[:, :, :2] // 2], axis=2)
    write_samples(tmp_path / "5.tif", five)
    return {name: record_of(tmp_path / name) for name in ("8.png", "16.png", "5.tif")}


STEPS = {
    "crop and flip": lambda: [T.RandomCrop("absolute", (20, 20)), T.RandomFlip()],
    "flips both ways": lambda: [T.RandomFlip(vertical=True, horizontal=False), T.RandomFlip()],
    "smaller": lambda: [T.ResizeShortestEdge([20], 99, "choice"), T.RandomFlip()],
    "larger": lambda: [T.ResizeShortestEdge([55], 99, "choice")],
}


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize(("name", "high"), [("8.png", 255), ("16.png", 4095)])
def test_it_is_detectron2s_mapper(pictures, name, high, steps, masks):
    """Up to what Pillow rounds when it resizes bytes, and to the steps of 8 bits in 16."""
    shared = dict(augmentations=STEPS[steps](), image_format="BGR", use_instance_mask=masks)
    usual = DatasetMapper(True, **shared)
    ours = PixelDatasetMapper(True, pixels=PixelReader([0, high]), **shared)
    for seed in range(3):
        np.random.seed(seed)
        wanted = usual(copy.deepcopy(pictures["8.png"]))
        np.random.seed(seed)
        found = ours(pictures[name])
        assert found["image"].dtype == torch.float32 and found["image"].is_contiguous()
        resized = 1.01 if steps in ("smaller", "larger") else 0
        room = resized + (0.04 if high > 255 else 0)
        assert (found["image"] - wanted["image"]).abs().max() <= room
        boxes = found["instances"].gt_boxes.tensor, wanted["instances"].gt_boxes.tensor
        assert torch.equal(*boxes)
        assert found["instances"].has("gt_masks") == masks


def test_five_bands_pass_every_augmentation_of_d2freq(pictures):
    mapper = AugmentingDatasetMapper(
        augmentations=[
            Mosaic(1.0),
            CopyPaste(1.0),
            RandomObjectCrop((32, 32), prob=1.0),
            RandomRotation90(1.0),
            RandomAngle(20, prob=1.0),
            T.ResizeShortestEdge([40], 99, "choice"),
            T.RandomFlip(),
        ],
        image_format="BGR",
        pixels=PixelReader([0, 4095]),
    )
    mapper.draw_from([pictures["5.tif"]] * 2)
    for seed in range(3):
        np.random.seed(seed)
        image = mapper(pictures["5.tif"])["image"]
        assert image.shape == (5, 40, 40) and image.dtype == torch.float32
        assert 0 <= image.min() and image.max() <= 255.01
        # every transform treats all bands alike: two are half of two others
        inside = image[:, 10:30, 10:30]
        far = (inside[3] - inside[0] / 2).abs()
        filled = (inside[0] - inside[3]).abs() < 0.1  # grey, where no pixel is
        assert ((far < 0.6) | filled).float().mean() > 0.7


def test_augmentations_of_rgb_say_so(pictures):
    reader = PixelReader([0, 4095])
    for kind in (PixelDatasetMapper, AugmentingDatasetMapper):
        mapper = kind(
            augmentations=[T.RandomSaturation(0.5, 1.5)], image_format="BGR", pixels=reader
        )
        with pytest.raises(
            UserError, match="RandomSaturation mixes red, green and blue.*5 channels"
        ):
            mapper(pictures["5.tif"])


def test_without_a_reader_deep_pictures_are_refused_by_d2freqs_mappers(pictures):
    for kind in (PixelDatasetMapper, AugmentingDatasetMapper):
        mapper = kind(augmentations=[], image_format="RGB")
        mapper(pictures["8.png"])
        with pytest.raises(DatasetError, match=r"5\.tif: 5 bands of 16 bits.*PIXELS\.RANGE"):
            mapper(pictures["5.tif"])


def config(*words):
    cfg = get_cfg()
    d2freq.add_d2freq_config(cfg)
    cfg.merge_from_list(list(words))
    return cfg


def test_keys_make_the_reader_and_are_off_by_default(tmp_path):
    assert reader_of(config()) is None
    given = ["INPUT.PIXELS.RANGE", "[0, 4095]", "INPUT.PIXELS.BANDS", "[4, 1]"]
    reader = reader_of(config(*given))
    assert reader == PixelReader([0, 4095], bands=[4, 1])
    assert reader_of(config("INPUT.PIXELS.RANGE", "image")).range == "image"
    mapper = PixelDatasetMapper(config(*given, "INPUT.CROP.ENABLED", "True"), is_train=True)
    assert mapper.pixels == reader and "RandomCrop" in str(mapper.augmentations)
    with pytest.raises(UserError, match="BANDS chooses bands, but INPUT.PIXELS.RANGE is not set"):
        reader_of(config("INPUT.PIXELS.BANDS", "[1]"))
    with pytest.raises(UserError, match="no data set to train on"):
        reader_of(config("INPUT.PIXELS.RANGE", "dataset"))


def test_the_range_of_a_data_set_is_measured_over_its_pictures(tmp_path, dataset):
    images = []
    for number in range(5):
        values = np.arange(36 * 48, dtype=np.uint16).reshape(36, 48) + 1000 * number
        tifffile.imwrite(tmp_path / f"{number}.tif", values)
        about = dict(id=number + 1, file_name=f"{number}.tif", width=48, height=36)
        images.append(about)
    name = dataset(dict(images=images, annotations=[], categories=[dict(id=1, name="a")]))
    words = ["INPUT.PIXELS.RANGE", "dataset", "INPUT.PIXELS.PERCENTILES", "[0, 100]"]
    cfg = config(*words, "DATASETS.TRAIN", (name,), "INPUT.FORMAT", "L")
    assert reader_of(cfg).range == ((0, 36 * 48 - 1 + 4000),)


def test_lists_of_transforms_take_floats_step_by_step():
    image = np.random.default_rng(0).random((6, 8, 5)).astype(np.float32)
    steps = T.TransformList([T.HFlipTransform(8), T.CropTransform(1, 2, 4, 3)])
    np.testing.assert_array_equal(transformed(steps, image), image[2:5, ::-1][:, 1:5])
