"""Loaders of training and test batches."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler

from ..config import CfgNode, configurable
from ..host import logger_of
from ..utils.comm import get_world_size
from ..utils.env import seed_all_rng
from .common import AspectRatioGroupedDataset, DatasetFromList, MapDataset, ToIterableDataset
from .dataset_dicts import (
    filter_images_with_only_crowd_annotations,
    get_detection_dataset_dicts,
    print_instances_class_histogram,
)
from .dataset_mapper import DatasetMapper
from .detection_utils import check_metadata_consistency
from .samplers import InferenceSampler, RepeatFactorTrainingSampler, TrainingSampler

__all__ = ["check_metadata_consistency", "build_batch_data_loader", "build_detection_test_loader"]
__all__ += ["build_detection_train_loader", "filter_images_with_only_crowd_annotations"]
__all__ += ["get_detection_dataset_dicts", "print_instances_class_histogram"]


def trivial_batch_collator(batch: list) -> list:
    """The batch as it is: images of one batch differ in size."""
    return batch


def worker_init_reset_seed(worker_id: int) -> None:
    """Seed all generators of a worker process differently from the other workers'."""
    seed_all_rng(torch.initial_seed() % 2**31 + worker_id)


def build_batch_data_loader(
    dataset: Dataset,
    sampler: Sampler | None,
    total_batch_size: int | None,
    *,
    aspect_ratio_grouping: bool = False,
    num_workers: int = 0,
    collate_fn: Callable[[list], Any] | None = None,
    drop_last: bool = True,
    single_gpu_batch_size: int | None = None,
    prefetch_factor: int | None = 2,
    persistent_workers: bool = False,
    pin_memory: bool = False,
    seed: int | None = None,
    **kwargs: Any,
):
    """A loader of lists.

    Args:
        dataset: map-style with a sampler, or iterable without.
        sampler: indices, already cut to this process's share.
        total_batch_size: over all processes; has to be a multiple of their number.
        aspect_ratio_grouping: put wide images and tall ones in batches of their own.
        num_workers: loading processes.
        collate_fn: from a list of elements to a batch; None leaves the list.
        drop_last: leave out a last batch that is not full.
        single_gpu_batch_size: instead of ``total_batch_size``, the batch of one process.
        prefetch_factor, persistent_workers, pin_memory, kwargs: as for torch's ``DataLoader``.
        seed: of the workers; None takes torch's generator.

    Raises:
        ValueError: both batch sizes are given, or none.
        AssertionError: the batch size cannot be divided among the processes.
    """
    if (total_batch_size is None) == (single_gpu_batch_size is None):
        raise ValueError("give one of total_batch_size and single_gpu_batch_size, not both or none")
    world = get_world_size()
    if single_gpu_batch_size is not None:
        total_batch_size = single_gpu_batch_size * world
    assert total_batch_size and total_batch_size % world == 0, (
        f"Total batch size ({total_batch_size}) (SOLVER.IMS_PER_BATCH) must be positive and "
        f"divisible by the number of gpus ({world})."
    )
    batch_size = total_batch_size // world
    if not isinstance(dataset, IterableDataset):
        assert sampler is not None, "a map-style dataset needs a sampler"
        dataset = ToIterableDataset(dataset, sampler, shard_chunk_size=batch_size)
    kwargs.update(
        num_workers=num_workers,
        worker_init_fn=worker_init_reset_seed,
        prefetch_factor=prefetch_factor if num_workers > 0 else None,
        persistent_workers=persistent_workers,
        pin_memory=pin_memory,
        generator=None if seed is None else torch.Generator().manual_seed(seed),
    )
    if not aspect_ratio_grouping:
        collate_fn = collate_fn or trivial_batch_collator
        return DataLoader(dataset, batch_size, drop_last=drop_last, collate_fn=collate_fn, **kwargs)
    # Grouping needs single elements, and an endless stream has no last batch to drop.
    elements = DataLoader(dataset, collate_fn=operator.itemgetter(0), **kwargs)
    batches = AspectRatioGroupedDataset(elements, batch_size)
    return batches if collate_fn is None else MapDataset(batches, collate_fn)


def _map_and_sample(
    dataset: Any,
    mapper: Callable | None,
    sampler: Sampler | None,
    default: Callable[[int], Sampler],
) -> tuple[Any, Sampler | None]:
    """The mapped data set, and its sampler; an iterable one takes none."""
    dataset = DatasetFromList(dataset, copy=False) if isinstance(dataset, list) else dataset
    mapped = dataset if mapper is None else MapDataset(dataset, mapper)
    if isinstance(mapped, IterableDataset):
        assert sampler is None, "sampler must be None if dataset is IterableDataset"
        return mapped, None
    return mapped, default(len(mapped)) if sampler is None else sampler


