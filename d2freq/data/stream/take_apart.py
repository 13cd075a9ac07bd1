"""A train loader taken apart and put together again as one that knows its position.

Detectron2's loaders, from ``build_detection_train_loader`` or torch's ``DataLoader`` over a
map-style data set, whoever has built them: from a YAML config, or by name in a lazy one.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from detectron2.data.common import AspectRatioGroupedDataset, ToIterableDataset
from torch.utils.data import DataLoader, IterableDataset

from d2freq.data.stream.loader import ExactLoader
from d2freq.data.stream.order import in_worker_order

__all__ = ["exact_loader"]


def exact_loader(loader: Any, *, bad_images: str = "raise") -> tuple[Any, str]:
    """The same batches in the same order, with the same random numbers, and a position.

    Args:
        loader: of training batches; not yet iterated.
        bad_images: one of POLICIES.

    Returns:
        An :class:`ExactLoader`, and ""; or the loader as it is, and why it cannot be resumed
        exactly. A loader with ``state_dict`` and ``load_state_dict`` stays as it is, with "".
    """
    if hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict"):
        return loader, ""
    wrappers: list[_Wrapper] = []
    while not isinstance(loader, DataLoader):
        inner = _inside(loader)
        if inner is None:
            outermost = wrappers[0].item if wrappers else loader
            return outermost, (
                f"{type(loader).__name__} is neither Detectron2's train loader nor torch's "
                "DataLoader, and has no state_dict"
            )
        wrappers.append(_Wrapper(loader, inner))
        loader = getattr(loader, inner)
    whole = wrappers[0].item if wrappers else loader
    order, dataset, sampler, reason = _order(loader)
    if reason:
        return whole, reason
    grouping = next((w for w in wrappers if isinstance(w.item, AspectRatioGroupedDataset)), None)
    if wrappers and (grouping is not wrappers[-1] or loader.batch_size != 1):
        return whole, f"{type(wrappers[-1].item).__name__} stands around its DataLoader"
    return ExactLoader(
        loader,
        dataset,
        order,
        sampler=sampler,
        group=wrappers[-1].around if wrappers else None,
        outside=[wrapper.around for wrapper in reversed(wrappers[:-1])],
        policy=bad_images,
    ), ""


@dataclass(frozen=True)
class _Wrapper:
    item: Any
    inner: str  # the attribute that holds what it wraps

    def around(self, elements: Any) -> Any:
        """The same wrapper around other elements."""
        twin = copy.deepcopy(self.item, {id(getattr(self.item, self.inner)): None})
        setattr(twin, self.inner, elements)
        return twin


def _inside(loader: Any) -> str | None:
    """The attribute of one of Detectron2's wrappers that holds what it wraps; else None."""
    if type(loader).__module__ != AspectRatioGroupedDataset.__module__:
        return None
    kinds = (AspectRatioGroupedDataset, DataLoader)
    names = [name for name, value in vars(loader).items() if isinstance(value, kinds)]
    return names[0] if len(names) == 1 else None


def _order(
    loader: DataLoader,
) -> tuple[Callable[[], Iterator[tuple[int, ...]]], Any, Any, str]:
    """How to draw batches of indices, the map-style data set, its sampler; or why not."""

    def nothing() -> Iterator[tuple[int, ...]]:
        return iter(())

    dataset: Any = loader.dataset
    if not getattr(loader, "in_order", True):
        return nothing, None, None, "its batches come in no fixed order (in_order=False)"
    if type(dataset) is ToIterableDataset:
        if not dataset.shard_sampler:
            return nothing, None, None, "its sampler runs in the workers (shard_sampler=False)"
        if loader.batch_size is None:
            return nothing, None, None, "it makes no batches (batch_size=None)"
        size, workers = loader.batch_size, loader.num_workers
        sampler, chunk = dataset.sampler, dataset.shard_chunk_size
        return (
            lambda: in_worker_order(sampler, workers=workers, chunk=chunk, batch=size),
            dataset.dataset,
            sampler,
            "",
        )
    if isinstance(dataset, IterableDataset):
        return nothing, None, None, f"its data set, {type(dataset).__name__}, is a stream"
    batches = loader.batch_sampler
    if batches is None:
        return nothing, None, None, "it makes no batches (batch_size=None)"
    return lambda: map(tuple, iter(batches)), dataset, loader.sampler, ""
