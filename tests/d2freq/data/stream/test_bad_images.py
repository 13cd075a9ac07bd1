"""Pictures that cannot be read: named, or passed over and counted, and resumed past exactly."""

import copy
import itertools
import logging
from pathlib import Path

import detectron2.data.transforms as T
import numpy as np
import pytest
import torch
from detectron2.data import DatasetMapper, build_detection_train_loader
from detectron2.data.samplers import TrainingSampler
from PIL import Image

from d2freq.data.augmentation import AugmentingDatasetMapper, Mosaic
from d2freq.data.stream import exact_loader
from d2freq.errors import DatasetError, UserError

SIZE = (40, 30)  # width, height


def truncated_png(path):
    path.write_bytes(path.read_bytes()[:300])


def truncated_jpeg(path):
    Image.open(path).save(path.with_suffix(".jpg"), "JPEG", quality=95)
    path.write_bytes(path.with_suffix(".jpg").read_bytes()[:500])


def another_size(path):
    Image.new("RGB", (11, 7)).save(path)


BROKEN = {
    "truncated PNG": (truncated_png, "truncated image"),
    "truncated JPEG": (truncated_jpeg, "image"),
    "zero bytes": (lambda path: path.write_bytes(b""), "empty image file"),
    "text": (lambda path: path.write_text("404: not found"), "image"),
    "missing": (lambda path: path.unlink(), "missing image"),
    "another size": (another_size, "(11, 7)"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "image"),
}
UNUSUAL = {
    "CMYK": lambda path: Image.new("CMYK", SIZE, (9, 99, 0, 0)).save(path, "JPEG"),
    "16 bits": lambda path: Image.fromarray(np.full(SIZE[::-1], 700, np.uint16)).save(path, "PNG"),
    "palette": lambda path: Image.new("P", SIZE, 3).save(path, "PNG"),
    "grey with alpha": lambda path: Image.new("LA", SIZE, (3, 200)).save(path, "PNG"),
}


@pytest.fixture
def records(tmp_path):
    """Six noise pictures with an object each."""
    random = np.random.default_rng(0)
    found = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        Image.fromarray(random.integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8)).save(path)
        box = dict(bbox=[3, 4, 20, 20], bbox_mode=0, category_id=0, iscrowd=0)
        found.append(
            dict(file_name=str(path), image_id=number, width=SIZE[0], height=SIZE[1])
            | dict(annotations=[box])
        )
    return found


def loader_of(records, policy, workers=0, batch=2):
    mapper = DatasetMapper(
        is_train=True,
        augmentations=[T.RandomCrop("absolute", (20, 20)), T.RandomFlip()],
        image_format="BGR",
    )
    sampler = TrainingSampler(len(records), seed=1)
    loader = build_detection_train_loader(
        records, mapper=mapper, sampler=sampler, total_batch_size=batch, num_workers=workers
    )
    loader, reason = exact_loader(loader, bad_images=policy)
    assert reason == ""
    return loader


def path_of(record):
    return Path(record["file_name"])


@pytest.mark.parametrize("kind", BROKEN)
def test_named_or_passed_over(kind, records, caplog):
    spoil, reason = BROKEN[kind]
    spoil(path_of(records[3]))
    with pytest.raises(DatasetError) as caught:
        list(itertools.islice(loader_of(records, "raise"), 6))
    said = str(caught.value)
    assert records[3]["file_name"] in said and "image_id 3" in said and reason in said
    assert "BAD_IMAGES" in said and "\n" not in said

    with caplog.at_level(logging.INFO):
        loader = loader_of(records, "skip")
        batches = list(itertools.islice(loader, 9))
    assert [len(batch) for batch in batches] == [2] * 9
    seen = [each["image_id"] for batch in batches for each in batch]
    assert 3 not in seen and seen.count(4) == 6  # three epochs, and the place of number 3
    assert loader.bad_images == 3
    assert caplog.text.count("Passed over") == 1 and records[3]["file_name"] in caplog.text
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING and "Passed" in r.msg]


