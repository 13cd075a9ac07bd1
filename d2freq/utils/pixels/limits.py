"""Pillow's limit of pixels, lifted where pictures are huge by nature."""

from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

__all__ = ["any_size"]


@contextmanager
def any_size() -> Iterator[None]:
    """Lift Pillow's limit of 179 million pixels."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit
