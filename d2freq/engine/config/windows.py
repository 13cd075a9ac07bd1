"""Which windows of its pictures a training sees, as a config of either kind says it.

Mosaic, copy-paste and rotations are left out: they leave a picture as large as it was.
"""

from collections.abc import Mapping
from typing import Any

from detectron2.config import CfgNode

from d2freq.data.augmentation.config import augment_keys
from d2freq.engine.config.image_sizes import Window, most, window_of
from d2freq.utils.own_keys import own_keys

__all__ = ["edges_of_scale", "step_name", "window_of_keys", "window_of_step"]


def window_of_keys(cfg: CfgNode) -> Window | None:
    """Of INPUT.CROP, or of the crops of INPUT.AUGMENT where most pictures go through them."""
    keys, crop = own_keys(cfg, "INPUT.AUGMENT", augment_keys()), cfg.INPUT.CROP
    if crop.ENABLED:
        return window_of(crop.TYPE, crop.SIZE)
    if most(keys.OBJECT_CROP):
        return window_of("absolute", keys.OBJECT_CROP_SIZE)
    if most(keys.RESIZE_CROP):
        return _at_other_scale(keys.RESIZE_CROP_SIDES, keys.RESIZE_CROP_RANGE)
    return None


def step_name(step: Mapping[str, Any]) -> str:
    """Of the class that a call of a lazy config makes."""
    kind = step["_target_"]
    return kind.rpartition(".")[2] if isinstance(kind, str) else kind.__name__


def window_of_step(name: str, step: Mapping[str, Any]) -> Window | None:
    """Of an augmentation in a lazy config; None for one that cuts nothing off most pictures.

    Args:
        name: of its class.
        step: its arguments.
    """
    if name == "RandomApply" and most(step.get("prob", 0.5)):
        return window_of_step(step_name(step["tfm_or_aug"]), step["tfm_or_aug"])
    if name in ("RandomCrop", "RandomCrop_CategoryAreaConstraint"):
        return window_of(str(step["crop_type"]), step["crop_size"])
    if name == "FixedSizeCrop" or (name == "RandomObjectCrop" and most(step.get("prob", 1.0))):
        return window_of("absolute", step["crop_size"])
    if name == "MinIoURandomCrop":
        least = step.get("min_crop_size", 0.3)
        return window_of("relative_range", (least, least))
    if name == "ResizeThenRandomCrop" and most(step.get("prob", 0.5)):
        return _at_other_scale(
            step.get("short_sides", (400, 500, 600)), step.get("crop_range", (384, 600))
        )
    return None


def edges_of_scale(step: Mapping[str, Any]) -> tuple[int, int]:
    """(short side, longest side) that stand for a ResizeScale, at the middle of its scales.

    It fits a picture into the target, and so neither side gets longer than the target's.
    """
    middle = (step["min_scale"] + step["max_scale"]) / 2
    target = round(middle * min(step["target_height"], step["target_width"]))
    return target, target


def _at_other_scale(sides: Any, window: Any) -> Window:
    """The window of ResizeThenRandomCrop."""
    side = (window[0] + window[1]) / 2
    return Window((side, side), short_side=sum(sides) / len(sides))
