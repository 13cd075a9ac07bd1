"""A scene as other sensors than a camera see it: 12 bits in files of 16, infrared, four bands.

Shape legend: S x S pixels, B bands.
"""

import numpy as np

from d2freq.errors import UserError

__all__ = ["BANDS", "BITS", "WHITE", "as_sensor", "check_sensor"]

BITS, BANDS = (8, 16), (1, 3, 4)
WHITE = 4095  # of 12 bits, as many infrared and satellite sensors have
GREY = (0.299, 0.587, 0.114)  # of red, green, blue


def check_sensor(bits: int, bands: int) -> None:
    """Raise UserError for another number of bits or bands than there is."""
    if bits not in BITS or bands not in BANDS:
        raise UserError(f"bits={bits}, bands={bands}: scenes have 8 or 16 bits and 1, 3 or 4 bands")


def as_sensor(image: np.ndarray, bits: int, bands: int) -> np.ndarray:
    """(S, S, 3) uint8 BGR as (S, S, B), uint8, or uint16 with white at 4095.

    One band is grey, three are red, green and blue; the fourth stands for near infrared, in which
    what is green is bright and what is blue is dark.
    """
    rgb = image[:, :, ::-1].astype(np.float64)
    if bands == 1:
        found = (rgb @ np.array(GREY))[:, :, None]
    elif bands == 4:
        infrared = np.clip(1.5 * rgb[:, :, 1] - 0.5 * rgb[:, :, 2], 0, 255)
        found = np.concatenate([rgb, infrared[:, :, None]], axis=2)
    else:
        found = rgb
    if bits == 8:
        return np.rint(found).astype(np.uint8)
    return np.rint(found * (WHITE / 255)).astype(np.uint16)
