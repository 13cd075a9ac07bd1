"""Index streams, wrapped data sets and loaders."""

import itertools
import pickle
from collections import Counter

import pytest
import torch
from torch.utils.data import IterableDataset, SequentialSampler

from minid2.config import get_cfg
from minid2.data import (
    DatasetCatalog,
    DatasetFromList,
    MapDataset,
    MetadataCatalog,
    ToIterableDataset,
    build_batch_data_loader,
    build_detection_test_loader,
    build_detection_train_loader,
    get_detection_dataset_dicts,
    samplers,
)
from minid2.data.samplers import GroupedBatchSampler
from minid2.utils import comm


def take(iterable, n):
    return list(itertools.islice(iterable, n))


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(6))


@pytest.fixture
def ranks(monkeypatch):
    """Call a function as each of several processes."""

    def as_each(world, function):
        results = []
        for rank in range(world):
            monkeypatch.setattr(comm, "get_rank", lambda rank=rank: rank)
            monkeypatch.setattr(comm, "get_world_size", lambda: world)
            results.append(function())
        return results

    return as_each


def test_processes_share_one_endless_shuffle(ranks):
    whole = take(samplers.TrainingSampler(7, seed=3), 28)
    for epoch in range(4):
        assert sorted(whole[epoch * 7 : epoch * 7 + 7]) == list(range(7))
    parts = ranks(2, lambda: take(samplers.TrainingSampler(7, seed=3), 14))
    assert [i for pair in zip(*parts, strict=True) for i in pair] == whole
    with pytest.raises(ValueError, match="positive int. Got 0"):
        samplers.TrainingSampler(0)


def test_repeat_factors_follow_the_rarest_class():
    classes = [[0], [0, 0], [0, 1], []]
    records = [{"annotations": [{"category_id": c} for c in found]} for found in classes]
    of = samplers.RepeatFactorTrainingSampler.repeat_factors_from_category_frequency
    assert of(records, 0.5, sqrt=False).tolist() == [1, 1, 2, 1]  # class 1 is in 1 of 4
    assert torch.allclose(of(records, 1.0), torch.tensor([(4 / 3) ** 0.5, (4 / 3) ** 0.5, 2, 1]))
    stream = take(samplers.RepeatFactorTrainingSampler(torch.tensor([1.0, 2.5]), seed=0), 3500)
    assert 2.4 < Counter(stream)[1] / Counter(stream)[0] < 2.6


def test_inference_covers_each_index_once(ranks):
    for size, world in itertools.product((1, 7, 8), (1, 2, 3)):
        shares = ranks(world, lambda size=size: list(samplers.InferenceSampler(size)))
        assert sum(shares, []) == list(range(size))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("serialize", [True, False, tuple])
def test_a_list_hands_out_copies(serialize):
    records = [{"a": [i]} for i in range(3)]
    data = DatasetFromList(records, serialize=serialize)
    assert len(data) == 3 and list(data) == records and data[-1] == {"a": [2]}
    if serialize is not tuple:
        data[0]["a"].append(5)
        assert data[0] == {"a": [0]}
    with pytest.raises(IndexError):
        data[3]
    assert len(DatasetFromList([], serialize=serialize)) == 0


def test_a_mapper_may_skip(caplog):
    data = MapDataset(list(range(9)), lambda i: i if i % 2 else None)
    assert all(data[i] % 2 for i in range(9)) and data[3] == 3
    assert list(MapDataset(Stream(), lambda i: i if i > 3 else None)) == [4, 5]
    copy = pickle.loads(pickle.dumps(data))  # as for a worker that is not forked
    assert len(copy) == 9 and copy[5] == 5
    with pytest.raises(RuntimeError, match="None for all 3 elements"):
        MapDataset([1, 2, 3], lambda i: None)[0]


def test_workers_cut_the_stream_into_chunks():
    data = ToIterableDataset(range(10), SequentialSampler(range(10)), shard_chunk_size=2)
    assert list(data) == list(range(10)) and len(data) == 10
    loader = torch.utils.data.DataLoader(data, batch_size=2, num_workers=2)
    assert torch.cat(list(loader)).tolist() == list(range(10))


RECORDS = [{"width": w, "height": h, "i": i} for i, (w, h) in enumerate([(2, 1), (1, 2)] * 6)]


@pytest.mark.parametrize("grouping", [True, False])
def test_training_batches(grouping):
    loader = build_detection_train_loader(
        RECORDS, mapper=dict, total_batch_size=3, aspect_ratio_grouping=grouping
    )
    batches = take(loader, 16)
    assert {len(batch) for batch in batches} == {3}
    if grouping:
        assert all(len({r["width"] for r in batch}) == 1 for batch in batches)
    counts = Counter(r["i"] for batch in batches for r in batch)
    assert max(counts.values()) <= 5 and len(counts) == 12


