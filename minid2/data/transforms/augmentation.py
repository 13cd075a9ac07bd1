"""An augmentation looks at its input and chooses a transform; this file has the machinery.

N boxes, H x W pixels, C channels.
"""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from fvcore.transforms.transform import Transform, TransformList

__all__ = [
    "AugInput",
    "Augmentation",
    "AugmentationList",
    "StandardAugInput",
    "apply_augmentations",
]


class Augmentation:
    """A policy that chooses a :class:`Transform`, often at random.

    A subclass writes ``get_transform(self, image, boxes, ...)``: the names of its arguments say
    which attributes of the input it wants to see. Random policies draw from numpy's global
    generator, which the loader seeds in each worker.
    """

    # The input's attributes that get_transform takes; None: read from its signature.
    input_args: tuple[str, ...] | None = None

    if TYPE_CHECKING:  # the attributes that _init sets

        def __getattr__(self, name: str) -> Any: ...

    def _init(self, params: dict[str, Any] | None = None) -> None:
        """Store a constructor's ``locals()`` as attributes, for ``repr``."""
        Transform._set_attributes(
            self, {k: v for k, v in (params or {}).items() if k != "__class__"}
        )

    def get_transform(self, *args: Any) -> Transform:
        """Choose a transform.

        Args:
            args: attributes of the input, by the names that a subclass gives its arguments:
                ``image`` (H, W) or (H, W, C), ``boxes`` (N, 4) as x1, y1, x2, y2.
        """
        raise NotImplementedError(f"{type(self).__name__} chooses no transform of its own")

    def __call__(self, aug_input: Any) -> Transform:
        """Transform ``aug_input`` in place, and return what was done.

        Args:
            aug_input: has the attributes that ``get_transform`` asks for, and a
                ``transform(tfm)`` method; see :class:`AugInput`.

        Raises:
            AttributeError: the input lacks such an attribute.
        """
        tfm = self.get_transform(*(_attribute(self, aug_input, name) for name in _wanted(self)))
        assert isinstance(tfm, (Transform, TransformList)), (
            f"{type(self)}.get_transform must return an instance of Transform! "
            f"Got {type(tfm)} instead."
        )
        aug_input.transform(tfm)
        return tfm

    __repr__ = Transform.__repr__
    __str__ = __repr__


def _wanted(aug: Augmentation) -> tuple[str, ...]:
    """The names of the arguments of ``get_transform``."""
    if aug.input_args is not None:
        return aug.input_args
    parameters = inspect.signature(aug.get_transform).parameters.values()
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return tuple(named) or ("image",)  # get_transform(self, *args) sees the image


def _attribute(aug: Augmentation, aug_input: Any, name: str) -> Any:
    try:
        return getattr(aug_input, name)
    except AttributeError as error:
        raise AttributeError(
            f"{type(aug)}.get_transform needs input attribute '{name}', but it is not an attribute "
            f"of {type(aug_input)}!"
        ) from error


class _Always(Augmentation):
    """The policy that always chooses the given transform."""

    def __init__(self, tfm: Transform):
        self.tfm = tfm

    def get_transform(self, *args: Any) -> Transform:
        return self.tfm

    def __repr__(self) -> str:
        return repr(self.tfm)


def as_augmentation(item: "Augmentation | Transform") -> Augmentation:
    """Accept a plain transform where an augmentation is wanted."""
    if isinstance(item, Augmentation):
        return item
    assert isinstance(item, Transform), f"expected an Augmentation or a Transform, got {item!r}"
    return _Always(item)


class AugmentationList(Augmentation):
    """Augmentations one after the other; each sees what the ones before it made."""

    def __init__(self, augs: "Sequence[Augmentation | Transform]"):
        """Keep the sequence; plain transforms are welcome."""
        self.augs = [as_augmentation(item) for item in augs]

    def __call__(self, aug_input: Any) -> TransformList:
        """Apply all, in place, and return the list of what was done."""
        return TransformList([aug(aug_input) for aug in self.augs])

    def __repr__(self) -> str:
        return f"AugmentationList[{', '.join(map(repr, self.augs))}]"

    __str__ = __repr__


class AugInput:
    """An image with what moves along with it; attributes change in place."""

    def __init__(
        self,
        image: np.ndarray,
        *,
        boxes: np.ndarray | None = None,
        sem_seg: np.ndarray | None = None,
    ):
        """Hold the data.

        Args:
            image: (H, W) or (H, W, C), uint8 in [0, 255] or floating point.
            boxes: (N, 4) as x1, y1, x2, y2 in pixels.
            sem_seg: (H, W) labels.
        """
        assert isinstance(image, np.ndarray), f"an image is a numpy array, got {type(image)}"
        assert image.ndim in (2, 3), f"an image is (H, W) or (H, W, C), got {image.shape}"
        self.image = image
        self.boxes = boxes
        self.sem_seg = sem_seg

    def transform(self, tfm: Transform) -> None:
        """Apply one transform to everything held here."""
        self.image = tfm.apply_image(self.image)
        if self.boxes is not None:
            self.boxes = tfm.apply_box(self.boxes)
        if self.sem_seg is not None:
            self.sem_seg = tfm.apply_segmentation(self.sem_seg)

    def apply_augmentations(
        self, augmentations: "Sequence[Augmentation | Transform]"
    ) -> TransformList:
        """As ``AugmentationList(augmentations)(self)``."""
        return AugmentationList(augmentations)(self)


def apply_augmentations(
    augmentations: "Sequence[Augmentation | Transform]", inputs: AugInput | np.ndarray
) -> tuple[AugInput | np.ndarray, TransformList]:
    """Apply augmentations to an input, or to a bare image.

    Args:
        augmentations: the sequence.
        inputs: an :class:`AugInput`, changed in place, or an image.

    Returns:
        The transformed input (an image for an image), and what was done.
    """
    if isinstance(inputs, np.ndarray):
        held = AugInput(inputs)
        tfms = held.apply_augmentations(augmentations)
        return held.image, tfms
    return inputs, inputs.apply_augmentations(augmentations)


StandardAugInput = AugInput  # the older name
