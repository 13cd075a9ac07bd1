"""Data sets: the catalog of known ones, the check of COCO files, and the generators."""

from d2freq.data.catalog import dataset_root, register_all, register_coco
from d2freq.data.coco.check import DatasetError, check_coco, check_dataset
from d2freq.data.image_folders.dataset import register_image_folder, register_image_folders
from d2freq.data.seqcsist import register_seqcsist, register_sequences

register_all()
register_sequences()
register_image_folders()

__all__ = [
    "DatasetError",
    "check_coco",
    "check_dataset",
    "dataset_root",
    "register_all",
    "register_coco",
    "register_image_folder",
    "register_seqcsist",
]
