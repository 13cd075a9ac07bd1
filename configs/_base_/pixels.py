"""Pictures of other depths and bands, in a lazy config: what INPUT.PIXELS is for a YAML config."""

from detectron2.config import LazyCall as L

from d2freq.data.pixels import PixelDatasetMapper
from d2freq.utils.pixels import PixelReader


def with_pixels(dataloader, range, bands=()):
    """Both loaders read by a range of values and a choice of bands; see PixelReader.

    Give the model as many channels, ``with_channels``.
    """
    for split in (dataloader.train, dataloader.test):
        mapper = split.mapper
        mapper._target_ = PixelDatasetMapper
        mapper.pixels = L(PixelReader)(range=range, bands=list(bands), order=mapper.image_format)
    return dataloader


def with_channels(model, mean, std):
    """A detector with a ResNet for pictures of other channels: mean and deviation of each."""
    model.pixel_mean, model.pixel_std = list(mean), list(std)
    bottom_up = model.backbone.bottom_up
    if "stem" in bottom_up:
        bottom_up.stem.in_channels = len(mean)
    else:  # MobileNetV2
        bottom_up.in_channels = len(mean)
    return model
