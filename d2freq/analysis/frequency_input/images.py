"""Images of a data set as a config's network gets them, without padding or ground truth."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from detectron2.config import CfgNode, instantiate
from detectron2.data import DatasetMapper, get_detection_dataset_dicts
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from tqdm import tqdm

from d2freq.analysis.model_and_data import choose
from d2freq.data.coco.faults_of_images import look_at
from d2freq.engine.checks import check_names, lazy_datasets
from d2freq.engine.tasks.classification import image_mapper, is_image_folder
from d2freq.errors import UserError

__all__ = ["Images", "config_images"]


@dataclass(frozen=True)
class Images:
    """Images by name, read one after another.

    Attributes:
        datasets: names in the catalog.
        records: the chosen ones of those data sets.
        mapper: of the config's test loader, whose sizes are not drawn.
    """

    datasets: list[str]
    records: list[dict]
    mapper: Callable[[dict], dict]

    def __iter__(self) -> Iterator[Tensor]:
        """(3, H, W) uint8 each, with a progress bar.

        Raises:
            UserError: an image of 16 bits, which reading turns white.
        """
        for record in tqdm(self.records, unit="image"):
            mode = look_at(record["file_name"]).mode
            if mode.startswith(("I", "F")):
                raise UserError(
                    f"{record['file_name']}: more than 8 bits a sample ({mode}), which is read "
                    "as white from 255 on: convert it to 8 bits"
                )
            yield self.mapper(copy.deepcopy(record))["image"]


def config_images(
    config: CfgNode | DictConfig, source: str, *, dataset: str | None = None, count: int = 0
) -> Images:
    """Images of the data sets that a config trains on, at the sizes of its inference.

    Args:
        config: read already.
        source: its file, for messages.
        dataset: a registered name instead.
        count: images at even steps through the data set; 0 is all.

    Raises:
        UserError: there is no such data set, or none is named.
    """
    is_yaml = isinstance(config, CfgNode)
    trained = config.DATASETS.TRAIN if is_yaml else lazy_datasets(config, "train")
    names = [dataset] if dataset else list(trained)
    if not names:
        raise UserError(f"{source}: names no data set to train on; name one: --dataset")
    check_names(names, where="--dataset" if dataset else source)
    records = get_detection_dataset_dicts(names, filter_empty=False)
    mapper = _yaml_mapper(config, names) if is_yaml else _lazy_mapper(config, source)
    return Images(names, choose(records, count), mapper)


def _yaml_mapper(cfg: CfgNode, names: list[str]) -> Callable[[dict], dict]:
    of_folders = any(map(is_image_folder, names))
    return (image_mapper if of_folders else DatasetMapper)(cfg, is_train=False)


def _lazy_mapper(cfg: DictConfig, source: str) -> Callable[[dict], dict]:
    call = OmegaConf.select(cfg, "dataloader.test.mapper")
    if call is None:
        raise UserError(f"{source}: has no dataloader.test.mapper, which prepares the images")
    return instantiate(call)
