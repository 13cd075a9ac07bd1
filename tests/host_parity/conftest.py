"""Tests in this folder compare minid2 with the real Detectron2, whose source tree is enough."""

import importlib

import pytest
import torch

import d2freq


def pytest_collection_modifyitems(items):
    """Skip, with the reason, where d2freq runs on minid2."""
    if d2freq.HOST == "detectron2":
        return
    reason = "host parity needs the real Detectron2 beside minid2: make parity"
    skip = pytest.mark.skip(reason=reason)
    for item in items:
        if "host_parity" in str(item.path):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def records():
    """Makes, in the structures of a host, an image for each count, with that many boxes.

    With ``masks``, "polygon" or "bitmask", half of each box belongs to the object.
    """

    def make(host, counts, masks=None):
        generator = torch.Generator().manual_seed(5)
        batch = []
        for (height, width), count in zip(((64, 83), (50, 70)), counts, strict=False):
            corner = torch.rand(count, 2, generator=generator) * 30
            side = 3 + torch.rand(count, 2, generator=generator) * 20
            boxes = host.structures.Boxes(torch.cat([corner, corner + side], dim=1))
            target = host.structures.Instances((height, width), gt_boxes=boxes)
            target.gt_classes = torch.randint(4, (count,), generator=generator)
            if masks:
                x0, y0, x1, y1 = boxes.tensor.unbind(dim=1)
                halves = torch.stack([x0, y0, x1, y0, x1, y1], dim=1)  # triangles
                polygons = host.structures.PolygonMasks([[half] for half in halves])
                target.gt_masks = polygons
                if masks == "bitmask":
                    bits = host.structures.BitMasks.from_polygon_masks(polygons, height, width)
                    target.gt_masks = bits
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


@pytest.fixture(scope="session")
def spread():
    """Spreads the predictions, so that thresholds and suppression have work to do."""

    def move(model):
        torch.manual_seed(2)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if not name.startswith("backbone.bottom_up"):
                    parameter += 0.02 * torch.randn_like(parameter)

    return move


@pytest.fixture(scope="session")
def training_step():
    """Losses, gradients, scalars and, to show how many draws were made, the next random number."""

    def step(host, model, batch):
        model.train()
        model.zero_grad()
        torch.manual_seed(9)
        events = importlib.import_module(f"{host.__name__}.utils.events")
        with events.EventStorage() as storage:
            losses = model(batch)
        sum(losses.values()).backward()
        grads = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        scalars = {name: value for name, (value, _) in storage.latest().items()}
        return losses, grads, scalars, torch.rand(1)

    return step


@pytest.fixture(scope="session")
def assert_same_detectors(records, spread, training_step, assert_same_instances):
    """Compares a detector of Detectron2 and one of minid2: initial weights, then their behaviour.

    Each of ``counts`` is a batch of `records`. With ``every_loss`` none may be zero where the
    first image has boxes. ``masks`` is for `records`.
    """

    def compare(models, counts, every_loss=True, masks=None):
        hosts = [importlib.import_module(name) for name in ("detectron2", "minid2")]
        theirs, mine = (model.state_dict() for model in models)
        assert list(mine) == list(theirs)
        for key, value in theirs.items():
            assert torch.equal(mine[key], value), key
        frozen = [[n for n, p in m.named_parameters() if not p.requires_grad] for m in models]
        assert frozen[0] == frozen[1]
        for model in models:
            spread(model)
        found = 0
        for count in counts:
            batches = [records(host, count, masks) for host in hosts]
            with torch.no_grad():
                outputs = [m.eval()(b) for m, b in zip(models, batches, strict=True)]
            for theirs, mine in zip(*outputs, strict=True):
                assert list(theirs) == list(mine) == ["instances"]
                assert_same_instances(mine["instances"], theirs["instances"])
                found += len(mine["instances"])
            a, b = (training_step(*each) for each in zip(hosts, models, batches, strict=True))
            assert list(a[0]) == list(b[0])
            if count[0] and every_loss:
                assert all(value > 0 for value in a[0].values()), "there was nothing to compare"
            for name, value in a[0].items():
                torch.testing.assert_close(b[0][name], value, rtol=1e-5, atol=1e-6)
            assert a[1].keys() == b[1].keys()
            for name, value in a[1].items():
                # 1e-6: a bias before a norm has a gradient of rounding errors alone.
                bound = 1e-5 * value.abs().max().item() + 1e-6
                torch.testing.assert_close(b[1][name], value, rtol=0, atol=bound, msg=name)
            assert list(a[2].items()) == list(b[2].items())
            assert torch.equal(a[3], b[3])
            after = [dict(model.named_buffers()) for model in models]
            for name, value in after[0].items():
                torch.testing.assert_close(after[1][name], value, rtol=1e-5, atol=1e-6)
            normalizers = [getattr(model, "loss_normalizer", None) for model in models]
            assert normalizers[0] == normalizers[1]
        assert found > 3, "nothing was detected, so nothing was compared"

    return compare
