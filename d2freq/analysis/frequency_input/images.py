"""Images of a data set as a config's network gets them, without padding or ground truth."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from detectron2.data import get_detection_dataset_dicts
from torch import Tensor
from tqdm import tqdm

from d2freq.analysis.model_and_data import choose
from d2freq.engine.checks import check_names
from d2freq.engine.config import Config
from d2freq.errors import UserError
from d2freq.utils.pixels import PixelReader, refuse_deep

__all__ = ["Images", "config_images"]


@dataclass(frozen=True)
class Images:
    """Images by name, read one after another.

    Attributes:
        datasets: names in the catalog.
        records: the chosen ones of those data sets.
        mapper: of the config's test loader, whose sizes are not drawn.
        reader: of the config, which takes pictures of other depths; None: 8-bit RGB alone.
    """

    datasets: list[str]
    records: list[dict]
    mapper: Callable[[dict], dict]
    reader: PixelReader | None = None

    def __iter__(self) -> Iterator[Tensor]:
        """(3, H, W) uint8 each, with a progress bar.

        Raises:
            DatasetError: an image of more bits or bands than 8-bit RGB.
        """
        for record in tqdm(self.records, unit="image"):
            if self.reader is None:
                refuse_deep(record["file_name"])
            yield self.mapper(copy.deepcopy(record))["image"]


def config_images(config: Config, *, dataset: str | None = None, count: int = 0) -> Images:
    """Images of the data sets that a config trains on, at the sizes of its inference.

    Args:
        config: of either kind.
        dataset: a registered name instead.
        count: images at even steps through the data set; 0 is all.

    Raises:
        UserError: there is no such data set, or none is named.
    """
    names = [dataset] if dataset else config.train_sets()
    if not names:
        raise UserError(f"{config.source}: names no data set to train on; name one: --dataset")
    check_names(names, where="--dataset" if dataset else config.source)
    records = get_detection_dataset_dicts(names, filter_empty=False)
    return Images(names, choose(records, count), config.test_mapper(names[0]), config.pixels)
