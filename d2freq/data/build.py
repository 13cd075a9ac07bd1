"""The train loader of lazy configs: its order of images follows the seed, as from YAML."""

from collections.abc import Callable
from typing import Any

from detectron2.data import build_detection_train_loader
from detectron2.data.samplers import TrainingSampler

__all__ = ["build_seeded_train_loader"]


def build_seeded_train_loader(
    dataset: list[dict],
    *,
    mapper: Callable[[dict], Any],
    seed: int,
    total_batch_size: int,
    aspect_ratio_grouping: bool = True,
    num_workers: int = 0,
):
    """Detectron2's build_detection_train_loader with a TrainingSampler of the config's seed.

    From a YAML config Detectron2 seeds the sampler with SEED itself, also where that is -1. A
    sampler needs the length of the data set, which a lazy config does not know: hence this.

    Args:
        dataset: records, as get_detection_dataset_dicts returns them.
        mapper: from a record to what the model takes.
        seed: of the order of the images; the same in all processes.
        total_batch_size: over all processes.
        aspect_ratio_grouping: put wide images and tall ones in batches of their own.
        num_workers: loading processes.
    """
    return build_detection_train_loader(
        dataset,
        mapper=mapper,
        sampler=TrainingSampler(len(dataset), seed=seed),
        total_batch_size=total_batch_size,
        aspect_ratio_grouping=aspect_ratio_grouping,
        num_workers=num_workers,
    )
