"""The former place of COCO's registration, which many extensions import from."""

from .coco import register_coco_instances

__all__ = ["register_coco_instances"]
