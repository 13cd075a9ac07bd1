"""Pictures of every depth: what their files say, their samples, and their way to a model.

``look_at`` and ``read_layout`` look at headers; ``read_rgb`` reads 8 bits as Detectron2 does and
refuses what would lose bits or bands; ``PixelReader`` reads those, by a range and a choice of
bands; ``read_samples`` gives what the file holds, and ``read_preview`` something to look at.
"""

from d2freq.utils.pixels.eight_bit import FORMATS, check_size, read_rgb, write_rgb
from d2freq.utils.pixels.grey import read_grey
from d2freq.utils.pixels.layout import Layout, read_layout
from d2freq.utils.pixels.limits import any_size
from d2freq.utils.pixels.look import (
    EMPTY,
    LOST,
    MISSING,
    TRUNCATED,
    UNREADABLE,
    Look,
    look_at,
)
from d2freq.utils.pixels.preview import read_preview
from d2freq.utils.pixels.reader import PixelReader
from d2freq.utils.pixels.refusal import CURE, refuse_deep
from d2freq.utils.pixels.samples import read_samples
from d2freq.utils.pixels.write import write_samples

__all__ = [
    "CURE",
    "EMPTY",
    "FORMATS",
    "LOST",
    "MISSING",
    "TRUNCATED",
    "UNREADABLE",
    "Layout",
    "Look",
    "PixelReader",
    "any_size",
    "check_size",
    "look_at",
    "read_grey",
    "read_layout",
    "read_preview",
    "read_rgb",
    "read_samples",
    "refuse_deep",
    "write_rgb",
    "write_samples",
]