def test_test_batches_keep_the_order_and_the_rest():
    batches = list(build_detection_test_loader(RECORDS, mapper=dict, batch_size=5))
    assert [len(b) for b in batches] == [5, 5, 2]
    assert [r["i"] for b in batches for r in b] == list(range(12))


def test_loaders_refuse_what_cannot_be(monkeypatch):
    sampler = samplers.TrainingSampler(12)
    with pytest.raises(ValueError, match="not both or none"):
        build_batch_data_loader(RECORDS, sampler, 2, single_gpu_batch_size=2)
    with pytest.raises(AssertionError, match="must be None if dataset is Iterable"):
        build_detection_train_loader(Stream(), mapper=int, sampler=sampler, total_batch_size=2)
    monkeypatch.setattr("minid2.data.build.get_world_size", lambda: 2)
    with pytest.raises(AssertionError, match=r"\(3\) \(SOLVER.IMS_PER_BATCH\).*gpus \(2\)"):
        build_detection_train_loader(RECORDS, mapper=dict, total_batch_size=3)


@pytest.fixture
def names():
    """Two registered sets: one with an empty, a crowded and a good image, one without records."""
    anno = {"category_id": 0, "iscrowd": 0}
    size = {"width": 2, "height": 1}
    annotations = ([], [{**anno, "iscrowd": 1}], [anno, anno])
    records = [{**size, "image_id": i, "annotations": a} for i, a in enumerate(annotations)]
    DatasetCatalog.register("loaders_some", lambda: records)
    DatasetCatalog.register("loaders_none", list)
    MetadataCatalog.get("loaders_some").thing_classes = ["car"]
    yield "loaders_some", "loaders_none"
    for name in ("loaders_some", "loaders_none"):
        DatasetCatalog.pop(name, None)
        MetadataCatalog.pop(name, None)


def test_data_sets_by_name(names, caplog):
    caplog.set_level("INFO")
    assert [r["image_id"] for r in get_detection_dataset_dicts(names[0])] == [2]
    assert "car" in caplog.text and "Distribution of 2 instances" in caplog.text
    assert len(get_detection_dataset_dicts([names[0]] * 2, filter_empty=False)) == 6
    with pytest.raises(AssertionError, match="'loaders_none' is empty"):
        get_detection_dataset_dicts(names[1])
    with pytest.raises(KeyError, match="'nowhere' is not registered.*loaders_some"):
        get_detection_dataset_dicts("nowhere")
    with pytest.raises(AssertionError, match="DATASETS.TRAIN"):
        get_detection_dataset_dicts(())
    with pytest.raises(NotImplementedError, match="min_keypoints"):
        get_detection_dataset_dicts(names[0], min_keypoints=1)
    DatasetCatalog["loaders_none"] = lambda: DatasetCatalog.get(names[0])
    MetadataCatalog.get(names[1]).thing_classes = ["ship"]
    with pytest.raises(ValueError, match="differ in their thing_classes.*loaders_none"):
        get_detection_dataset_dicts(names)
    MetadataCatalog.get(names[0]).thing_classes.clear()
    with pytest.raises(AssertionError, match="invalid category_id=0 for a dataset of 0 classes"):
        get_detection_dataset_dicts(names[0])


def test_loaders_of_a_config(names):
    cfg = get_cfg()
    cfg.DATASETS.TRAIN, cfg.DATALOADER.NUM_WORKERS, cfg.SOLVER.IMS_PER_BATCH = names[:1], 0, 2
    cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS = False
    cfg.DATALOADER.SAMPLER_TRAIN, cfg.DATALOADER.REPEAT_THRESHOLD = "RepeatFactorTrainingSampler", 1
    batch = next(iter(build_detection_train_loader(cfg, mapper=dict)))
    assert [r["width"] for r in batch] == [2, 2]
    assert len(list(build_detection_test_loader(cfg, names[0], mapper=dict))) == 3
    cfg.DATALOADER.SAMPLER_TRAIN = "Trainingsampler"
    with pytest.raises(ValueError, match=r"sampler Trainingsampler \(DATALOADER.SAMPLER_TRAIN\)"):
        build_detection_train_loader(cfg, mapper=dict)


def test_batches_of_one_group_come_in_the_order_they_fill():
    groups = "abbaabab"
    batches = list(GroupedBatchSampler(SequentialSampler(groups), groups, 2))
    assert batches == [[1, 2], [0, 3], [4, 6], [5, 7]]
    with pytest.raises(ValueError, match="Sampler"):
        GroupedBatchSampler([0, 1], groups, 2)
