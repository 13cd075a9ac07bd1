"""The second of DETR's two policies: a window of the image at another scale.

H x W pixels, N boxes (x0, y0, x1, y1).

Source: Carion et al. 2020, "End-to-End Object Detection with Transformers": half of the images are
resized as ever; of the others the short side is first brought to 400, 500 or 600 pixels and a
window of 384 to 600 pixels a side is cut, which is resized as the others are.
"""

from collections.abc import Sequence

import numpy as np
from detectron2.data.transforms import Augmentation, ResizeShortestEdge, TransformList
from fvcore.transforms.transform import CropTransform, NoOpTransform, Transform

from d2freq.data.augmentation.rotation import check_probability
from d2freq.errors import UserError

# ruff: noqa: NPY002 - the global generator is the one that the loader seeds

__all__ = ["ResizeThenRandomCrop"]


class ResizeThenRandomCrop(Augmentation):
    """Resize, then cut a random window of random size; or, by chance, neither.

    Put the resize of all images behind it, ``ResizeShortestEdge`` of 480 to 800 pixels in DETR's
    case, and both policies are there.

    Examples:
        >>> import numpy as np
        >>> from d2freq.data.augmentation import ResizeThenRandomCrop
        >>> step = ResizeThenRandomCrop([40, 50], [30, 36], prob=1.0)
        >>> image = np.zeros((100, 200, 3), np.uint8)
        >>> window = step.get_transform(image).apply_image(image)
        >>> all(30 <= side <= 36 for side in window.shape[:2])
        True
    """

    def __init__(
        self,
        short_sides: Sequence[int] = (400, 500, 600),
        crop_range: Sequence[int] = (384, 600),
        *,
        prob: float = 0.5,
    ) -> None:
        """Set sizes and odds.

        Args:
            short_sides: lengths in pixels to which the shorter side is brought, one drawn.
            crop_range: least and greatest height of the window in pixels, and width likewise; both
                are cut to the image where that is smaller.
            prob: how often; 0.5 in DETR.

        Raises:
            UserError: what is no length, no range or no probability.
        """
        check_probability("ResizeThenRandomCrop", prob)
        if not short_sides or min(short_sides) < 1:
            raise UserError(
                f"ResizeThenRandomCrop: short_sides {list(short_sides)}: lengths of at least 1 "
                "pixel (INPUT.AUGMENT.RESIZE_CROP_SIDES)"
            )
        if len(crop_range) != 2 or not 1 <= crop_range[0] <= crop_range[1]:
            raise UserError(
                f"ResizeThenRandomCrop: crop_range {list(crop_range)}: the least and the greatest "
                "side in pixels (INPUT.AUGMENT.RESIZE_CROP_RANGE)"
            )
        self._init(locals())

    def get_transform(self, image: np.ndarray) -> Transform:
        """Draw whether, the short side, the window's height and width, its top and left."""
        if np.random.uniform() >= self.prob:
            return NoOpTransform()
        sides = [int(side) for side in self.short_sides]
        first = ResizeShortestEdge(sides, sample_style="choice").get_transform(image)
        size = first.new_h, first.new_w
        least, greatest = self.crop_range
        window = [np.random.randint(min(s, least), min(s, greatest) + 1) for s in size]
        top, left = (np.random.randint(s - w + 1) for s, w in zip(size, window, strict=True))
        return TransformList([first, CropTransform(left, top, window[1], window[0])])
