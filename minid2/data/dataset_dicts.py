"""From the names of data sets to one list of records."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tabulate import tabulate
from torch.utils.data import ConcatDataset, Dataset

from ..host import logger_of, refuse
from .catalog import DatasetCatalog, MetadataCatalog
from .detection_utils import check_metadata_consistency

logger = logger_of(__name__)


def filter_images_with_only_crowd_annotations(dataset_dicts: list[dict]) -> list[dict]:
    """The records that have at least one annotation which is no crowd."""
    kept = [
        record
        for record in dataset_dicts
        if any(anno.get("iscrowd", 0) == 0 for anno in record["annotations"])
    ]
    dropped = len(dataset_dicts) - len(kept)
    logger.info("Removed %d images with no usable annotations, %d left", dropped, len(kept))
    return kept


def get_detection_dataset_dicts(
    names: str | Sequence[str],
    filter_empty: bool = True,
    min_keypoints: int = 0,
    proposal_files: Sequence[str] | None = None,
    check_consistency: bool = True,
) -> "list[dict] | Dataset":
    """Load data sets by their names and join them.

    Args:
        names: one name or several.
        filter_empty: leave out images with nothing but crowds.
        min_keypoints, proposal_files: have to be 0 and empty.
        check_consistency: require the same ``thing_classes`` of all.

    Returns the records; a torch data set where the registered functions return such.

    Raises:
        KeyError: a name is not registered.
        AssertionError: a data set has no record, or none is left.
        ValueError: the data sets have different classes.
        NotImplementedError: keypoints or proposals are asked for.
    """
    refuse("min_keypoints", min_keypoints)
    refuse("proposal_files (MODEL.LOAD_PROPOSALS)", proposal_files)
    names = [names] if isinstance(names, str) else list(names)
    assert names, "no data set is named: set DATASETS.TRAIN or DATASETS.TEST"
    parts: list[Any] = [DatasetCatalog.get(name) for name in names]
    if any(isinstance(part, Dataset) for part in parts):
        return ConcatDataset(parts) if len(parts) > 1 else parts[0]
    for name, part in zip(names, parts, strict=True):
        assert len(part), f"Dataset '{name}' is empty! Its annotation file lists no image."

    records = [record for part in parts for record in part]
    if "annotations" in records[0]:
        if filter_empty:
            records = filter_images_with_only_crowd_annotations(records)
        named = [name for name in names if hasattr(MetadataCatalog.get(name), "thing_classes")]
        if check_consistency and named:  # class names are optional
            check_metadata_consistency("thing_classes", names)
            print_instances_class_histogram(records, MetadataCatalog.get(names[0]).thing_classes)
    assert records, (
        f"No valid data found in {', '.join(names)}: no image has an annotation that is no crowd. "
        "DATALOADER.FILTER_EMPTY_ANNOTATIONS: False would keep such images"
    )
    return records


def print_instances_class_histogram(dataset_dicts: list[dict], class_names: list[str]) -> None:
    """Log the number of instances of each class, crowds left out.

    Args:
        dataset_dicts, class_names: records with "annotations", and names by class id.

    Raises:
        AssertionError: an annotation has a class id without a name.
    """
    count: Counter[int] = Counter()
    for record in dataset_dicts:
        for anno in record["annotations"]:
            category = anno["category_id"]
            assert 0 <= category < len(class_names), (
                f"Got an invalid category_id={category} for a dataset of {len(class_names)} "
                f"classes, in image {record.get('file_name', record.get('image_id'))}"
            )
            count[category] += anno.get("iscrowd", 0) == 0
    rows = [(name, count[index]) for index, name in enumerate(class_names)]
    table = tabulate(rows, headers=["category", "#instances"], tablefmt="pipe")
    logger.info("Distribution of %d instances:\n%s", count.total(), table)