def _training_sampler(cfg: CfgNode, dataset: Any) -> Sampler:
    """The sampler that DATALOADER.SAMPLER_TRAIN names.

    As in Detectron2 the stream's seed is SEED itself, also where that is -1, "no seed": the order
    of the data is then the same in every run, unlike the augmentations.
    """
    loader = cfg.DATALOADER
    name = loader.SAMPLER_TRAIN
    logger_of(__name__).info("Using training sampler %s", name)
    if name == "TrainingSampler":
        return TrainingSampler(len(dataset), seed=cfg.SEED)
    if name == "RepeatFactorTrainingSampler":
        factors = RepeatFactorTrainingSampler.repeat_factors_from_category_frequency(
            dataset, loader.REPEAT_THRESHOLD, sqrt=loader.REPEAT_SQRT
        )
        return RepeatFactorTrainingSampler(factors, seed=cfg.SEED)
    raise ValueError(
        f"minid2 has no training sampler {name} (DATALOADER.SAMPLER_TRAIN); choose TrainingSampler "
        "or RepeatFactorTrainingSampler"
    )


def _train_loader_from_config(
    cfg: CfgNode,
    mapper: Callable | None = None,
    *,
    dataset: "list[dict] | Dataset | None" = None,
    sampler: Sampler | None = None,
) -> dict[str, Any]:
    if dataset is None:
        dataset = get_detection_dataset_dicts(
            cfg.DATASETS.TRAIN,
            filter_empty=cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS,
            proposal_files=cfg.DATASETS.PROPOSAL_FILES_TRAIN if cfg.MODEL.LOAD_PROPOSALS else None,
        )
    if sampler is None and not isinstance(dataset, IterableDataset):
        sampler = _training_sampler(cfg, dataset)
    return {
        "dataset": dataset,
        "sampler": sampler,
        "mapper": DatasetMapper(cfg, True) if mapper is None else mapper,
        "total_batch_size": cfg.SOLVER.IMS_PER_BATCH,
        "aspect_ratio_grouping": cfg.DATALOADER.ASPECT_RATIO_GROUPING,
        "num_workers": cfg.DATALOADER.NUM_WORKERS,
    }


@configurable(from_config=_train_loader_from_config)
def build_detection_train_loader(
    dataset: "list[dict] | Dataset",
    *,
    mapper: Callable[[dict], Any] | None,
    sampler: Sampler | None = None,
    total_batch_size: int,
    aspect_ratio_grouping: bool = True,
    num_workers: int = 0,
    collate_fn: Callable[[list], Any] | None = None,
    **kwargs: Any,
):
    """An endless loader of training batches; also ``build_detection_train_loader(cfg)``.

    Args:
        dataset: records, or a torch data set.
        mapper: from a record to what the model takes; None leaves the records.
        sampler: indices; None is a :class:`TrainingSampler`. An iterable data set takes none.
        total_batch_size: over all processes.
        aspect_ratio_grouping: put wide images and tall ones in batches of their own; elements
            need "width" and "height".
        num_workers, collate_fn, kwargs: see :func:`build_batch_data_loader`.

    Returns an iterable of lists, ``total_batch_size / processes`` long.
    """
    mapped, sampler = _map_and_sample(dataset, mapper, sampler, TrainingSampler)
    return build_batch_data_loader(
        mapped,
        sampler,
        total_batch_size,
        aspect_ratio_grouping=aspect_ratio_grouping,
        num_workers=num_workers,
        collate_fn=collate_fn,
        **kwargs,
    )


def _test_loader_from_config(
    cfg: CfgNode, dataset_name: str | Sequence[str], mapper: Callable | None = None
) -> dict[str, Any]:
    names = [dataset_name] if isinstance(dataset_name, str) else list(dataset_name)
    proposals = cfg.DATASETS.PROPOSAL_FILES_TEST if cfg.MODEL.LOAD_PROPOSALS else None
    return {
        "dataset": get_detection_dataset_dicts(names, filter_empty=False, proposal_files=proposals),
        "mapper": DatasetMapper(cfg, False) if mapper is None else mapper,
        "num_workers": cfg.DATALOADER.NUM_WORKERS,
    }


@configurable(from_config=_test_loader_from_config)
def build_detection_test_loader(
    dataset: "list[Any] | Dataset",
    *,
    mapper: Callable[[dict[str, Any]], Any],
    sampler: Sampler | None = None,
    batch_size: int = 1,
    num_workers: int = 0,
    collate_fn: Callable[[list[Any]], Any] | None = None,
) -> DataLoader:
    """A loader of every record once; also ``build_detection_test_loader(cfg, "name")``.

    Args:
        dataset: records, or a torch data set.
        mapper: from a record to what the model takes.
        sampler: indices; None is an :class:`InferenceSampler`. An iterable data set takes none.
        batch_size: of this process; the last batch may be shorter.
        num_workers, collate_fn: see :func:`build_batch_data_loader`.
    """
    mapped, sampler = _map_and_sample(dataset, mapper, sampler, InferenceSampler)
    collate_fn = collate_fn or trivial_batch_collator
    return DataLoader(
        mapped, batch_size, sampler=sampler, num_workers=num_workers, collate_fn=collate_fn
    )
