"""Lazy twin of classifier_R50_DCT.yaml and classifier_MobileNetV2_DCT.yaml.

Each takes a config's model and loaders, changes both to DCT channels and the paper's geometry, and
returns the model.
"""

from detectron2.config import LazyCall as L

from d2freq.modeling.frequency_input import (
    DCTStem,
    FrequencyResNet,
    MobileNetEntry,
    make_stages,
    select_channels,
)

from .dct import measured


def resnet_on_dct(model, dataloader, channels, *, res3_stride=2):
    """ResNet-50 on DCT channels of 448 x 448 pixels; published with ``res3_stride`` 1."""
    count = _on_dct(model, dataloader, crop=448, resize=512, channels=channels)
    backbone = model.backbone
    backbone._target_ = FrequencyResNet
    backbone.stem = _stem(channels, "dct_imagenet_448")
    backbone.stages._target_ = make_stages
    backbone.stages.update(in_channels=count, first="res2", res3_stride=res3_stride)
    return model


def mobilenet_on_dct(model, dataloader, channels):
    """MobileNetV2 on DCT channels of 896 x 896 pixels."""
    count = _on_dct(model, dataloader, crop=896, resize=1024, channels=channels)
    entry = L(MobileNetEntry)(in_channels=count, norm="BN")
    model.backbone.first_layers = [_stem(channels, "dct_imagenet_896"), entry]
    return model


def _on_dct(model, dataloader, *, crop, resize, channels):
    dataloader.train.mapper.crop = crop
    dataloader.test.mapper.resize = resize
    model.pixel_mean = [128.0, 128.0, 128.0]
    model.pixel_std = [1.0, 1.0, 1.0]
    return len(select_channels(channels))


def _stem(channels, statistics):
    numbers = measured(statistics, select_channels(channels))
    return L(DCTStem)(mode="8x8", channels=channels, input_format="RGB", **numbers)
