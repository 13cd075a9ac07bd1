"""A picture's pixels for the page: one JPEG of the whole, and sharp windows where objects lie.

A page of bounded size holds no picture of 10,000 pixels. Such a picture is scaled down, and
windows of full resolution are laid over it where there is something to see.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from d2freq.inference.outputs.run_info import Window

__all__ = ["Shown", "show"]

LONGEST = 2048  # pixels of the longer side of the whole
SMALLEST = 320  # to which it is scaled down at most where bytes are few
SIDE = 256  # pixels of a sharp window
MARGIN = 12  # pixels around an object that its window has to show
WINDOWS = 150  # of a picture at most
QUALITY = 88
OF_WHOLE = 0.6  # share of a picture's bytes that the whole may take where it is scaled down

Read = Callable[[Window, tuple[int, int]], np.ndarray]


@dataclass(frozen=True)
class Shown:
    """What a page shows of a picture.

    Attributes:
        whole: JPEG in base64.
        width: pixels of ``whole``.
        windows: (x0, y0, x1, y1) of the picture.
        sharp: their pixels, JPEG in base64 each.
    """

    whole: str
    width: int
    windows: list[Window]
    sharp: list[str]

    @property
    def size(self) -> int:
        """Bytes in the page."""
        return len(self.whole) + sum(map(len, self.sharp))


def show(read: Read, width: int, height: int, boxes: np.ndarray, budget: int) -> Shown:
    """The pixels of a picture in at most about ``budget`` bytes.

    Args:
        read: (window, (width, height)) -> pixels, of this picture.
        boxes: (N, 4) corners, what is most worth seeing first.
        budget: bytes; the whole is shown at SMALLEST pixels even where that takes more.
    """
    whole: Window = (0, 0, width, height)
    scale = min(1.0, LONGEST / max(width, height))
    share = 1.0 if scale == 1 else OF_WHOLE
    while True:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        text = _jpeg(read(whole, size))
        if len(text) <= share * budget or max(size) <= SMALLEST:
            break
        # what is not shown in full gives bytes to windows
        share = OF_WHOLE
        scale *= max(0.5, min(0.9, (share * budget / len(text)) ** 0.5))
        scale = max(scale, SMALLEST / max(width, height))
    windows: list[Window] = []
    sharp: list[str] = []
    left = budget - len(text)
    if size[0] < width:
        for window in choose_windows(boxes, width, height):
            text_of = _jpeg(read(window, (window[2] - window[0], window[3] - window[1])))
            left -= len(text_of)
            if left < 0:
                break
            windows.append(window)
            sharp.append(text_of)
    return Shown(text, size[0], windows, sharp)


def choose_windows(boxes: np.ndarray, width: int, height: int) -> list[Window]:
    """Windows around boxes (N, 4), at most WINDOWS, none of them for a box that another shows."""
    windows: list[Window] = []
    for x0, y0, x1, y1 in boxes.tolist():
        if len(windows) == WINDOWS:
            break
        shown = any(
            a <= max(x0 - MARGIN, 0)
            and b <= max(y0 - MARGIN, 0)
            and c >= min(x1 + MARGIN, width)
            and d >= min(y1 + MARGIN, height)
            for a, b, c, d in windows
        )
        # what is as large as a window is seen without one
        if not shown and max(x1 - x0, y1 - y0) + 2 * MARGIN <= SIDE:
            left = _start((x0 + x1) / 2, width)
            top = _start((y0 + y1) / 2, height)
            windows.append((left, top, min(left + SIDE, width), min(top + SIDE, height)))
    return windows


def _start(centre: float, length: int) -> int:
    return max(0, min(round(centre - SIDE / 2), length - SIDE))


def _jpeg(pixels: np.ndarray) -> str:
    import cv2

    options = [
        *(cv2.IMWRITE_JPEG_QUALITY, QUALITY),
        # full chroma: halved, it blurs objects of a few pixels
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ]
    encoded = cv2.imencode(".jpg", np.ascontiguousarray(pixels[:, :, ::-1]), options)[1]
    return base64.b64encode(encoded.tobytes()).decode("ascii")
