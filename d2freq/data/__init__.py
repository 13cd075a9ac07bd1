"""Data sets: the catalog of known ones, the check of COCO files, and the generators."""

from typing import TYPE_CHECKING

from d2freq.utils.late import exported_from

if TYPE_CHECKING:
    from d2freq.data.catalog import dataset_root, register_all, register_coco
    from d2freq.data.coco.check import DatasetError, check_coco, check_dataset
    from d2freq.data.image_folders.dataset import register_image_folder
    from d2freq.data.seqcsist import register_seqcsist

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

# what the command line tells of a data set's rules needs neither torch nor a host
__getattr__ = exported_from(
    __name__,
    {
        "DatasetError": "d2freq.errors",
        "check_coco": "d2freq.data.coco.check",
        "check_dataset": "d2freq.data.coco.check",
        "dataset_root": "d2freq.data.catalog",
        "register_all": "d2freq.data.catalog",
        "register_coco": "d2freq.data.catalog",
        "register_image_folder": "d2freq.data.image_folders.dataset",
        "register_seqcsist": "d2freq.data.seqcsist.catalog",
    },
)
