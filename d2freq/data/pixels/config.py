"""Keys of the reader of pictures, INPUT.PIXELS, and the reader that a YAML config asks for.

A lazy config gives its mappers ``pixels=L(PixelReader)(...)``: ``with_pixels`` of
configs/_base_/pixels.py does it for both loaders.
"""

from detectron2.config import CfgNode as CN

from d2freq.data.pixels.measure import measured
from d2freq.errors import UserError
from d2freq.utils.own_keys import PREFIX, own_keys
from d2freq.utils.pixels import PixelReader
from d2freq.utils.pixels.reader import PERCENTILES

__all__ = ["pixel_keys", "reader_of"]


def pixel_keys() -> CN:
    """INPUT.PIXELS: for pictures of 10 to 16 bits, floating point, one band or many."""
    node = CN()
    # What becomes 0 and 255, in the file's numbers. None, the default: pictures are of 8 bits and
    # read by Detectron2; others are refused. [low, high]: fixed, for all bands, or a pair for each
    # band. "image": PERCENTILES of each picture, of each band by itself. "dataset": PERCENTILES of
    # the training data, measured once and written into config.yaml.
    node.RANGE = None
    # Numbers of the file's bands from 1 on, in the order of the model's channels, as many as
    # MODEL.PIXEL_MEAN has values. Empty: all but alpha, grey and RGB as INPUT.FORMAT says.
    node.BANDS = []
    # Low and high, of the ranges that are measured; [0, 100] takes least and greatest values.
    node.PERCENTILES = list(PERCENTILES)
    return node


def reader_of(cfg: CN) -> PixelReader | None:
    """The reader that INPUT.PIXELS asks for; None where Detectron2 reads.

    Raises:
        UserError: a value that no reader takes, or bands without a range.
        DatasetError: the training data have to be measured, and cannot be read.
    """
    if not {"PIXELS", f"{PREFIX}PIXELS"} & set(cfg.INPUT):  # a pipeline without d2freq's keys
        return None
    keys = own_keys(cfg, "INPUT.PIXELS", pixel_keys())
    if keys.RANGE is None:
        if len(keys.BANDS):
            raise UserError(
                "INPUT.PIXELS.BANDS chooses bands, but INPUT.PIXELS.RANGE is not set: give the "
                "values that matter, [0, 255] for pictures of 8 bits"
            )
        return None
    reader = PixelReader(
        keys.RANGE, bands=keys.BANDS, order=cfg.INPUT.FORMAT, percentiles=keys.PERCENTILES
    )
    return measured(reader, cfg.DATASETS.TRAIN)