def test_warned_of_once_a_file(records, caplog):
    for number in (1, 2):
        truncated_png(path_of(records[number]))
    loader = loader_of(records, "warn")
    list(itertools.islice(loader, 9))
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warned) == 2 and all(".png (image_id " in said for said in warned)
    # of number 1 the place is number 2's, which is broken, too: then number 3's
    assert loader.bad_images == 3 * (2 + 1)


@pytest.mark.parametrize("kind", UNUSUAL)
def test_unusual_pictures_are_no_broken_ones(kind, records):
    UNUSUAL[kind](path_of(records[3]))
    batches = list(itertools.islice(loader_of(records, "raise"), 6))
    (found,) = {e["image"].shape for batch in batches for e in batch if e["image_id"] == 3}
    assert found == (3, 20, 20)


def test_a_picture_of_one_pixel_is_no_broken_one(records):
    Image.new("RGB", (1, 1)).save(path_of(records[3]))
    records[3].update(width=1, height=1, annotations=[])
    batches = list(itertools.islice(loader_of(records, "raise"), 9))
    assert (3, 1, 1) in {tuple(e["image"].shape) for batch in batches for e in batch}


@pytest.mark.parametrize("workers", [1, 2])
def test_in_workers_and_resumed_exactly(workers, records):
    for number in (0, 3):
        truncated_png(path_of(records[number]))
    with pytest.raises(DatasetError, match=r"^/.*png \(image_id"):  # no traceback of the worker
        list(itertools.islice(loader_of(records, "raise", workers), 6))

    def images(batches):
        return [[(e["image_id"], e["image"].tolist()) for e in batch] for batch in batches]

    loader = loader_of(records, "skip", workers)
    stream = iter(loader)
    first = list(itertools.islice(stream, 4))
    state, count = copy.deepcopy(loader.state_dict()), loader.bad_images
    rest = images(itertools.islice(stream, 4))
    assert count > 0 and [len(batch) for batch in first] == [2] * 4

    torch.manual_seed(99)
    resumed = loader_of(records, "skip", workers)
    resumed.load_state_dict(state)
    assert images(itertools.islice(resumed, 4)) == rest
    assert resumed.bad_images == loader.bad_images > count


def test_a_fault_of_the_mapper_is_none_of_a_picture(records):
    class Mapper:
        def __call__(self, record):
            raise KeyError("depth")

    loader = build_detection_train_loader(records, mapper=Mapper(), total_batch_size=2)
    with pytest.raises(KeyError, match="depth"):
        next(iter(exact_loader(loader, bad_images="skip")[0]))


def test_without_one_readable_picture_it_ends(records):
    for record in records:
        truncated_png(path_of(record))
    with pytest.raises(DatasetError, match="none of the 6 pictures can be read"):
        next(iter(loader_of(records, "skip")))


def test_another_policy_is_refused(records):
    with pytest.raises(UserError, match="BAD_IMAGES.*ignore"):
        loader_of(records, "ignore")


@pytest.mark.parametrize("policy", ["raise", "skip"])
def test_a_broken_partner_of_a_mosaic_is_the_one_that_is_named_and_passed_over(
    policy, records, caplog
):
    truncated_png(path_of(records[3]))
    mapper = AugmentingDatasetMapper(augmentations=[Mosaic(prob=1.0)], image_format="BGR")
    mapper.draw_from(records)
    whole = records[:3]
    loader = build_detection_train_loader(
        whole, mapper=mapper, sampler=TrainingSampler(3, seed=1), total_batch_size=1, num_workers=0
    )
    loader, _ = exact_loader(loader, bad_images=policy)
    if policy == "raise":
        with pytest.raises(DatasetError, match=r"3\.png \(image_id 3\): truncated"):
            list(itertools.islice(loader, 9))
        return
    with caplog.at_level(logging.INFO):
        seen = [batch[0]["image_id"] for batch in itertools.islice(loader, 9)]
    assert sorted(seen) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert loader.bad_images > 0 and caplog.text.count("Passed over") == 1
    assert records[3]["file_name"] in caplog.text
