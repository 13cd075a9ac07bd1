"""Tests in this folder compare minid2 with an installed Detectron2 and need both."""

import pytest
import torch

import d2freq


def pytest_collection_modifyitems(items):
    """Skip, with the reason, where d2freq runs on minid2 because Detectron2 is missing."""
    if d2freq.HOST == "detectron2":
        return
    skip = pytest.mark.skip(reason="host parity needs an installed Detectron2 beside minid2")
    for item in items:
        if "host_parity" in str(item.path):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def records():
    """Makes, in the structures of a host, an image for each count, with that many boxes."""

    def make(host, counts):
        generator = torch.Generator().manual_seed(5)
        batch = []
        for (height, width), count in zip(((64, 83), (50, 70)), counts, strict=False):
            corner = torch.rand(count, 2, generator=generator) * 30
            side = 3 + torch.rand(count, 2, generator=generator) * 20
            boxes = host.structures.Boxes(torch.cat([corner, corner + side], dim=1))
            target = host.structures.Instances((height, width), gt_boxes=boxes)
            target.gt_classes = torch.randint(4, (count,), generator=generator)
            shape = (3, height, width)
            image = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
            sizes = {"height": 2 * height, "width": width}
            batch.append({"image": image, "instances": target, **sizes})
        return batch

    return make


@pytest.fixture(scope="session")
def assert_same_instances():
    """Compares Instances of minid2 with those of Detectron2: size, fields, order, values."""

    def compare(ours, theirs):
        assert ours.image_size == theirs.image_size
        assert list(ours.get_fields()) == list(theirs.get_fields())
        for name, value in theirs.get_fields().items():
            mine = ours.get(name)
            pair = getattr(mine, "tensor", mine), getattr(value, "tensor", value)
            torch.testing.assert_close(*pair, rtol=1e-5, atol=1e-5)

    return compare
