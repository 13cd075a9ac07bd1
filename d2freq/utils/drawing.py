"""What all pictures of detections have alike: colours, labels beside boxes, a scale.

Drawings are (h, w, 3) uint8, RGB, changed in place; h x w are pixels of the drawing, which shows
the picture enlarged or scaled down by ``zoom``.
"""

from collections.abc import Sequence

import numpy as np

__all__ = ["ALARM", "HIT", "INK", "MISSED", "Labels", "add_scale", "write_line"]

Colour = tuple[int, int, int]

# as the report has them, in page/script/data.js; amber is told from green and red by more people
HIT: Colour = (46, 230, 114)
ALARM: Colour = (255, 179, 26)  # a false alarm
MISSED: Colour = (255, 77, 109)

DARK, LIGHT, INK = (5, 8, 14), (255, 255, 255), (20, 20, 20)
COVER = 0.85  # of the picture, under letters: less leaves purple on white unreadable
SMALL = 0.42  # of OpenCV's letters: capitals of some 9 pixels
STEPS = (1, 2, 5)  # a scale is one of these times a power of ten


class Labels:
    """Words beside boxes, each where it covers neither another word nor a box.

    Args:
        drawing: that they are written on.
        boxes: (N, 4) x0, y0, x1, y1 of everything that must stay visible.
    """

    def __init__(self, drawing: np.ndarray, boxes: np.ndarray) -> None:
        self._drawing = drawing
        self._taken = np.asarray(boxes, float).reshape(-1, 4)

    def write(self, text: str, box: Sequence[float] | np.ndarray, colour: Colour) -> bool:
        """Write above the box, below it or beside it; False where there is no room."""
        import cv2

        (width, height), under = cv2.getTextSize(plain(text), cv2.FONT_HERSHEY_SIMPLEX, SMALL, 1)
        width, height = width + 4, height + under + 2
        x0, y0, x1, y1 = (round(float(edge)) for edge in box)
        places = ((x0, y0 - height - 1), (x0, y1 + 2), (x1 + 2, y0), (x0 - width - 2, y0))
        for left, top in places:
            place = np.array([left, top, left + width, top + height], float)
            if self._is_free(place):
                self._taken = np.vstack([self._taken, place])
                ground = self._drawing[top : top + height, left : left + width]
                ground[:] = np.round((1 - COVER) * ground + COVER * np.array(DARK)).astype(np.uint8)
                write_line(self._drawing, text, left + 2, top + height - under, colour, SMALL)
                return True
        return False

    def _is_free(self, place: np.ndarray) -> bool:
        high, wide = self._drawing.shape[:2]
        if place[0] < 0 or place[1] < 0 or place[2] > wide or place[3] > high:
            return False
        corner = np.maximum(self._taken[:, :2], place[:2])
        end = np.minimum(self._taken[:, 2:], place[2:])
        return not (corner < end).all(axis=1).any()


def add_scale(strip: np.ndarray, zoom: float, *, middle: int) -> None:
    """A bar of a round number of the picture's pixels at the right end of a white strip.

    Args:
        strip: (h, w, 3) below the drawing.
        zoom: pixels of the drawing for one of the picture.
        middle: the row of the bar.
    """
    import cv2

    wide = strip.shape[1]
    pixels = _round(wide / 8 / zoom)
    length, text = round(pixels * zoom), f"{pixels:,} px"
    words = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)[0][0]
    left = wide - 10 - length
    if left - words - 8 < 0:
        return  # a picture too narrow for one
    write_line(strip, text, left - words - 8, middle + 5, INK, 0.45)
    for x in (left, left + length):
        cv2.line(strip, (x, middle - 5), (x, middle + 5), INK, 1)
    cv2.line(strip, (left, middle), (left + length, middle), INK, 2)


def _round(wish: float) -> int:
    """The largest of 1, 2, 5, 10, 20 ... that is not above the wish; 1 at least."""
    power = 10 ** int(np.floor(np.log10(max(wish, 1))))
    return max(step * power for step in STEPS if step * power <= max(wish, 1))


def write_line(
    drawing: np.ndarray, text: str, left: int, base: int, colour: Colour, size: float
) -> int:
    """Write a line of text from ``left`` on its base line; returns where it ends."""
    import cv2

    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(drawing, plain(text), (left, base), font, size, colour, 1, cv2.LINE_AA)
    return left + cv2.getTextSize(plain(text), font, size, 1)[0][0]


def plain(text: str) -> str:
    """The text in the letters that OpenCV has, those of ASCII."""
    return text.encode("ascii", "replace").decode()
