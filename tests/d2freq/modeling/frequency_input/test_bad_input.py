"""Configs and images that do not fit the stem: refused before training, with the cure."""

import numpy as np
import pytest
import torch
from detectron2.config import instantiate
from PIL import Image

from d2freq.engine import check, load_lazy, load_yaml
from d2freq.errors import DatasetError, UserError
from d2freq.modeling.frequency_input import FrequencyStem, LearnedStem, UnshuffleStem

from ....configs.config_cases import CONFIGS

DCT = str(CONFIGS / "frequency_input/faster_rcnn_R18_DCT_FPN_kit_ais")
CLASSIFIER = str(CONFIGS / "frequency_input/classifier_R50_DCT24_imagenet")
STEM = "model.backbone.bottom_up.stem"
MEASURE = "measure.*d2freq dct-statistics|d2freq dct-statistics measures"


def yaml(*options, file=DCT):
    return load_yaml(f"{file}.yaml", list(options))


def lazy(*options, file=DCT):
    return load_lazy(f"{file}.py", list(options))


@pytest.mark.parametrize(
    ("channels", "said"),
    [
        ("[0,192]", r"\[192\]: there are 0 to 191 \(64 a component: Y, Cb, Cr\)"),
        ("[-1,3]", r"\[-1\]: there are 0 to 191"),
        ("[5,6,5]", r"\[5\] are given twice; name each once"),
        ("[]", "no DCT channel is chosen; name a set, such as 24"),
        ("25", "no such set; published: 6, 24, .*square:Y,CbCr"),
        ("'square:9,1'", "9 is above 8"),
    ],
)
def test_channels_that_there_are_not(channels, said):
    with pytest.raises(UserError, match=said):
        check(yaml("MODEL.FREQ_INPUT.CHANNELS", channels))
    quoted = f"'{channels}'" if channels == "25" else channels
    with pytest.raises(UserError, match=said):
        check(lazy(f"{STEM}.channels={quoted}"))


@pytest.mark.parametrize(
    "options",
    [
        ("MEASURED_FOR", "dct 8x8 all"),
        ("STEM", "random"),
        ("MODE", "4x4"),
        ("STEM", "unshuffle", "MODE", "4x4"),
        ("MEAN", "[0.0, 1.0]"),
        ("MEASURED_FOR", ""),  # those of all 192 then have to be of the 24
    ],
    ids=" ".join,
)
def test_statistics_of_another_channel_set(options):
    named = [f"MODEL.FREQ_INPUT.{key}" for key in options[::2]]
    words = [word for pair in zip(named, options[1::2], strict=True) for word in pair]
    with pytest.raises(UserError, match=MEASURE):
        check(yaml(*words))


def test_statistics_of_another_channel_set_in_a_lazy_config():
    with pytest.raises(UserError, match=MEASURE):
        check(lazy(f"{STEM}.channels='48'"))


@pytest.mark.parametrize("stem", ["DCT", "unshuffle", "learned", "gate"])
def test_a_mode_that_the_image_size_cannot_take(stem):
    built = {
        "DCT": lambda: instantiate(lazy().model.backbone.bottom_up.stem),
        "unshuffle": UnshuffleStem,
        "learned": lambda: LearnedStem(mode="4x4"),
        "gate": lambda: FrequencyStem(UnshuffleStem()),
    }[stem]()
    with pytest.raises(UserError, match="stride 4 cannot take 20 x 30 .*pad to multiples of 4"):
        built(torch.zeros(1, 3, 20, 30))


def test_a_square_of_a_classifier_that_the_blocks_do_not_divide():
    stem = instantiate(lazy(file=CLASSIFIER).model.backbone.stem)
    square = yaml("INPUT.CLASSIFICATION.CROP", "444", file=CLASSIFIER).INPUT.CLASSIFICATION.CROP
    with pytest.raises(UserError, match=r"444 x 444 pixels.*8.*INPUT\.CLASSIFICATION\.CROP"):
        stem(torch.zeros(1, 3, square, square))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("INPUT.FORMAT", "L"), "INPUT.FORMAT 'L'.*RGB or BGR; read grey images as one of these"),
        (
            ("MODEL.PIXEL_MEAN", "[128.0]", "MODEL.PIXEL_STD", "[1.0]"),
            "3 channels, not 1.*grey images are read as INPUT.FORMAT RGB",
        ),
    ],
)
def test_grey_input(options, said):
    with pytest.raises(UserError, match=said):
        check(yaml(*options))


def test_grey_input_in_a_lazy_config():
    with pytest.raises(UserError, match="INPUT.FORMAT 'L'.*RGB or BGR"):
        check(lazy(f"{STEM}.input_format=L"))


def test_images_of_16_bits_are_refused_before_training(vehicles):
    for file in vehicles.parent.glob("*.png"):
        pixels = np.asarray(Image.open(file))[..., 0]
        Image.fromarray(pixels.astype(np.uint16) * 200).save(file)
    data = ("vehicles_test", "('vehicles_test',)")
    said = r"vehicles_test: image of more bits .*\(4\): .*1\.png: 1 band of 16 bits.*PIXELS"
    words = ["DATASETS.TRAIN", data[1], "DATASETS.TEST", data[1]]
    with pytest.raises(DatasetError, match=said):
        check(yaml(*words))
    names = [f"dataloader.{split}.dataset.names={data[0]}" for split in ("train", "test")]
    with pytest.raises(DatasetError, match=said):
        check(lazy(*names))
    with pytest.raises(DatasetError, match=said):  # and by RGB, which would see its white
        check(yaml(*words, file=DCT.replace("DCT_", "")))
    check(yaml(*words, "INPUT.PIXELS.RANGE", "[0, 51000]"))
