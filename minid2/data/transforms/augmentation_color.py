"""Augmentations of colour: each mixes the image with a second one, by a random weight.

Images are (H, W, C), uint8 or floating point.
"""

import numpy as np
from fvcore.transforms.transform import BlendTransform

from .augmentation import Augmentation

# ruff: noqa: NPY002 - the global generator is the one that the loader seeds in each worker

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601

# Principal components of ImageNet's RGB values in [0, 1] (Krizhevsky et al., AlexNet, 4.1).
_RGB_VARIANCES = np.array([0.2175, 0.0188, 0.0045])
_RGB_AXES = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
)


class _RandomIntensity(Augmentation):
    """``intensity * image + (1 - intensity) * reference``, with a random intensity."""

    def __init__(self, intensity_min: float, intensity_max: float):
        """Set the range.

        Args:
            intensity_min: least intensity; below 1 moves towards the reference.
            intensity_max: greatest; above 1 moves away from it. 1 leaves the image as it is.
        """
        super().__init__()
        self._init(locals())

    def _reference(self, image: np.ndarray) -> np.ndarray | float:
        raise NotImplementedError

    def get_transform(self, image: np.ndarray) -> BlendTransform:
        intensity = np.random.uniform(self.intensity_min, self.intensity_max)
        return BlendTransform(
            src_image=self._reference(image), src_weight=1 - intensity, dst_weight=intensity
        )


class RandomBrightness(_RandomIntensity):
    """Towards black, or away from it."""

    def _reference(self, image: np.ndarray) -> float:
        return 0


class RandomContrast(_RandomIntensity):
    """Towards the image's mean, or away from it."""

    def _reference(self, image: np.ndarray) -> float:
        return image.mean()


class RandomSaturation(_RandomIntensity):
    """Towards the grey image, or away from it; the image is RGB."""

    def _reference(self, image: np.ndarray) -> np.ndarray:
        _require_rgb(self, image)
        return image.dot(_LUMA)[..., np.newaxis]


class RandomLighting(Augmentation):
    """AlexNet's colour shift along the principal components of ImageNet; the image is RGB."""

    def __init__(self, scale: float):
        """Set the strength.

        Args:
            scale: standard deviation of the weight of each component.
        """
        super().__init__()
        self._init(locals())

    def get_transform(self, image: np.ndarray) -> BlendTransform:
        """Draw the three weights."""
        _require_rgb(self, image)
        weights = np.random.normal(scale=self.scale, size=3)
        shift = _RGB_AXES.dot(weights * _RGB_VARIANCES)
        return BlendTransform(src_image=shift, src_weight=1.0, dst_weight=1.0)


def _require_rgb(aug: Augmentation, image: np.ndarray) -> None:
    assert image.shape[-1] == 3, (
        f"{type(aug).__name__} only works on RGB images, got shape {image.shape}; "
        "set INPUT.FORMAT to RGB"
    )
