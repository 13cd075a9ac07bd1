"""Label Studio's brushed masks: run lengths of RGBA pixels, packed to the bit.

The bytes hold, most significant bit first: 32 bits, how many values there are; 5 bits, the bits of
a value less one; four times 4 bits, the bits of a count less one; and then packets. A packet has
one bit that says whether one value is repeated, two bits that choose one of the four sizes, the
count less one in so many bits, and the value, or so many values.
"""

import numpy as np

from d2freq.errors import UserError

CHANNELS = 4  # RGBA; what is drawn has an alpha above 0


def brush_mask(packed: object, size: tuple[int, int], place: str) -> np.ndarray:
    """(H, W) bool, what is drawn.

    Args:
        packed: the list of bytes.
        size: (width, height).

    Raises:
        UserError: it is no such list, cut off, or of another size; ``place`` begins the message.
    """
    try:
        values = _unpacked(np.array(packed, np.uint8).ravel())
    except (TypeError, ValueError, OverflowError, IndexError) as error:
        raise UserError(f"{place}: its rle is no brushed mask ({error}); export again") from error
    width, height = size
    if len(values) != width * height * CHANNELS:
        raise UserError(
            f"{place}: a mask of {len(values) // CHANNELS} pixels, but the image has {width} x "
            f"{height}; give the images that were labelled"
        )
    return values.reshape(height, width, CHANNELS)[:, :, -1] > 0


def _unpacked(data: np.ndarray) -> np.ndarray:
    bits = np.unpackbits(data)
    place = 0

    def read(count: int) -> int:
        nonlocal place
        if place + count > len(bits):
            raise ValueError(f"cut off at bit {len(bits)}")
        number = int("".join(map(str, bits[place : place + count])), 2)
        place += count
        return number

    total, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    values = np.zeros(total, np.uint8)
    done = 0
    while done < total:
        repeated = read(1)
        count = read(sizes[read(2)]) + 1
        if repeated:
            values[done : done + count] = read(word)
        else:
            values[done : done + count] = [read(word) for _ in range(min(count, total - done))]
        done += count
    return values
