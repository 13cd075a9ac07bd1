"""Whether the pictures of data sets fit the reader and the model: bits, bands, channels."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from detectron2.data import DatasetCatalog, MetadataCatalog
from torch import nn

from d2freq.data.coco.check import check_dataset
from d2freq.data.coco.faults_of_images import DEEP, Depth
from d2freq.data.coco.read import read_coco
from d2freq.data.pixels.channels import check_augmentations
from d2freq.errors import DatasetError, UserError
from d2freq.utils.pixels import PixelReader, read_layout, read_samples, refuse_deep

if TYPE_CHECKING:
    from d2freq.engine.config import Config

__all__ = ["check_pixels"]


def check_pixels(depths: Mapping[str, Depth], model: nn.Module, config: "Config") -> None:
    """Raise where pictures would lose bits or bands, or do not give the model's channels.

    Without a reader Detectron2 cuts 16-bit grey off at 255, takes the high byte of 16-bit RGB, and
    cannot open a TIFF of five bands.

    Args:
        depths: data sets, and how far their images have been looked at already.
        model: also on device "meta".

    Raises:
        DatasetError: such pictures, the first of them named, with the cure.
        UserError: the model takes another number of channels, or an augmentation does.
    """
    reader = config.pixels
    mean = getattr(getattr(model, "detector", model), "pixel_mean", None)
    channels = None if mean is None else int(mean.numel())
    if channels is not None and (reader is not None or channels != 3):
        check_augmentations(config.train_steps, channels)
    for name, images in depths.items():
        if reader is None:
            _refuse_deep(name, images)
        else:
            _check_bands(list(_files(name)), reader, channels, config)


def _refuse_deep(name: str, images: Depth) -> None:
    report = check_dataset(name, images=images) if images in ("size", "decode") else None
    if report is None:
        for path in _files(name):
            refuse_deep(path)
        return
    for note in report.notes:
        if note.kind == DEEP:
            raise DatasetError(f"data set {name}: {note}")


def _files(name: str) -> Iterator[str]:
    """The pictures of a data set, there or not."""
    metadata = MetadataCatalog.get(name)
    json_file, root = metadata.get("json_file"), metadata.get("image_root") or ""
    records: Sequence[dict] = (
        read_coco(json_file)["images"] if json_file else DatasetCatalog.get(name)
    )
    for record in records:
        if isinstance(record.get("file_name"), str):
            yield os.path.join(root, record["file_name"])


def _check_bands(
    files: list[str], reader: PixelReader, channels: int | None, config: "Config"
) -> None:
    seen: dict[tuple, bool] = {}
    for path in files:
        layout = read_layout(path)
        if not layout.bands:  # no header that says it: one of these is decoded
            if not os.path.isfile(path) or seen.get(()):
                continue
            seen[()] = True
            layout = read_samples(path)[1]
        kind = (layout.bands, layout.alpha)
        if seen.get(kind):
            continue
        seen[kind] = True
        selection = reader.select(layout, path)
        reader.fixed_limits(len(selection.bands), path)
        if channels is not None and selection.channels != channels:
            raise UserError(
                f"{path}: {layout}, of which the reader gives {selection.channels} channels, but "
                f"{config.mean_key} has {channels} values: choose {channels} bands "
                f"(INPUT.PIXELS.BANDS), or give {config.mean_key} one value a channel"
            )
