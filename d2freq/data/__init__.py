"""Data sets: the catalog of known ones, the check of COCO files, and the generator of scenes."""

from d2freq.data.catalog import dataset_root, register_all, register_coco
from d2freq.data.coco import DatasetError, check_coco, check_dataset

register_all()

__all__ = [
    "DatasetError",
    "check_coco",
    "check_dataset",
    "dataset_root",
    "register_all",
    "register_coco",
]
