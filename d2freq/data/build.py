"""The train loader of lazy configs: its order of images follows the seed, as from YAML."""

from collections.abc import Callable
from typing import Any

from detectron2.data import build_detection_train_loader
from detectron2.data.samplers import RepeatFactorTrainingSampler, TrainingSampler

from d2freq.utils.choices import choice

__all__ = ["build_seeded_train_loader"]

SAMPLERS = ("TrainingSampler", "RepeatFactorTrainingSampler")


def build_seeded_train_loader(
    dataset: list[dict],
    *,
    mapper: Callable[[dict], Any],
    seed: int,
    total_batch_size: int,
    aspect_ratio_grouping: bool = True,
    num_workers: int = 0,
    sampler: str = "TrainingSampler",
    repeat_threshold: float = 0.0,
    repeat_sqrt: bool = True,
):
    """Detectron2's build_detection_train_loader with a sampler of the config's seed.

    From a YAML config Detectron2 seeds the sampler with SEED itself, also where that is -1. A
    sampler needs the length of the data set, which a lazy config does not know: hence this.

    Args:
        dataset: records, as get_detection_dataset_dicts returns them.
        mapper: from a record to what the model takes.
        seed: of the order of the images; the same in all processes.
        total_batch_size: over all processes.
        aspect_ratio_grouping: put wide images and tall ones in batches of their own.
        num_workers: loading processes.
        sampler: "TrainingSampler", each image once an epoch, or "RepeatFactorTrainingSampler",
            images with rare classes more often: DATALOADER.SAMPLER_TRAIN of a YAML config.
        repeat_threshold: a class that a smaller share of the images holds is rare.
        repeat_sqrt: whether the square root of what is missing counts.

    Raises:
        UserError: an unknown sampler.
    """
    if hasattr(mapper, "draw_from"):  # mosaic and copy-paste take other images of the data set
        mapper.draw_from(dataset)
    return build_detection_train_loader(
        dataset,
        mapper=mapper,
        sampler=_sampler(sampler, dataset, seed, repeat_threshold, repeat_sqrt),
        total_batch_size=total_batch_size,
        aspect_ratio_grouping=aspect_ratio_grouping,
        num_workers=num_workers,
    )


def _sampler(name: str, dataset: list[dict], seed: int, threshold: float, sqrt: bool) -> Any:
    choice(name, SAMPLERS, key="dataloader.train.sampler")
    if name == "TrainingSampler":
        return TrainingSampler(len(dataset), seed=seed)
    factors = RepeatFactorTrainingSampler.repeat_factors_from_category_frequency(
        dataset, threshold, sqrt=sqrt
    )
    return RepeatFactorTrainingSampler(factors, seed=seed)
