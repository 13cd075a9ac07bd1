"""Keys of the augmentations, INPUT.AUGMENT, and the mapper that a YAML config asks for.

A lazy config names ``AugmentingDatasetMapper`` and its augmentations instead; docs/training.md
shows both.
"""

from detectron2.config import CfgNode as CN
from detectron2.data.detection_utils import build_augmentation
from detectron2.data.transforms import RandomCrop

from d2freq.data.augmentation.copy_paste import CopyPaste
from d2freq.data.augmentation.mapper import AugmentingDatasetMapper
from d2freq.data.augmentation.mosaic import Mosaic
from d2freq.data.augmentation.object_crop import RandomObjectCrop
from d2freq.data.augmentation.resize_crop import ResizeThenRandomCrop
from d2freq.data.augmentation.rotation import RandomAngle, RandomRotation90
from d2freq.data.pixels.config import reader_of
from d2freq.errors import UserError
from d2freq.utils.own_keys import own_keys

__all__ = ["augment_keys", "augmenting_mapper"]


def augment_keys() -> CN:
    """INPUT.AUGMENT: each a probability for an image of training, 0 for never."""
    node = CN()
    # Four windows of four images, at their own scale.
    node.MOSAIC = 0.0
    # Copies of tiny objects at free places.
    node.COPY_PASTE = 0.0
    # How many copies an image gets at most.
    node.COPY_PASTE_COPIES = 3
    # "image" | "dataset": copies are of objects of the image itself, or of another one.
    node.COPY_PASTE_SOURCE = "image"
    # A window that holds a tiny object; in the place of INPUT.CROP.
    node.OBJECT_CROP = 0.0
    # Height and width of that window in pixels.
    node.OBJECT_CROP_SIZE = [256, 256]
    # DETR's second policy, 0.5 there: the shorter side is brought to one of the lengths, and a
    # window is cut whose height and width are drawn from the range; INPUT's resize follows, as for
    # the other images. In the place of INPUT.CROP and OBJECT_CROP.
    node.RESIZE_CROP = 0.0
    # Those lengths in pixels.
    node.RESIZE_CROP_SIDES = [400, 500, 600]
    # The least and the greatest side of the window in pixels.
    node.RESIZE_CROP_RANGE = [384, 600]
    # Square root of a box's area in pixels up to which an object is copied, or cropped around.
    node.MAX_OBJECT_SIZE = 32.0
    # 90, 180 or 270 degrees; 0.75 makes the four directions equally likely.
    node.ROTATE_90 = 0.0
    # At most so many degrees, up to 45, either way; 0 for none.
    node.ROTATE_ANGLE = 0.0
    # An object of which a smaller share is left is not trained on, and counted: the metrics
    # left_out/hardly_visible and left_out/outside. It is that of `d2freq convert tiles`.
    node.MIN_VISIBLE = 0.3
    return node


def augmenting_mapper(cfg: CN) -> AugmentingDatasetMapper | None:
    """The mapper that INPUT.AUGMENT asks for, before resize and flip; None where all is off.

    Raises:
        UserError: a value that no augmentation takes, or two kinds of crop.
    """
    keys, crop = own_keys(cfg, "INPUT.AUGMENT", augment_keys()), cfg.INPUT.CROP
    steps: list = []
    if keys.MOSAIC:
        steps.append(Mosaic(keys.MOSAIC))
    if keys.COPY_PASTE:
        steps.append(
            CopyPaste(
                keys.COPY_PASTE,
                copies=keys.COPY_PASTE_COPIES,
                max_size=keys.MAX_OBJECT_SIZE,
                source=keys.COPY_PASTE_SOURCE,
            )
        )
    crops = {
        "INPUT.AUGMENT.OBJECT_CROP": keys.OBJECT_CROP,
        "INPUT.AUGMENT.RESIZE_CROP": keys.RESIZE_CROP,
        "INPUT.CROP.ENABLED": crop.ENABLED,
    }
    on = [name for name, value in crops.items() if value]
    if len(on) > 1:
        raise UserError(f"{on[0]} and {on[1]} are two crops: take one")
    if keys.OBJECT_CROP:
        steps.append(
            RandomObjectCrop(
                keys.OBJECT_CROP_SIZE, max_size=keys.MAX_OBJECT_SIZE, prob=keys.OBJECT_CROP
            )
        )
    if keys.RESIZE_CROP:
        steps.append(
            ResizeThenRandomCrop(
                keys.RESIZE_CROP_SIDES, keys.RESIZE_CROP_RANGE, prob=keys.RESIZE_CROP
            )
        )
    if keys.ROTATE_90:
        steps.append(RandomRotation90(keys.ROTATE_90))
    if keys.ROTATE_ANGLE:
        steps.append(RandomAngle(keys.ROTATE_ANGLE))
    if not steps:
        return None
    for key in ("KEYPOINT_ON", "LOAD_PROPOSALS"):
        if cfg.MODEL[key]:
            raise UserError(f"INPUT.AUGMENT moves boxes and masks alone: leave it, or MODEL.{key}")
    if crop.ENABLED:
        steps.append(RandomCrop(crop.TYPE, crop.SIZE))
    return AugmentingDatasetMapper(
        augmentations=[*steps, *build_augmentation(cfg, is_train=True)],
        image_format=cfg.INPUT.FORMAT,
        pixels=reader_of(cfg),
        use_instance_mask=cfg.MODEL.MASK_ON,
        instance_mask_format=cfg.INPUT.MASK_FORMAT,
        min_visible=keys.MIN_VISIBLE,
    )
