"""Formats that data sets come in."""

from .coco import convert_to_coco_json, load_coco_json, register_coco_instances
