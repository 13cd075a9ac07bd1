"""An augmentation looks at its input and chooses a transform; this file has the machinery.

N boxes, H x W pixels, C channels.
"""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from fvcore.transforms.transform import Transform, TransformList


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

    _init = Transform._set_attributes  # stores a constructor's locals(); repr shows them
    __repr__ = Transform.__repr__
    __str__ = __repr__

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
        wanted = self.input_args
        if wanted is None:
            parameters = inspect.signature(self.get_transform).parameters.values()
            # get_transform(self, *args) sees the image
            wanted = tuple(p.name for p in parameters if p.kind != p.VAR_POSITIONAL) or ("image",)
        tfm = self.get_transform(*(getattr(aug_input, name) for name in wanted))
        assert isinstance(tfm, (Transform, TransformList)), (
            f"{type(self)}.get_transform must return an instance of Transform, got {type(tfm)}"
        )
        aug_input.transform(tfm)
        return tfm


Augmentations = Sequence[Augmentation | Transform]


class AugmentationList(Augmentation):
    """Augmentations one after the other; each sees what the ones before it made."""

    def __init__(self, augs: Augmentations):
        """Keep the sequence; plain transforms are welcome."""
        for item in augs:
            assert isinstance(item, (Augmentation, Transform)), f"not an Augmentation: {item!r}"
        self.augs = list(augs)

    def __call__(self, aug_input: Any) -> TransformList:
        """Apply all, in place, and return the list of what was done."""
        done = []
        for item in self.augs:
            if isinstance(item, Augmentation):
                done.append(item(aug_input))
            else:
                aug_input.transform(item)
                done.append(item)
        return TransformList(done)

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

    def apply_augmentations(self, augmentations: Augmentations) -> TransformList:
        """Apply all, in place, and return the list of what was done."""
        return AugmentationList(augmentations)(self)


def apply_augmentations(augmentations: Augmentations, inputs: Any) -> tuple[Any, TransformList]:
    """Apply all to an image or an :class:`AugInput`; return it as it came, and what was done."""
    held = AugInput(inputs) if isinstance(inputs, np.ndarray) else inputs
    done = AugmentationList(augmentations)(held)
    return (held.image if isinstance(inputs, np.ndarray) else held), done


# the names that these had before 2020
StandardAugInput, TransformGen, apply_transform_gens = AugInput, Augmentation, apply_augmentations
