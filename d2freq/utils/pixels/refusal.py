"""The one line that a picture of many bits or bands gets where no reader was chosen for it."""

import os

from d2freq.errors import DatasetError
from d2freq.utils.pixels.layout import read_layout

__all__ = ["CURE", "refuse_deep"]

CURE = (
    "set INPUT.PIXELS.RANGE to the values that matter, such as [0, 4095], or to 'image', and "
    "INPUT.PIXELS.BANDS to the bands in the model's order (docs/pixels.md)"
)


def refuse_deep(path: str | os.PathLike, *, cure: str = CURE) -> None:
    """Raise DatasetError where reading a file as 8-bit grey or RGB would lose bits or bands.

    A look at the header; a file that is missing or broken is left to whoever reads its pixels.

    Args:
        cure: what is to be done, the end of the message.
    """
    layout = read_layout(path)
    if not layout.plain:
        raise DatasetError(
            f"{os.fspath(path)}: {layout}; read as 8-bit grey or RGB it would lose of them: {cure}"
        )
