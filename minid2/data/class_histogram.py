"""How many instances each class has, as a table in the log."""

import logging
from collections import Counter
from itertools import zip_longest

from tabulate import tabulate

logger = logging.getLogger(__name__)

_COLUMNS = 3  # pairs of class and count, side by side


def print_instances_class_histogram(dataset_dicts: list[dict], class_names: list[str]) -> None:
    """Log the number of instances of each class, crowds left out.

    Args:
        dataset_dicts: records with "annotations".
        class_names: names by class id.

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
    pairs = [(name[:20], count[index]) for index, name in enumerate(class_names)]
    rows = [
        sum(chunk, ()) for chunk in zip_longest(*[iter(pairs)] * _COLUMNS, fillvalue=(None, None))
    ]
    table = tabulate(rows, headers=["category", "#instances"] * _COLUMNS, tablefmt="pipe")
    logger.info(
        "Distribution of %d instances among %d classes:\n%s", count.total(), len(pairs), table
    )
