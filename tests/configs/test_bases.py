"""What bases of lazy configs offer, and no lazy config takes, makes the models of YAML."""

import pytest
from detectron2.config import LazyConfig, instantiate
from detectron2.modeling import build_model

from d2freq.engine import load_yaml

from .config_cases import CONFIGS
from .twin_checks import settings


def base(file: str, name: str):
    return LazyConfig.load(str(CONFIGS / f"_base_/{file}.py"), name)


def dct(function: str, detector: str, *arguments, **options):
    return base("dct", function)(base(detector, "model"), *arguments, **options)


def classifier(channels: str, **options):
    model, dataloader = base("classifier_R50", "model"), base("imagenet", "dataloader")
    return base("classifier_DCT", "resnet_on_dct")(model, dataloader, channels, **options)


SMALL = "faster_rcnn_R18_FPN"
CASES = {
    "faster_rcnn_R18_unshuffle_FPN_kit_ais": lambda: dct(
        "with_unshuffle", SMALL, "unshuffle_kit_ais"
    ),
    "faster_rcnn_R18_random_FPN_kit_ais": lambda: dct(
        "with_dct", SMALL, "random_kit_ais", channels="all", seed=0
    ),
    "mask_rcnn_R50_learned_FPN_coco": lambda: dct("with_learned", "mask_rcnn_R50_FPN"),
    "classifier_R50_DCT64_released_imagenet": lambda: classifier("64", res3_stride=1),
}


@pytest.mark.parametrize("name", CASES)
def test_same_model(name):
    classes = ["MODEL.ROI_HEADS.NUM_CLASSES", 80]
    file = str(CONFIGS / f"frequency_input/{name}.yaml")
    models = [build_model(load_yaml(file, ["MODEL.DEVICE", "cpu", *classes]))]
    models.append(instantiate(CASES[name]()).to(models[0].device))
    assert settings(models[0]) == settings(models[1])
    shapes = [{key: v.shape for key, v in model.state_dict().items()} for model in models]
    assert shapes[0] == shapes[1]
