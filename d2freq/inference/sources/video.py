"""The frames of a video, decoded one after another by OpenCV."""

import logging
from collections.abc import Iterator

from d2freq.errors import DatasetError
from d2freq.inference.detections import Picture
from d2freq.inference.sources.decoded import Decoded
from d2freq.inference.sources.source import OpenPicture

__all__ = ["VIDEOS", "frame_count", "open_frames"]

logger = logging.getLogger(__name__)

ESTIMATE = 0.01  # by which a header may be wrong that only knows duration and rate
VIDEOS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")


def open_frames(path: str, *, name: str, first_id: int) -> Iterator[OpenPicture]:
    """Each frame as a picture of its own, ``NAME/frame_000000`` on, numbered from ``first_id``.

    Raises:
        DatasetError: the file is missing, or holds no frame that OpenCV decodes. A warning says
            where there are fewer than its header promises.
    """
    import cv2

    video = cv2.VideoCapture(path)
    number = 0
    try:
        while True:
            there, bgr = video.read()
            if not there:
                break
            height, width = bgr.shape[:2]
            picture = Picture(
                f"{name}/frame_{number:06d}", path, width, height, first_id + number, frame=number
            )
            yield Decoded(picture, bgr[:, :, ::-1])
            number += 1
    finally:
        video.release()
    if not number:
        raise DatasetError(
            f"{path}: OpenCV decodes no frame of it; fetch it again, or convert it to MP4 (H.264)"
        )
    promised = frame_count(path)
    if number < promised * (1 - ESTIMATE) - 1:
        logger.warning(
            "%s: %d frames could be decoded of the %d that its header promises: it is cut off or "
            "damaged; what comes behind was not searched",
            *(path, number, promised),
        )


def frame_count(path: str) -> int:
    """How many frames the header promises, for a progress bar; 1 where it promises none."""
    import cv2

    video = cv2.VideoCapture(path)
    try:
        return max(1, int(video.get(cv2.CAP_PROP_FRAME_COUNT)))
    finally:
        video.release()
