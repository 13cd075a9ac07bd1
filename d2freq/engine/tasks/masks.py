"""What a mask head needs of its data, known before the first iteration.

A mask on every object that is trained on or measured, and shapely where a crop cuts polygons.
"""

import importlib.util
from collections.abc import Sequence
from typing import Any

from detectron2.data import DatasetCatalog

from d2freq.errors import DatasetError, UserError
from d2freq.utils.extras import install

__all__ = ["check_masks"]

WITHOUT_MASKS = "MODEL.MASK_ON False, or a lazy config without a mask head"
WITHOUT_CROP = "INPUT.CROP.ENABLED False, or a lazy mapper without the crop"


def check_masks(names: Sequence[str], *, crops: bool) -> None:
    """Raise where data sets lack what a model's mask head needs.

    Args:
        names: registered data sets.
        crops: whether images are cut off at a border.

    Raises:
        DatasetError: an object has no mask.
        UserError: polygons are to be cut, and shapely is missing.
    """
    shapely = importlib.util.find_spec("shapely") is not None
    for name in names:
        records = DatasetCatalog.get(name)
        _check_complete(name, records)
        polygons = next((r for r in records if any(map(_is_polygons, _objects(r)))), None)
        if polygons is not None and crops and not shapely:
            raise UserError(
                f"data set {name} has masks as polygons, the first in {_where(polygons)}, and "
                f"cutting them off at the border of a crop needs shapely: {install('shapely')}, or "
                f"train on whole images ({WITHOUT_CROP})"
            )


def _check_complete(name: str, records: list[dict]) -> None:
    objects = [(record, each) for record in records for each in _objects(record)]
    bare = [record for record, each in objects if "segmentation" not in each]
    if bare:
        raise DatasetError(
            f"data set {name} has no mask for {len(bare)} of {len(objects)} objects, the first in "
            f"{_where(bare[0])}, and the model has a mask head: add a segmentation to each "
            f"annotation, or train boxes alone ({WITHOUT_MASKS})"
        )


def _objects(record: dict) -> list[dict[str, Any]]:
    """The annotations that are trained on; crowds are not."""
    return [each for each in record.get("annotations", ()) if not each.get("iscrowd", 0)]


def _is_polygons(annotation: dict) -> bool:
    return isinstance(annotation["segmentation"], list)


def _where(record: dict) -> str:
    return f"{record.get('file_name')} (image_id {record.get('image_id')})"
